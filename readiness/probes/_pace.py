"""One user, then crowds of them -> how many requests a service bears at once without waiting."""

import math

from readiness.binomial import surplus
from readiness.load.closed import Level
from readiness.load.result import Result
from readiness.probes._aimed import Aimed

PACING = Level(users=1, requests=76, seconds=0.045, least=4, longest=0.3, trial=True)
GENTLE_PACING = Level(users=1, requests=4, seconds=0.3, trial=True)
"""One user, with the load tier and without: not one request more than it takes."""
CROWDS = (48, 16, 4)
"""Users who ask all at once: if that makes none of them wait, half as many requests are in flight
on average, so that a pool that is just as large as the crowd is half busy."""
ALONE = 0.5
"""Requests in flight on average where every crowd was one too many: half of a single worker."""

_CROWD_COSTS = 1.25
_CROWD_COSTS_MS = 0.5
"""A crowd may be answered so much later than one, on average, before the service counts as crowded:
of N users on a pool of P, each takes N/P times as long on average, whoever of them it is."""
_BY_CHANCE = 0.2
"""A crowd may be seen to fail more than one user by chance, down to this probability."""
_TURNED_AWAY = 3
"""Where some of a crowd failed, so much smaller a one may do: how many is not to be seen."""
_WARY = 8
"""Of such a crowd so much less than half is in flight on average: that it does no harm is likely,
not shown."""


async def bearable(aimed: Aimed, one: Result, timeout: float) -> float:
    """Return how many requests may be in flight on average without waiting for each other.

    The largest crowd is tried first, but where a single worker would not get through it within
    `timeout` seconds: that would be at work for users long gone.
    """
    alone = one.service.point(0.5) / 1000
    if CROWDS[0] * alone > timeout:
        return await _climbed(aimed, one, timeout / alone)
    most = math.inf
    for users in CROWDS:
        if users <= most:
            crowd = await aimed.closed(_crowd(users))
            if eases(one, crowd):
                return users / 2
            lightly = users / _WARY
            if (
                lightly > ALONE
                and quick(one, crowd)
                and no_worse(await aimed.closed(_alone(crowd.n)), crowd)
            ):
                return lightly
            most = room(one, crowd, users)
    return ALONE


async def _climbed(aimed: Aimed, one: Result, turns: float) -> float:
    """Try the smallest crowd first, none that takes more than so many turns of those before it."""
    served, mean = 1, ALONE
    for users in reversed(CROWDS):
        if users > served * turns or not eases(one, await aimed.closed(_crowd(users))):
            break
        served, mean = users, users / 2
    return mean


def _crowd(users: int) -> Level:
    return Level(users=users, requests=users, seconds=0.2, trial=True)


def _alone(requests: int) -> Level:
    return Level(users=1, requests=requests, seconds=1.0, trial=True)


def room(one: Result, crowd: Result, users: int) -> float:
    """Return how many at once may be served with ease, where a crowd of `users` was not."""
    if crowd.successes < crowd.n or not crowd.service.n:
        return users / _TURNED_AWAY
    return users * _CROWD_COSTS * one.service.point(0.5) / crowd.service.mean_ms


def eases(one: Result, crowd: Result) -> bool:
    """Whether the crowd was served as well and as quickly as one."""
    return quick(one, crowd) and crowd.successes == crowd.n


def quick(one: Result, crowd: Result) -> bool:
    """Whether those of the crowd who were served did not wait for each other."""
    alone, together = one.service.point(0.5), crowd.service.mean_ms
    return crowd.service.n > 0 and together <= alone * _CROWD_COSTS + _CROWD_COSTS_MS


def no_worse(alone: Result, crowd: Result) -> bool:
    """Whether the crowd failed no more often than one user, whom the service fails too.

    A service that fails one request in sixteen, whoever asks, needs many samples for that to be
    told from its limit: it is the last to be asked slowly. A refusal with 429 is the crowd's doing.
    """
    failed, ours = crowd.n - crowd.successes, alone.n - alone.successes
    if crowd.limited or alone.limited or not ours:
        return False
    return surplus(failed, crowd.n, ours, alone.n) > _BY_CHANCE
