"""The most that any run may ask for, whoever asks."""

import importlib

from readiness.failure import ProbeError
from readiness.load.closed import Level
from readiness.load.open import Schedule

USERS = 10_000
"""Users, or connections."""
SLOTS = 2048
"""Connections of a schedule that nobody gave a number for."""
RATE = 200_000.0
"""Requests per second."""
REQUESTS = 100_000_000
"""Requests of one run."""
SECONDS = 3600.0
SPARE_FILES = 64
"""Open files left to everything that is no connection."""
PER_HOST = 1_000_000
"""Requests to one host by all probes of an assessment together."""


def check(load: Level | Schedule) -> None:
    """Raise ProbeError `not_allowed` for a load beyond the caps."""
    if isinstance(load, Level):
        users, rate, seconds = load.users, 0.0, max(load.seconds, load.longest)
        seconds += load.ramp + load.patience
        requests = load.requests
    else:
        users, seconds = load.in_flight, load.seconds + load.patience
        rate = max(max(stage.rate, stage.to or 0.0) for stage in load.stages)
        requests = load.samples or round(sum(stage.arrivals for stage in load.stages))
    for what, asked, most in (
        ("connections", users, USERS),
        ("requests/s", rate, RATE),
        ("requests", requests, REQUESTS),
        ("seconds", seconds, SECONDS),
    ):
        if asked > most:
            raise ProbeError("not_allowed", f"{asked:,.0f} {what}: the most is {most:,.0f}")


def most_slots() -> int:
    """Return how many connections may be at hand to find out what a service bears."""
    return min(SLOTS, most_connections())


def most_connections() -> int:
    """Return how many connections this process may have at once."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:  # not a Unix
        return USERS
    files: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return USERS if files == resource.RLIM_INFINITY else max(1, min(USERS, files - SPARE_FILES))


class Budget:
    """What may still be asked of each host."""

    def __init__(self, per_host: int = PER_HOST) -> None:
        self._per_host = per_host
        self._spent: dict[str, int] = {}

    def left(self, host: str, least: int = 1) -> int:
        """Return how many more requests `host` may get; ProbeError if fewer than `least`."""
        left = max(0, self._per_host - self._spent.get(host, 0))
        if left < least:
            most = f"of the {self._per_host:,} requests that one run may send {host}"
            raise ProbeError("not_allowed", f"{most}, {left:,} are left")
        return left

    def spend(self, host: str, requests: int) -> None:
        """Take down that `host` got so many requests."""
        self._spent[host] = self._spent.get(host, 0) + requests
