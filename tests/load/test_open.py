import asyncio
import random
import sys
import time
from dataclasses import replace

import pytest

from readiness.failure import ProbeError
from readiness.load.arrivals import Stage
from readiness.load.crew import Crew
from readiness.load.engine import DriverName
from readiness.load.open import Open, Schedule
from readiness.load.recorder import Recorder
from readiness.load.tally import Row
from tests import servers
from tests.load.runs import opened
from tests.load.test_known_answers import PLAIN, User

pytestmark = pytest.mark.anyio

OK = servers.response(200, "fine")


def at_rate(rate: float, seconds: float, in_flight: int, samples: int | None = None) -> Schedule:
    return Schedule((Stage(rate, seconds),), in_flight, samples, seed="a")


async def test_every_arrival_is_answered_on_a_warm_connection(driver: DriverName) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        result = await opened(port, at_rate(300, 30, 4, samples=60), driver=driver)
    assert result.response.n + result.late == result.offered == 60
    assert dict(result.codes) == {200: len(web.requests)}
    assert web.connections == 4


@pytest.mark.light
async def test_the_stages_end_it(driver: DriverName) -> None:
    async with servers.serving(servers.always(OK)) as port:
        result = await opened(port, at_rate(200, 0.8, 4), driver=driver)
    assert 0.4 < result.seconds < 0.9
    assert result.offered / result.seconds == pytest.approx(200, rel=0.3)
    assert result.throughput == pytest.approx(200, rel=0.3)


@pytest.mark.alone
async def test_requests_leave_when_they_should(driver: DriverName) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.02)) as port:
        result = await opened(port, at_rate(100, 0.8, 16), driver=driver)
    assert result.lag.point(0.5) < 1
    assert 0 <= result.response.point(0.5) - result.service.point(0.5) < 1
    assert result.queued == 0


@pytest.mark.light
async def test_waiting_for_a_connection_counts_as_latency(driver: DriverName) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.05)) as port:
        result = await opened(port, at_rate(100, 0.6, 1), driver=driver)
    assert result.response.maximum_ms > 300
    assert result.service.maximum_ms < 150
    assert result.queued > 0
    assert result.lag.point(0.99) < 20  # the waiting is the service's, not ours


@pytest.mark.light
async def test_a_stall_of_the_service_is_seen_by_all_who_came_meanwhile(
    driver: DriverName,
) -> None:
    answered = 0

    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while await servers.read_request(reader):
            answered += 1
            if answered > 60:
                await stalled.wait()
            writer.write(OK)

    stalled = asyncio.Event()
    async with servers.serving(stalling) as port:
        running = asyncio.create_task(opened(port, at_rate(100, 1.2, 4), driver=driver))
        await asyncio.sleep(1.0)
        stalled.set()
        result = await running
    assert result.response.over(50).n >= 60
    slow = (result.response.over(50).value or 0) * result.response.n
    assert slow > 15  # a closed loop would have seen four


async def test_nobody_who_came_is_left_out_when_the_service_hangs(driver: DriverName) -> None:
    async with servers.serving(servers.silent) as port:
        result = await opened(port, at_rate(100, 0.3, 2), timeout=0.3, driver=driver)
    assert dict(result.faults) == {"timeout": result.n}
    assert result.n >= 2 + 15
    assert result.n - 2 >= result.offered


async def test_more_is_asked_for_until_it_is_enough(driver: DriverName) -> None:
    seen: list[int] = []

    def enough(recorder: Recorder) -> bool:
        seen.append(recorder.preview().response.n)
        return len(seen) == 3

    async with servers.serving(servers.always(OK)) as port:
        schedule = at_rate(300, 30, 4, samples=50)
        result = await opened(port, schedule, enough=enough, driver=driver)
    assert seen == sorted(seen)
    assert result.offered == 112  # 50, half as many more, and half as many more again


