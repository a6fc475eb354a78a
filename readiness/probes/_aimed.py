"""A service and its load settings -> an engine aimed at it, within the run's bounds."""

import json
from dataclasses import replace
from typing import Self

from readiness import __version__
from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.load.capacity import Capacity, Search
from readiness.load.closed import Level
from readiness.load.engine import Watch, run
from readiness.load.knee import Bounds, Objective
from readiness.load.open import Schedule
from readiness.load.recorder import Enough
from readiness.load.request import Endpoint, Request, preformat
from readiness.load.result import Result
from readiness.load.twins import Duel, Target, duel
from readiness.probes import Context
from readiness.probes._connection import dial, within
from readiness.probes._http import target
from readiness.probes._load import READING, LoadSettings

_TRIAL_TIMES = 2
"""So much longer than a trial another may be that it stands for."""


class Aimed:
    """The engine, bound to one request, one address and what this measurement may ask."""

    @classmethod
    async def at(cls, service: Service, settings: LoadSettings, context: Context) -> Self:
        """Find an address of the service that accepts connections, and format the request once.

        Raises what names the target's fault if there is none, so that none is put under load; and
        ProbeError for a request that changes something where this is not allowed.
        """
        return cls(*await aim(service, settings, context), settings, context)

    def __init__(
        self, endpoint: Endpoint, request: Request, settings: LoadSettings, context: Context
    ) -> None:
        self._endpoint, self._request, self._check = endpoint, request, settings.check
        self._context = context

    async def closed(self, level: Level, enough: Enough = lambda _: True) -> Result:
        """Put `level` on the service; ProbeError if no connection got as far as a request.

        A trial that this run has made already is not made again, unless more is asked of it.
        """
        trial = (self._endpoint, self._request.raw, self._check, level.users)
        known = self._context.trials.get(trial) if level.trial else None
        if known and _is_as_good(*known, level):
            return known[1]
        # each user asks once before the level, which then asks as often again to warm up
        left = self._context.budget.left(self._endpoint.host, 3 * level.users) - level.users
        result = self._reached(
            await run(
                self._endpoint,
                self._request,
                replace(level, requests=min(level.requests, left // 2), most=left // 2),
                check=self._check,
                enough=enough,
                timeout=self._context.timeout,
                deadline=self._context.deadline,
            )
        )
        if level.trial:
            self._context.trials[trial] = level, result
        return result

    async def open(
        self, schedule: Schedule, enough: Enough = lambda _: True, watch: Watch | None = None
    ) -> Result:
        """Play `schedule` on the service; raises as `closed` does."""
        opening = schedule.in_flight  # each connection asks once before
        most = self._context.budget.left(self._endpoint.host, 1 + opening) - opening
        if schedule.arrivals > most:
            schedule = replace(schedule, most=most)
        return self._reached(
            await run(
                self._endpoint,
                self._request,
                schedule,
                check=self._check,
                enough=enough,
                watch=watch,
                timeout=self._context.timeout,
                deadline=self._context.deadline,
            )
        )

    async def beside(self, other: "Aimed", schedule: Schedule, watch: Watch | None = None) -> Duel:
        """Play `schedule` on this and on `other` in step; both may be on one host."""
        budget, both = self._context.budget, (self, other)
        opening = schedule.in_flight
        least = min(budget.left(aimed._endpoint.host, 2 + 2 * opening) for aimed in both)
        most = least // 2 - opening
        if sum(stage.arrivals for stage in schedule.stages) > most:
            schedule = replace(schedule, most=most)
        first, second = (Target(one._endpoint, one._request, one._check) for one in both)
        found = await duel(
            first,
            second,
            schedule,
            timeout=self._context.timeout,
            deadline=self._context.deadline,
            watch=watch,
        )
        budget.spend(self._endpoint.host, found.first.n)
        budget.spend(other._endpoint.host, found.second.n)
        return found

    def shares_a_door_with(self, other: "Aimed") -> bool:
        """Whether both go to one address and port, behind which one worker may serve them."""
        ours, theirs = self._endpoint, other._endpoint
        return (ours.host, ours.port) == (theirs.host, theirs.port)

    async def knee(self, objective: Objective, seconds: float, seed: str) -> Capacity:
        """Search the greatest rate that holds `objective`, within `seconds`."""
        left = self._context.budget.left(self._endpoint.host)
        search = Search(
            self._endpoint,
            self._request,
            objective,
            Bounds(seconds=seconds, rate=min(Bounds().rate, left / seconds)),
            timeout=self._context.timeout,
            deadline=self._context.deadline,
            check=self._check,
            seed=seed,
        )
        try:
            return await search.run()
        finally:
            self._context.budget.spend(self._endpoint.host, search.sent)

    def _reached(self, result: Result) -> Result:
        self._context.budget.spend(self._endpoint.host, result.n)
        return reached(result)


def _is_as_good(made: Level, result: Result, level: Level) -> bool:
    """Whether a trial tells what another would: as many requests, in half of its time at least."""
    longest = _TRIAL_TIMES * made.seconds
    enough = result.response.n >= level.least
    return enough and level.requests <= made.requests and level.seconds <= longest


def reached(result: Result) -> Result:
    """Return `result`, unless no connection got as far as a request: then raise why."""
    fault = result.first_fault
    if fault and not result.statuses and set(result.faults) <= {"refused", "tls"}:
        raise ProbeError(fault.kind, fault.detail)
    return result


async def aim(
    service: Service, settings: LoadSettings, context: Context, body: bytes | None = None
) -> tuple[Endpoint, Request]:
    """Find an address of the service that accepts connections, and format the request once.

    `body` is sent as it is, unless the settings have one to be sent as JSON. Raises what names the
    target's fault if there is none, so that none is put under load; and ProbeError for a request
    that changes something where this is not allowed.
    """
    method, path = settings.asked(service)
    if method not in READING and "write" not in context.allowed:
        raise ProbeError("not_allowed", f"{method} needs the write tier")
    to = target(service, path)
    with within(context) as watch:
        watch.begin("resolve")
        addresses = await context.resolve(to.host, to.port)
        watch.begin("connect")
        with await dial(addresses) as connection:
            family, (host, port) = connection.family, connection.getpeername()[:2]
    headers = {
        "host": to.authority,
        "user-agent": f"readiness/{__version__}",
        "readiness-run": context.run_id,
        "accept": "*/*",
        "accept-encoding": "identity",
    }
    if to.authorization:
        headers["authorization"] = to.authorization
    if settings.payload is not None:
        headers["content-type"] = "application/json"
        body = json.dumps(settings.payload.get_secret_value()).encode()
    own = {name.lower(): value.get_secret_value() for name, value in settings.headers.items()}
    tls = context.tls() if to.tls else None
    endpoint = Endpoint(family, host, port, tls, to.host if tls else None)
    return endpoint, preformat(method, to.path, headers | own, body)
