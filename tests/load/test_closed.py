import asyncio
import contextlib
import ctypes
import itertools
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from readiness.estimate import rate
from readiness.failure import ProbeError
from readiness.load.closed import Closed, Level
from readiness.load.crew import Crew
from readiness.load.engine import DriverName
from readiness.load.recorder import Recorder
from readiness.load.tally import fault_code
from readiness.probes._load import success
from tests import servers
from tests.load.runs import closed
from tests.load.test_known_answers import PLAIN, User

pytestmark = pytest.mark.anyio

OK = servers.response(200, "fine")


def after(seconds: Callable[[int], float]) -> servers.Handler:
    """Answer each request so late, by how many were asked before it and with it."""
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while await servers.read_request(reader):
            asked += 1
            await asyncio.sleep(seconds(asked))
            writer.write(OK)

    return answer


async def test_every_user_keeps_one_connection(driver: DriverName) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        result = await closed(port, Level(users=5, requests=50, seconds=30), driver=driver)
    assert (web.connections, result.connections) == (5, 5)
    assert result.response.n + result.late == 50
    assert dict(result.codes) == {200: len(web.requests)}


async def test_the_number_of_requests_is_never_passed(driver: DriverName) -> None:
    web = servers.Web(lambda _: OK, delay=0.002)
    async with servers.serving(web) as port:
        result = await closed(port, Level(users=3, requests=30, seconds=30), driver=driver)
    assert result.response.n + result.late == 30
    assert len(web.requests) <= 3 + 30 + 30  # as many again to warm up


@pytest.mark.light
async def test_the_time_ends_it_once_there_is_enough(driver: DriverName) -> None:
    many = 10**6
    async with servers.serving(servers.Web(lambda _: OK, delay=0.05)) as port:
        short = await closed(port, Level(1, many, seconds=0.2), driver=driver)
        more = await closed(port, Level(1, many, seconds=0.2, least=9, longest=20), driver=driver)
        cut = await closed(port, Level(1, many, seconds=0.2, least=99, longest=0.3), driver=driver)
    assert 2 <= short.response.n + short.late <= 5
    assert more.response.n + more.late == 9
    assert cut.response.n + cut.late <= 7


@pytest.mark.light
async def test_throughput_and_response_time_obey_littles_law(driver: DriverName) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.02)) as port:
        result = await closed(port, Level(users=10, requests=200, seconds=30), driver=driver)
    assert result.throughput == pytest.approx(10 / (result.response.point(0.5) / 1e3), rel=0.2)
    assert result.service.point(0.01) >= 19
    assert result.settled


@pytest.mark.light
async def test_a_bounded_pool_bears_one_user_and_half_of_fifty(driver: DriverName) -> None:
    async with servers.serving(servers.Pool(size=5, seconds=0.04, patience=0.19)) as port:
        alone = await closed(port, Level(users=1, requests=10, seconds=30), driver=driver)
        crowd = await closed(port, Level(users=50, requests=400, seconds=30), driver=driver)
    assert alone.successes == alone.n
    assert 0.4 < crowd.successes / crowd.n < 0.6
    assert set(crowd.statuses) == {200, 503}
    assert 90 < crowd.throughput < 135  # 5 workers of 40 ms each do 125


async def test_failures_count_even_while_warming_up(driver: DriverName) -> None:
    async with servers.serving(servers.slam) as port:
        result = await closed(port, Level(users=3, requests=9, seconds=30), driver=driver)
    assert dict(result.faults) == {"reset": result.n}
    assert 12 <= result.n <= 3 + 2 * 9
    assert result.throughput == 0


@pytest.mark.light
async def test_users_can_be_held_back(driver: DriverName) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        level = Level(users=4, requests=10**6, seconds=0.5, per_second=200)
        result = await closed(port, level, driver=driver)
    assert result.throughput == pytest.approx(200, rel=0.15)
    assert result.response.point(0.5) < 10  # the pause is not the service's