@pytest.mark.alone
async def test_thinking_makes_no_request_late(driver: DriverName) -> None:
    thought: list[int] = []

    def enough(recorder: Recorder) -> bool:
        thought.append(recorder.preview().response.n)
        time.sleep(0.05)
        return len(thought) == 3

    async with servers.serving(servers.Web(lambda _: OK, delay=0.01)) as port:
        schedule = at_rate(200, 30, 16, samples=60)
        result = await opened(port, schedule, enough=enough, driver=driver)
    asked = [60, 90, 135]  # all of it is answered by then; what was sent late is not timed
    assert thought == pytest.approx(asked, abs=2)
    assert result.lag.point(0.99) < 10
    assert result.late == 0
    assert result.offered / result.seconds == pytest.approx(200, rel=0.35)  # pauses left out


async def test_the_deadline_holds(driver: DriverName) -> None:
    began = time.monotonic()
    async with servers.serving(servers.Web(lambda _: OK, delay=0.02)) as port:
        result = await opened(port, at_rate(20, 60, 4), deadline=1.0, driver=driver)
    assert time.monotonic() - began < 3
    assert dict(result.codes) == {200: result.n}


async def test_the_deadline_blames_nobody(driver: DriverName) -> None:
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            await opened(port, at_rate(5, 1, 2), deadline=0.2, driver=driver)
    assert caught.value.failure.kind == "deadline"


async def test_a_cancelled_run_sends_nothing_more(driver: DriverName) -> None:
    begun = asyncio.Event()

    def answer(_: servers.Request) -> bytes:
        if len(web.requests) == 20:
            begun.set()
        return OK

    web = servers.Web(answer)
    async with servers.serving(web) as port:
        running = asyncio.create_task(opened(port, at_rate(500, 60, 4), driver=driver))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.sleep(0.1)
        sent = len(web.requests)
        await asyncio.sleep(0.2)
    assert len(web.requests) == sent


async def test_runs_that_overlap_leave_the_interpreter_as_it_was(driver: DriverName) -> None:
    begun, before = asyncio.Event(), sys.getswitchinterval()

    def answer(_: servers.Request) -> bytes:
        begun.set()
        return OK

    async with servers.serving(servers.Web(answer)) as port:
        running = asyncio.create_task(opened(port, at_rate(500, 60, 4), driver=driver))
        await begun.wait()
        running.cancel()
        await opened(port, at_rate(500, 0.2, 4), driver=driver)
    assert sys.getswitchinterval() == before


async def test_what_failed_has_failed_whoever_stalled(driver: DriverName) -> None:
    asked = 0

    def every_fifth_fails(_: servers.Request) -> bytes:
        nonlocal asked
        asked += 1
        end = time.monotonic() + (0.03 if asked % 5 == 0 else 0)
        while time.monotonic() < end:
            pass
        return servers.response(500) if asked % 5 == 0 else OK

    async with servers.serving(servers.Web(every_fifth_fails)) as port:
        result = await opened(port, at_rate(50, 10, 2, samples=40), driver=driver)
    assert result.codes[500] == asked // 5
    assert result.n == asked


async def test_a_surge_of_errors_ends_it(driver: DriverName) -> None:
    web = servers.always(servers.response(503))
    async with servers.serving(web) as port:
        result = await opened(port, at_rate(1000, 30, 4), driver=driver)
    assert "of the last" in result.aborted
    assert len(web.requests) < 1000


async def test_who_asks_for_a_pause_gets_it(driver: DriverName) -> None:
    slow_down = servers.response(429, headers={"Retry-After": "5"})
    web = servers.Web(lambda _: slow_down if len(web.requests) % 2 else OK)
    async with servers.serving(web) as port:
        result = await opened(port, at_rate(500, 30, 4), driver=driver)
    assert "Retry-After" in result.aborted
    assert result.limited == result.codes[429] >= 20
    assert len(web.requests) < 200


