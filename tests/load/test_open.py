import asyncio
import statistics
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.failure import ProbeError
from readiness.load.open import Schedule, poisson, run
from readiness.load.result import Result
from tests import servers
from tests.load.runs import GET, at, soon

OK = servers.response(200, "fine")


def ok(status: int) -> bool:
    return status == 200


async def put(
    port: int, schedule: Schedule, *, timeout: float = 5.0, deadline: float = 30.0
) -> Result:
    return await run(at(port), GET, schedule, timeout=timeout, deadline=soon(deadline))


@given(st.integers(0, 300), st.floats(0.01, 100), st.text(max_size=9))
def test_arrivals_are_sorted_bounded_and_repeatable(n: int, seconds: float, seed: str) -> None:
    starts = poisson(n, seconds, seed)
    assert len(starts) == n
    assert list(starts) == sorted(starts)
    assert all(0 <= start <= seconds for start in starts)
    assert starts == poisson(n, seconds, seed)


def test_the_gaps_between_arrivals_are_exponential() -> None:
    starts = poisson(20_000, 20_000, "fixed")
    gaps = [b - a for a, b in pairwise(starts)]
    assert statistics.mean(gaps) == pytest.approx(1, rel=0.02)
    assert statistics.stdev(gaps) == pytest.approx(1, rel=0.05)
    assert starts != poisson(20_000, 20_000, "other")


@pytest.mark.anyio
@pytest.mark.alone
async def test_every_arrival_is_answered_on_a_warm_connection() -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        result = await put(port, Schedule(poisson(60, 0.3, "a"), in_flight=4))
    assert sum(result.timed) + result.voided >= 60
    assert dict(result.statuses) == {200: result.n}
    assert web.connections == 4
    assert 64 <= len(web.requests) <= 64 + result.voided


@pytest.mark.anyio
@pytest.mark.alone
async def test_requests_leave_when_they_should() -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.02)) as port:
        result = await put(port, Schedule(poisson(60, 0.6, "a"), in_flight=8))
    late = [(b - a) / 1e6 for a, b in zip(result.intended_ns, result.sent_ns, strict=True)]
    assert statistics.median(late) < 1
    extra = statistics.median(result.response_ms(ok)) - statistics.median(result.service_ms(ok))
    assert 0 <= extra < 1


@pytest.mark.anyio
@pytest.mark.alone
async def test_waiting_for_a_slot_counts_as_latency() -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.05)) as port:
        result = await put(port, Schedule([0.0, 0.001, 0.002, 0.003], in_flight=1))
    assert max(result.response_ms(ok)) > 190
    assert max(result.service_ms(ok)) < 150


@pytest.mark.anyio
@pytest.mark.alone
async def test_a_stall_of_the_service_is_seen_by_all_who_came_meanwhile() -> None:
    answered = 0

    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while await servers.read_request(reader):
            answered += 1
            if answered > 30:
                await stalled.wait()
            writer.write(OK)

    stalled = asyncio.Event()
    async with servers.serving(stalling) as port:
        schedule = Schedule(poisson(100, 1.0, "a"), in_flight=4)
        running = asyncio.create_task(put(port, schedule))
        await asyncio.sleep(0.8)
        stalled.set()
        result = await running
    slow = sum(ms > 50 for ms in result.response_ms(ok))
    assert slow > 15  # a closed loop would have seen four


@pytest.mark.anyio
@pytest.mark.alone
async def test_nobody_who_came_is_left_out_when_the_service_hangs() -> None:
    async with servers.serving(servers.silent) as port:
        result = await put(port, Schedule(poisson(20, 0.2, "a"), in_flight=2), timeout=0.3)
    assert dict(result.faults) == {"timeout": result.n}
    assert result.n + result.voided == 22


@pytest.mark.anyio
@pytest.mark.alone
async def test_the_deadline_holds() -> None:
    began = asyncio.get_running_loop().time()
    async with servers.serving(servers.Web(lambda _: OK, delay=0.02)) as port:
        result = await put(port, Schedule(poisson(1000, 60, "a"), in_flight=4), deadline=1.0)
    assert asyncio.get_running_loop().time() - began < 3
    assert not result.faults
    assert dict(result.statuses) == {200: result.n}


@pytest.mark.anyio
@pytest.mark.alone
async def test_the_deadline_blames_nobody() -> None:
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            await put(port, Schedule([0.0], in_flight=2), deadline=0.2)
    assert caught.value.failure.kind == "deadline"


@pytest.mark.anyio
@pytest.mark.alone
async def test_samples_taken_during_a_stall_of_ours_are_not_timed() -> None:
    async with servers.serving(servers.always(OK)) as port:
        schedule = Schedule([place / 100 for place in range(100)], in_flight=4)
        running = asyncio.create_task(put(port, schedule))
        await asyncio.sleep(0.4)
        end = asyncio.get_running_loop().time() + 0.2
        while asyncio.get_running_loop().time() < end:
            pass
        result = await running
    assert result.n - sum(result.timed) >= 15
    assert sum(result.timed) >= 90  # made up for
    assert max(result.response_ms(ok)) < 150


@pytest.mark.anyio
@pytest.mark.alone
async def test_what_failed_during_a_stall_of_ours_has_failed() -> None:
    asked = 0

    def stall_who_reads(_: servers.Request) -> bytes:
        nonlocal asked
        asked += 1
        end = time.monotonic() + (0.03 if asked % 5 == 0 else 0)
        while time.monotonic() < end:
            pass
        return servers.response(500) if asked % 5 == 0 else OK

    async with servers.serving(servers.Web(stall_who_reads)) as port:
        result = await put(port, Schedule([place / 50 for place in range(50)], in_flight=2))
    assert result.statuses[500] == asked // 5
    assert result.n == asked
