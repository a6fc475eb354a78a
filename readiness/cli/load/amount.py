"""How many at a time, how often, how long -> the load to put on."""

import re
import secrets

from readiness.cli.load import CONNECTIONS, DURATION
from readiness.document import ConfigurationError
from readiness.failure import ProbeError
from readiness.inventory.duration import seconds
from readiness.load import caps
from readiness.load.arrivals import Spacing, Stage
from readiness.load.closed import Level
from readiness.load.knee import Objective
from readiness.load.open import Schedule

Load = Level | Schedule

_SPARE = 2.0
"""A schedule that ends by its number of requests has room to warm up and for slow moments."""
_OPENING_SECONDS = 1.0
"""For opening as many connections as there are arrivals in it, at the rate asked for."""
SEARCH_SECONDS = 45.0
"""What a search for the knee takes if no duration is given."""
_LEAST_SEARCH_SECONDS = 20.0
_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"


def amount(
    *,
    connections: int | None,
    rate: str | None,
    ramp_to: float | None,
    constant: bool,
    duration: str | None,
    requests: int | None,
) -> Load:
    """Return a closed model, or with a rate an open one; ConfigurationError names what is wrong.

    If no number of connections is given, there are no more than requests.
    """
    if connections is not None:
        _bounded(connections, "--connections", caps.USERS)
    if requests is not None:
        _bounded(requests, "--requests", caps.REQUESTS)
    most = connections or min(CONNECTIONS, requests or CONNECTIONS)
    length = bounded_seconds(duration, "--duration", caps.SECONDS) if duration else None
    load: Load
    if rate is None:
        if constant or ramp_to is not None:
            raise ConfigurationError("--constant and --ramp-to need a --rate.")
        load = _level(most, length, requests)
    else:
        spacing: Spacing = "constant" if constant else "poisson"
        stage = _stage(rate, ramp_to, length, requests)
        seed = secrets.token_hex(8)
        load = Schedule((stage,), most, requests, spacing, seed, opening=_OPENING_SECONDS)
    try:
        caps.check(load)
    except ProbeError as error:
        raise ConfigurationError(f"too much: {error.failure.detail}.") from None
    return load


def objective(written: str) -> Objective:
    """Return what `p99<200ms` asks for; ConfigurationError if it is not of that form."""
    found = re.fullmatch(r"p(50|9[0-9]) ?<=? ?(\S+)", written, re.ASCII)
    try:
        limit = seconds(found[2]) if found else 0.0
    except ValueError:
        limit = 0.0
    if not found or not 0 < limit <= SEARCH_SECONDS:
        raise ConfigurationError(
            "--knee is a percentile and its limit.", fix="Write --knee 'p99<200ms'."
        )
    return Objective(int(found[1]) / 100, limit * 1000)


def search(duration: str | None) -> Load:
    """Return the frame of a search for the knee, which finds its rates by itself."""
    length = SEARCH_SECONDS
    if duration is not None:
        length = bounded_seconds(duration, "--duration", caps.SECONDS)
    if length < _LEAST_SEARCH_SECONDS:
        raise ConfigurationError(
            f"a search for the knee takes {_LEAST_SEARCH_SECONDS:g} s or more.",
            fix="Leave --duration out.",
        )
    return Level(users=1, requests=1, seconds=length)


def _bounded(number: int, option: str, most: int) -> None:
    if not 1 <= number <= most:
        raise ConfigurationError(f"{option} must be 1 to {most:,}.")


def _level(users: int, length: float | None, requests: int | None) -> Level:
    if requests is None:
        return Level(users, caps.REQUESTS, _default(length))
    if requests < users:
        raise ConfigurationError(
            f"--requests {requests} is less than one for each of {users} users.",
            fix="Lower --connections, or ask for more.",
        )
    return Level(users, requests, caps.SECONDS if length is None else length)


def _stage(rate: str, ramp_to: float | None, length: float | None, requests: int | None) -> Stage:
    """Return the rates and how long; a ramp needs a length, a number of requests gives one."""
    found = re.fullmatch(rf"{_NUMBER}(?:\.\.{_NUMBER})?", rate, re.ASCII)
    low, high = (found[1], found[2]) if found else ("0", None)
    if ramp_to is not None and high is not None:
        raise ConfigurationError("--rate names a ramp already.", fix="Leave --ramp-to out.")
    begin = float(low)
    end = float(high) if high is not None else ramp_to
    if not begin > 0 or (end is not None and not 0 < end < float("inf")):
        raise ConfigurationError(
            "--rate is a number of requests a second above 0, or two.",
            fix="Write 1000 or 100..1000.",
        )
    if requests is not None and end is None and length is None:
        whole = requests / begin * _SPARE + 1
        if whole > caps.SECONDS:
            raise ConfigurationError(
                f"{requests:,} requests at {begin:g}/s take too long: the most is "
                f"{caps.SECONDS:g} seconds, warming up included."
            )
        return Stage(begin, whole)
    return Stage(begin, _default(length), end)


def _default(length: float | None) -> float:
    return seconds(DURATION) if length is None else length


def bounded_seconds(written: str, option: str, most: float) -> float:
    """Return the seconds that `option` names, above 0 and at most `most`."""
    try:
        value = seconds(written)
    except ValueError:
        value = 0.0
    if not 0 < value <= most:
        raise ConfigurationError(
            f"{option} must be a time above 0 and at most {most:g} s.", fix="Write 10s or 2m."
        )
    return value