async def test_users_who_are_refused_do_not_hammer(driver: DriverName) -> None:
    began = time.monotonic()
    async with servers.refusing() as port:
        result = await closed(port, Level(users=2, requests=10**6, seconds=0.3), driver=driver)
    assert result.n <= 2 + 2 * 100 * (time.monotonic() - began)  # each pauses for 10 ms


async def test_silence_costs_one_timeout(driver: DriverName) -> None:
    began = time.monotonic()
    async with servers.serving(servers.silent) as port:
        level = Level(users=20, requests=500, seconds=0.1)
        result = await closed(port, level, timeout=0.4, driver=driver)
    assert dict(result.faults) == {"timeout": 20}
    assert time.monotonic() - began < 3


async def test_users_who_hang_are_not_forgotten(driver: DriverName) -> None:
    busy = asyncio.Semaphore(2)

    async def two_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with busy:
            await servers.Web(lambda _: OK, delay=0.01)(reader, writer)

    async with servers.serving(two_at_once) as port:
        level = Level(users=4, requests=20, seconds=0.1)
        result = await closed(port, level, timeout=0.6, driver=driver)
    assert result.faults["timeout"] == 2
    assert result.statuses[200] >= 20


@pytest.mark.light
async def test_users_who_pause_wait_for_nobody_else(driver: DriverName) -> None:
    one_slow = after(lambda asked: 0.25 if asked % 20 == 0 else 0.0)
    level = Level(users=20, requests=100, seconds=30, per_second=100)  # one in 0.2 s each
    async with servers.serving(one_slow) as port:
        result = await closed(port, level, driver=driver)
    assert result.late <= 2


@pytest.mark.parametrize("trial", [True, False])
async def test_answers_slower_than_the_level_is_long_are_waited_for(
    driver: DriverName, trial: bool
) -> None:
    level = Level(users=2, requests=40, seconds=0.03, least=6, longest=5.0, trial=trial)
    async with servers.serving(servers.Web(lambda _: OK, delay=0.1)) as port:
        result = await closed(port, level, driver=driver)
    assert result.response.n >= 6
    assert result.throughput > 0


async def test_time_outs_of_our_own_making_are_not_the_services(driver: DriverName) -> None:
    async with servers.serving(servers.Web(lambda _: OK)) as port:
        result = await closed(port, Level(users=1, requests=10, seconds=0.1), driver=driver)
    few = replace(result, codes={200: 7, fault_code("timeout"): 3})
    assert success(replace(few, cpu=0.7))["success_rate"] == rate(7, 10)
    doubted = success(replace(few, cpu=0.9))
    assert "success_rate" not in doubted
    assert str(doubted["success_rate_because"]).startswith("local_limit: of 10 requests 3 timed")
    mixed = replace(result, codes={200: 5, 500: 4, fault_code("timeout"): 1}, cpu=0.9)
    assert success(mixed)["success_rate"] == rate(5, 9)  # that it fails is in no doubt


@pytest.mark.light
async def test_slow_answers_in_flight_at_the_end_are_timed(driver: DriverName) -> None:
    slower = after(lambda asked: 0.6 if asked > 60 else 0.005)
    async with servers.serving(slower) as port:
        result = await closed(port, Level(users=2, requests=10**6, seconds=0.5), driver=driver)
    assert result.response.maximum_ms > 550


async def test_the_deadline_ends_it_and_blames_nobody(driver: DriverName) -> None:
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            await closed(port, Level(users=3, requests=9, seconds=30), deadline=0.2, driver=driver)
    assert caught.value.failure.kind == "deadline"


@pytest.mark.light
async def test_what_came_before_the_deadline_is_kept(driver: DriverName) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.05)) as port:
        level = Level(users=2, requests=10**6, seconds=30)
        result = await closed(port, level, deadline=0.5, driver=driver)
    assert dict(result.statuses) == {200: result.n}
    assert 6 <= result.n <= 20
    assert not result.faults


