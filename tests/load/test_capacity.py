"""The search for the knee on a real service; what it finds is asked of the benchmarks."""

import time
from collections import deque

import pytest

from readiness.load.capacity import Search
from readiness.load.knee import Bounds, Objective
from tests import servers
from tests.load.runs import GET, at, soon

pytestmark = pytest.mark.anyio

OK = servers.response(200, "fine")


class Rush:
    """Told of each request, it says whether they come faster than `rate` a second."""

    def __init__(self, rate: float, seconds: float = 0.25) -> None:
        self.most, self.seconds, self.came = rate * seconds, seconds, deque[float]()

    def __call__(self, now: float) -> bool:
        self.came.append(now)
        while self.came[0] < now - self.seconds:
            self.came.popleft()
        return len(self.came) > self.most


async def test_what_a_search_has_sent_is_counted_whole() -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        bounds = Bounds(start=100, rate=200, seconds=20)
        search = Search(at(port), GET, Objective(0.95, 500), bounds, timeout=5, deadline=soon(30))
        began = time.monotonic()
        found = await search.run()
    assert found.knee.reason == "cap"
    assert found.knee.rate == 200
    assert search.sent == len(web.requests)
    assert time.monotonic() - began < bounds.seconds


async def test_a_search_cut_short_keeps_what_it_found() -> None:
    async with servers.serving(servers.always(OK)) as port:
        bounds = Bounds(start=50, rate=10_000, seconds=60)
        search = Search(at(port), GET, Objective(0.95, 500), bounds, timeout=5, deadline=soon(3))
        found = await search.run()
    assert found.knee.rate is not None
    assert (found.knee.reason, found.knee.at_least) == ("time", True)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_limiter_is_no_knee_and_gets_the_pause_it_asks_for(status: int) -> None:
    refused = servers.response(status, headers={"Retry-After": "1"})
    rush = Rush(300, 0.2)

    def limited(_: servers.Request) -> bytes:
        return refused if rush(time.monotonic()) else OK

    web = servers.Web(limited)
    async with servers.serving(web) as port:
        bounds = Bounds(start=100, rate=2000, seconds=25)
        search = Search(at(port), GET, Objective(0.95, 500), bounds, timeout=5, deadline=soon(30))
        found = await search.run()
    assert found.knee.rate is not None
    assert (found.knee.reason, found.knee.at_least) == ("limited", True)
    assert not found.overrun
    assert [step.pleaded for step in found.knee.steps].index(True) == len(found.knee.steps) - 1


@pytest.mark.light
@pytest.mark.thorough
async def test_a_service_that_fails_for_a_while_once_overrun_has_a_knee() -> None:
    rush, failing = Rush(500), 0.0

    def overwhelmed(_: servers.Request) -> bytes:
        nonlocal failing
        now = time.monotonic()
        if rush(now) and now > failing:
            failing = now + 1.2
        return servers.response(503) if now < failing else OK

    async with servers.serving(servers.Web(overwhelmed)) as port:
        bounds = Bounds(start=200, rate=1600, seconds=12)
        search = Search(at(port), GET, Objective(0.95, 500), bounds, timeout=5, deadline=soon(30))
        found = await search.run()
    overran = [step for step in found.knee.steps if step.stopped]
    assert len(overran) > 1
    assert all(step.rested > 0.5 for step in overran)
    assert found.knee.rate is not None
    assert 200 <= found.knee.rate < 500
    assert found.overrun
    assert found.recovered_seconds is not None
    assert 0.9 < found.recovered_seconds < 4


@pytest.mark.thorough
async def test_a_service_that_stays_down_once_overrun_has_collapsed() -> None:
    rush, down = Rush(500), False

    def broken(_: servers.Request) -> bytes:
        nonlocal down
        down = rush(time.monotonic()) or down
        return servers.response(503) if down else OK

    async with servers.serving(servers.Web(broken)) as port:
        bounds = Bounds(start=200, rate=1600, seconds=12)
        search = Search(at(port), GET, Objective(0.95, 500), bounds, timeout=5, deadline=soon(30))
        found = await search.run()
    assert (found.overrun, found.recovered_seconds, found.knee.rate) == (True, None, None)
    assert [step.stopped for step in found.knee.steps].index(True) == len(found.knee.steps) - 1


async def test_a_service_that_was_cold_is_asked_again() -> None:
    begun: list[float] = []

    def cold(_: servers.Request) -> bytes:
        begun.append(time.monotonic())
        return servers.response(503) if begun[-1] < begun[0] + 0.4 else OK

    async with servers.serving(servers.Web(cold)) as port:
        bounds = Bounds(start=100, rate=200, seconds=20)
        search = Search(at(port), GET, Objective(0.95, 500), bounds, timeout=5, deadline=soon(30))
        found = await search.run()
    assert (found.knee.rate, found.knee.reason) == (200, "cap")
    assert (found.overrun, found.recovered_seconds) == (False, None)
    first = found.knee.steps[0]
    assert first.stopped
    assert first.seconds < first.asked


@pytest.mark.thorough
async def test_a_service_that_refuses_while_it_should_recover_is_asked_no_more() -> None:
    rush, banned = Rush(500), 0.0

    def banning(_: servers.Request) -> bytes:
        nonlocal banned
        now = time.monotonic()
        banned = banned or (now if rush(now) else 0.0)
        if banned and now > banned + 0.7:
            return servers.response(429)
        return servers.response(503) if banned else OK

    async with servers.serving(servers.Web(banning)) as port:
        bounds = Bounds(start=200, rate=1600, seconds=12)
        search = Search(at(port), GET, Objective(0.95, 500), bounds, timeout=5, deadline=soon(30))
        found = await search.run()
    assert found.knee.rate is not None
    assert (found.knee.reason, found.knee.at_least) == ("limited", True)
