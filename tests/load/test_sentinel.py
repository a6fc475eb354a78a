import asyncio
import time

import pytest

from readiness.load.sentinel import Sentinel

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


def block(seconds: float) -> tuple[int, int]:
    began = time.monotonic_ns()
    while time.monotonic_ns() < began + seconds * 1e9:
        pass
    return began, time.monotonic_ns()


async def test_moments_within_a_stall_are_told_from_others() -> None:
    with Sentinel(tolerance=0.1) as sentinel:
        await asyncio.sleep(0.05)
        before = time.monotonic_ns()
        await asyncio.sleep(0.02)
        first = block(0.3)
        await asyncio.sleep(0.02)
        between = time.monotonic_ns()
        await asyncio.sleep(0.02)
        last = block(0.3)
    assert sentinel.stalled(*first)
    assert sentinel.stalled(sum(first) // 2)
    assert sentinel.stalled(last[0]), "a stall that the end of the watch cuts short"
    assert not sentinel.stalled(before, between)
    assert sentinel.stalled(before, first[1])


async def test_a_loop_that_runs_well_stalls_nowhere() -> None:
    with Sentinel(tolerance=0.5) as sentinel:
        moments = []
        for _ in range(20):
            await asyncio.sleep(0.002)
            moments.append(time.monotonic_ns())
    assert not sentinel.stalled(*moments)
