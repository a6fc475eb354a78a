"""One exchange repeated side by side."""

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from readiness.estimate import Estimate
from readiness.failure import ProbeError, classify
from readiness.probes import Context
from readiness.probes._sampling import sample

pytestmark = pytest.mark.anyio


async def test_who_fails_ends_it_for_all(context: Context) -> None:
    asked = 0

    async def exchange() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        if asked > 4:
            raise ProbeError("reset", "gone")

    with pytest.raises(ExceptionGroup) as caught:
        await sample(exchange, 100, context, at_once=4)
    assert classify(caught.value).kind == "reset"
    begun = asked
    await asyncio.sleep(0.05)
    assert asked == begun


def lending(context: Context, seconds: float, **changes: Any) -> Context:
    """Let what is open take so long, and judge a p50 by 10 and 20 ms."""
    until = asyncio.get_running_loop().time() + seconds
    return replace(context, until=until, limits={"p50_ms": (10.0, 20.0)}, **changes)


def open_for(samples: int) -> Callable[[], Awaitable[None]]:
    """Answer in 1 ms and in 25 ms in turn, and after so many in 1 ms and in 3 ms."""
    turns = itertools.count()

    async def exchange() -> None:
        turn = next(turns)
        slow = 0.025 if turn < samples else 0.003
        await asyncio.sleep(slow if turn % 2 else 0.001)

    return exchange


async def test_what_is_open_gets_more_samples_until_it_is_decided(context: Context) -> None:
    found = await sample(open_for(20), 12, lending(context, 20))
    assert isinstance(found["p50_ms"], Estimate)
    assert 12 < found["p50_ms"].n < 10_000
    assert int(str(found["looks"])) > 1
    assert (found["p50_ms"].high or math.inf) <= 10


async def test_what_is_decided_gets_no_more(context: Context) -> None:
    found = await sample(open_for(0), 60, lending(context, 20))
    assert (found["looks"], getattr(found["p50_ms"], "n", None)) == (1, 60)


async def test_what_stays_open_ends_with_its_time(context: Context) -> None:
    began = asyncio.get_running_loop().time()
    found = await sample(open_for(10**9), 12, lending(context, 0.5))
    assert asyncio.get_running_loop().time() - began < 5
    assert isinstance(found["p50_ms"], Estimate)
    assert found["p50_ms"].n > 12


async def test_without_the_load_tier_nothing_is_asked_for_beyond_the_samples(
    context: Context,
) -> None:
    gentle = lending(context, 20, allowed=frozenset({"observe"}))
    found = await sample(open_for(10**9), 12, gentle)
    assert (found["looks"], getattr(found["p50_ms"], "n", None)) == (1, 12)


async def test_limits_are_those_of_the_metrics_that_are_returned(context: Context) -> None:
    other = replace(lending(context, 20), limits={"handshake.p50_ms": (10.0, 20.0)})
    found = await sample(open_for(10**9), 12, other)
    assert found["looks"] == 1
    mine = await sample(open_for(20), 12, other, of="handshake.")
    assert int(str(mine["looks"])) > 1


async def test_one_lost_of_more_than_were_asked_for_fails_nothing(context: Context) -> None:
    exchange, turns = open_for(10**9), itertools.count()

    async def losing() -> None:
        if next(turns) == 40:
            raise TimeoutError
        await exchange()

    found = await sample(losing, 12, lending(context, 20))
    assert isinstance(found["p50_ms"], Estimate)
    assert 12 <= found["p50_ms"].n < 41
