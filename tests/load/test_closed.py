import asyncio
import contextlib
import os
import resource
from collections.abc import Iterator

import pytest

from readiness.failure import ProbeError
from readiness.load.closed import Level, run
from readiness.load.result import Result
from tests import servers
from tests.load.runs import GET, at, soon

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

OK = servers.response(200, "fine")


def ok(status: int) -> bool:
    return status == 200


async def put(port: int, level: Level, *, timeout: float = 5.0, deadline: float = 30.0) -> Result:
    return await run(at(port), GET, level, timeout=timeout, deadline=soon(deadline))


async def test_every_user_keeps_one_connection() -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        result = await put(port, Level(users=5, requests=50, seconds=30))
    assert web.connections == 5
    assert sum(result.timed) + result.voided >= 50
    assert dict(result.statuses) == {200: result.n}
    assert result.n + result.voided == len(web.requests)


async def test_the_number_of_requests_ends_it() -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.01)) as port:
        result = await put(port, Level(users=1, requests=7, seconds=30))
    assert sum(result.timed) + result.voided == 7
    assert result.n + result.voided == 8  # the first answer warms up


async def test_the_time_ends_it_once_there_is_enough() -> None:
    began = asyncio.get_running_loop().time()
    async with servers.serving(servers.Web(lambda _: OK, delay=0.05)) as port:
        short = await put(port, Level(users=1, requests=10**6, seconds=0.1))
        lacking = Level(users=1, requests=10**6, seconds=0.1, least=8, longest=20)
        extended = await put(port, lacking)
        cut = await put(port, Level(users=1, requests=10**6, seconds=0.1, least=99, longest=0.2))
    assert 1 <= sum(short.timed) + short.voided <= 3
    assert sum(extended.timed) + extended.voided == 8
    assert sum(cut.timed) + cut.voided <= 5
    assert asyncio.get_running_loop().time() - began < 20


async def test_throughput_and_response_time_obey_littles_law() -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.02)) as port:
        result = await put(port, Level(users=10, requests=200, seconds=30))
    mean = sum(result.response_ms(ok)) / len(result.response_ms(ok)) / 1000
    assert result.throughput(ok) == pytest.approx(10 / mean, rel=0.15)
    assert min(result.service_ms(ok)) >= 19


async def test_a_bounded_pool_bears_one_user_and_half_of_fifty() -> None:
    async with servers.serving(servers.Pool(size=5, seconds=0.04, patience=0.19)) as port:
        alone = await put(port, Level(users=1, requests=10, seconds=30))
        crowd = await put(port, Level(users=50, requests=400, seconds=30))
    assert alone.successes(ok) == alone.n
    assert 0.4 < crowd.successes(ok) / crowd.n < 0.6
    assert set(crowd.statuses) == {200, 503}
    assert 90 < crowd.throughput(ok) < 135  # 5 workers of 40 ms each do 125


async def test_failures_count_even_while_warming_up() -> None:
    async with servers.serving(servers.slam) as port:
        result = await put(port, Level(users=3, requests=9, seconds=30))
    assert dict(result.faults) == {"reset": result.n}
    assert 12 <= result.n + result.voided <= 3 + 2 * 9
    assert result.throughput(ok) == 0
    assert result.first_fault is not None


async def test_silence_costs_one_timeout() -> None:
    began = asyncio.get_running_loop().time()
    async with servers.serving(servers.silent) as port:
        result = await put(port, Level(users=20, requests=500, seconds=0.1), timeout=0.4)
    assert dict(result.faults) == {"timeout": result.n}
    assert result.n + result.voided == 20
    assert asyncio.get_running_loop().time() - began < 3


async def test_users_who_hang_are_not_forgotten() -> None:
    busy = asyncio.Semaphore(2)

    async def two_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with busy:
            await servers.Web(lambda _: OK, delay=0.01)(reader, writer)

    async with servers.serving(two_at_once) as port:
        result = await put(port, Level(users=4, requests=20, seconds=0.1), timeout=0.6)
    assert result.faults["timeout"] == 2
    assert result.statuses[200] >= 20


async def test_the_deadline_ends_it_and_blames_nobody() -> None:
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            await put(port, Level(users=3, requests=9, seconds=30), deadline=0.2)
    assert caught.value.failure.kind == "deadline"


async def test_what_came_before_the_deadline_is_kept() -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.05)) as port:
        result = await put(port, Level(users=2, requests=10**6, seconds=30), deadline=0.5)
    assert dict(result.statuses) == {200: result.n}
    assert 6 <= result.n <= 20
    assert not result.faults


async def test_a_loop_of_ours_that_stalls_is_not_the_targets_slowness() -> None:
    async with servers.serving(servers.silent) as port:
        level = Level(users=1, requests=1, seconds=0.01)
        running = asyncio.create_task(put(port, level, timeout=0.1))
        await asyncio.sleep(0.05)
        stall(0.2)
        with pytest.raises(ProbeError) as caught:
            await running
    assert caught.value.failure.kind == "local_limit"
    assert "stalled" in caught.value.failure.detail


def stall(seconds: float) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        pass


@contextlib.contextmanager
def few_descriptors(more: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(free := os.dup(0))  # the lowest number that is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_our_lack_of_descriptors_is_not_the_targets_fault() -> None:
    async with servers.never_accepting() as port:
        with few_descriptors(10), pytest.raises(ProbeError) as caught:
            await put(port, Level(users=40, requests=100, seconds=30))
    assert caught.value.failure.kind == "local_limit"
    assert "descriptor" in caught.value.failure.detail
