"""One connection -> INFO at two moments a little apart, so that counters become rates."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from readiness.inventory.duration import Duration
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._redis_connection import Session, not_tested
from readiness.probes._redis_info import number, parsed

Window = Annotated[
    Duration, Field(ge=0.01, le=30, description="Time between the two looks that give rates.")
]


@dataclass(frozen=True)
class Looks:
    """The fields of INFO at the first and at the last look, `seconds` apart by the server."""

    first: Mapping[str, str]
    last: Mapping[str, str]
    seconds: float

    def delta(self, name: str) -> int | None:
        """Return by how much a counter grew; None where it is not told, or was reset meanwhile."""
        before, after = number(self.first, name), number(self.last, name)
        if before is None or after is None or after < before:
            return None
        return after - before

    def counted(self, name: str) -> Values:
        """Return a counter since the server's start, and by the second within the window."""
        since, delta = number(self.last, name), self.delta(name)
        absent: Values = {f"{name}_because": "INFO does not tell"}
        found: Values = absent if since is None else {name: since}
        if delta is None:
            return found | {f"{name}_per_second_because": "INFO does not tell, or was reset"}
        return found | {f"{name}_per_second": delta / self.seconds}


async def looked(connection: Session, window: float, context: Context) -> Looks | str:
    """Return both looks, at most half of the time to the deadline apart, or why INFO is refused."""
    first = await connection.ask("INFO")
    if not isinstance(first, str):
        return not_tested(first, "INFO")
    clock = asyncio.get_running_loop().time
    began = clock()
    await asyncio.sleep(max(0.0, min(window, (context.deadline - began) / 2)))
    last = await connection.ask("INFO")
    if not isinstance(last, str):
        return not_tested(last, "INFO")
    before, after = parsed(first), parsed(last)
    return Looks(before, after, _apart(before, after) or max(clock() - began, 1e-3))


def _apart(first: Mapping[str, str], last: Mapping[str, str]) -> float | None:
    times = [number(look, "server_time_usec") for look in (first, last)]
    if times[0] is None or times[1] is None or times[1] <= times[0]:
        return None
    return (times[1] - times[0]) / 1e6