@pytest.mark.light
async def test_a_stall_of_ours_is_not_the_targets_silence(driver: DriverName) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.05)) as port:
        level = Level(users=1, requests=6, seconds=30)
        running = asyncio.create_task(closed(port, level, timeout=0.4, driver=driver))
        await asyncio.sleep(0.1)
        hold_the_interpreter(0.6)
        result = await running
    assert dict(result.statuses) == {200: result.n}
    assert result.stalled >= 1
    assert result.response.maximum_ms < 300


def hold_the_interpreter(seconds: float) -> None:
    """Keep every other thread of this process from running."""
    ctypes.PyDLL(None).usleep(round(seconds * 1e6))  # PyDLL lets go of nothing, unlike CDLL


@contextlib.contextmanager
def few_descriptors(more: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = next(n for n in itertools.count() if sum(map(_is_free, range(n))) == more)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _is_free(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


@pytest.mark.light
async def test_our_lack_of_descriptors_is_not_the_targets_fault(driver: DriverName) -> None:
    async with servers.never_accepting() as port:
        with few_descriptors(14), pytest.raises(ProbeError) as caught:
            await closed(port, Level(users=40, requests=100, seconds=30), driver=driver)
    assert caught.value.failure.kind == "local_limit"
    assert "descriptor" in caught.value.failure.detail


def test_a_wall_clock_set_forward_makes_nobody_wait() -> None:
    level = Level(users=1, requests=100, seconds=60, per_second=100)
    user = User(model=Closed(level))
    user.channel.received(PLAIN, time.monotonic_ns() + 3600 * 10**9)
    assert not user.channel.busy
    user.crew.model.tick(time.monotonic_ns() + 10_000_000)
    assert user.channel.busy


@pytest.mark.alone
async def test_what_we_do_besides_waiting_is_our_use_of_the_processor(driver: DriverName) -> None:
    def toil(_: Crew) -> None:
        end = time.thread_time_ns() + 20_000_000
        while time.thread_time_ns() < end:
            pass

    level = Level(users=2, requests=10**6, seconds=0.4, per_second=50)
    async with servers.serving(servers.always(OK)) as port:
        idle = await closed(port, level, driver=driver)
        busy = await closed(port, level, driver=driver, watch=toil)
    assert idle.cpu < 0.4
    assert busy.cpu > 0.5


@pytest.mark.parametrize("looks", [1, 3])
async def test_users_go_on_until_it_is_enough(looks: int, driver: DriverName) -> None:
    seen: list[int] = []

    def enough(recorder: Recorder) -> bool:
        seen.append(recorder.preview().response.n)
        return len(seen) == looks

    async with servers.serving(servers.Web(lambda _: OK, delay=0.001)) as port:
        level = Level(users=4, requests=40, seconds=30, patience=30)
        result = await closed(port, level, enough=enough, driver=driver)
    wanted = [40, 60, 90][:looks]
    assert [n + result.late for n in seen[-1:]] == wanted[-1:]
    assert result.response.n == seen[-1]  # what was judged is what is reported
    assert result.seconds < 5


async def test_users_are_asked_no_more_than_allowed_though_it_is_not_enough(
    driver: DriverName,
) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        level = Level(users=4, requests=40, seconds=30, patience=30, most=100)
        result = await closed(port, level, enough=lambda _: False, driver=driver)
    assert result.response.n + result.late == 100


async def test_patience_ends(driver: DriverName) -> None:
    began = time.monotonic()
    async with servers.serving(servers.Web(lambda _: OK, delay=0.005)) as port:
        level = Level(users=2, requests=20, seconds=0.1, patience=0.5)
        result = await closed(port, level, enough=lambda _: False, driver=driver)
    assert result.response.n > 20
    assert result.seconds < 0.7
    assert time.monotonic() - began < 5


async def test_without_patience_nobody_is_asked_whether_it_is_enough(driver: DriverName) -> None:
    async with servers.serving(servers.always(OK)) as port:
        level = Level(users=2, requests=20, seconds=30)
        result = await closed(port, level, enough=lambda _: False, driver=driver)
    assert result.response.n + result.late == 20