@pytest.mark.light
async def test_what_had_to_wait_for_us_alone_is_not_timed(driver: DriverName) -> None:
    stalls = [0.4]

    def stall(crew: Crew) -> None:
        if crew.recorder.n > 300 and stalls:
            time.sleep(stalls.pop())

    async with servers.serving(servers.always(servers.response(200, "fine"))) as port:
        result = await opened(port, Schedule((Stage(200, 3),), 2), watch=stall, driver=driver)
    assert not stalls
    assert result.response.maximum_ms < 100 or result.local_limit


async def test_a_server_that_hangs_is_left_alone_soon(driver: DriverName) -> None:
    async with servers.serving(servers.silent) as port:
        result = await opened(port, Schedule((Stage(1000, 3),), 2), timeout=0.1, driver=driver)
    assert result.aborted
    assert result.n < 600


async def test_every_arrival_is_accounted_for(driver: DriverName) -> None:
    async with servers.serving(servers.Pool(size=1, seconds=0.05, patience=30)) as port:
        result = await opened(port, at_rate(200, 30, 5), deadline=1.5, timeout=20, driver=driver)
    assert result.cut_off > 50
    assert result.n + result.cut_off >= result.offered


async def test_more_connections_than_needed_are_not_opened(driver: DriverName) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        result = await opened(port, at_rate(20, 1, 500), driver=driver)
    assert web.connections <= 40
    assert result.successes == result.n


async def test_no_more_than_the_most_arrive(driver: DriverName) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        schedule = replace(at_rate(500, 30, 4, samples=1000), most=60)
        result = await opened(port, schedule, driver=driver)
    assert len(web.requests) == result.n == 4 + 60
    assert result.seconds < 2


async def test_who_watches_sees_every_outcome(driver: DriverName) -> None:
    seen: list[Row] = []
    web = servers.Web(lambda _: OK, delay=0.03)
    async with servers.serving(web) as port:
        result = await opened(
            port,
            at_rate(200, 0.5, 16),
            watch=lambda crew: seen.extend(crew.recorder.newest_rows()),
            driver=driver,
        )
    assert len(seen) == result.n == len(web.requests)


async def test_connections_are_opened_no_quicker_than_asked(driver: DriverName) -> None:
    came: list[float] = []

    def answer(_: servers.Request) -> bytes:
        came.append(time.monotonic())
        return OK

    schedule = replace(at_rate(20, 0.1, 8), opening=1.0)
    async with servers.serving(servers.Web(answer)) as port:
        await opened(port, schedule, driver=driver)
    assert came[7] - came[0] > 0.8 * 7 / 20


async def test_times_that_never_settle_are_not_waited_for_long(driver: DriverName) -> None:
    chance = random.Random(1)

    async def erratic(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await servers.read_request(reader):
            await asyncio.sleep(chance.uniform(0, 0.03))
            writer.write(OK)

    async with servers.serving(erratic) as port:
        result = await opened(port, at_rate(200, 60, 4, samples=20), driver=driver)
    assert result.offered == 20
    assert result.n < 4 + 20 + 60


def test_a_wall_clock_set_forward_hurries_nobody() -> None:
    user = User(model=Open(at_rate(100, 60, 1)))
    now = time.monotonic_ns()
    user.channel.received(PLAIN, now)  # answers what opened the connection; arrivals begin
    user.crew.model.tick(now + 60_000_000)
    assert user.channel.busy
    user.channel.received(PLAIN, time.monotonic_ns() + 3600 * 10**9)
    assert {row[4] for row in user.crew.recorder.newest_rows()} == {200}  # nobody timed out


async def test_a_schedule_goes_on_past_its_stages_only_as_long_as_it_has_patience(
    driver: DriverName,
) -> None:
    async with servers.serving(servers.always(OK)) as port:
        schedule = replace(at_rate(200, 0.3, 4, samples=30), patience=0.5)
        more = await opened(port, schedule, enough=lambda _: False, driver=driver)
        plain = await opened(port, replace(schedule, patience=0.0), driver=driver)
    assert more.offered > 1.3 * plain.offered
    assert more.seconds < 1.0
