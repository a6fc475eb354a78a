"""One GET to a broker's own monitoring -> the JSON it tells, or how it refused."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes._http import exchange, public_path, target

_DENIED = (401, 403)
_MOST = 2**63


@dataclass(frozen=True)
class Told:
    """What one path answered: `data` is its JSON, None where it is none or was cut off."""

    path: str
    """Without its query."""
    status: int
    data: Any
    whole: bool

    @property
    def denied(self) -> bool:
        """Whether it was withheld from us."""
        return self.status in _DENIED

    @property
    def fields(self) -> Mapping[str, Any]:
        """The members of a JSON object; none where it is no success or no object."""
        return self.data if self.status == 200 and isinstance(self.data, Mapping) else {}

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The objects of a JSON list; none where it is no success or no list."""
        listed = self.data if self.status == 200 and isinstance(self.data, list) else ()
        return [row for row in listed if isinstance(row, Mapping)]

    @property
    def untold(self) -> str:
        """Why it told nothing, as a reason for a metric that is absent."""
        if self.status != 200:
            return f"not tested: GET {self.path} answered {self.status}"
        cut = "more than the 1 MiB that are read" if not self.whole else "something else than told"
        return f"not tested: GET {self.path} answered {cut}"


async def ask(service: Service, path: str, context: Context) -> Told:
    """GET `path` below the service's URL, whose user and password go along.

    Raises what an exchange raises, never for a status or a body.
    """
    answer = await exchange(context, target(service, path), headers={"Accept": "application/json"})
    try:
        data = json.loads(answer.text) if answer.complete else None
    except (ValueError, RecursionError):
        data = None
    return Told(public_path(path), answer.status, data, answer.complete)


def demanded(told: Told, what: str) -> Mapping[str, Any]:
    """Return the members of a JSON object; raise ProbeError if there is none.

    `denied` where it was withheld from us, else `protocol`: this is not `what` was asked for.
    """
    if told.denied:
        how = "put a user that may read it into the URL"
        raise ProbeError("denied", f"GET {told.path} answered {told.status}: {how}")
    if told.status != 200:
        raise ProbeError("protocol", f"GET {told.path} answered {told.status}")
    if not told.fields:
        raise ProbeError("protocol", f"GET {told.path} did not answer as {what} does")
    return told.fields


def count(value: Any) -> int | None:
    """Return a number that can be a count or bytes, as a whole one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if 0 <= value < _MOST else None


def share(part: Any, whole: Any) -> float | None:
    """Return `part` of `whole` as a ratio, None where either is unknown or there is no whole."""
    used, limit = count(part), count(whole)
    return used / limit if used is not None and limit else None


def most(found: Mapping[str, float | None]) -> tuple[str, float] | None:
    """Return the name with the greatest number, None if no number is known."""
    known = {name: number for name, number in found.items() if number is not None}
    return max(known.items(), key=lambda pair: pair[1]) if known else None
