"""One exchange repeated, one after the other -> its percentiles with their intervals."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from readiness.estimate import quantile
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._load import too_few

_SHARE = 0.5
"""Of the time left to the deadline, the part that sampling may take."""
_PAUSE_SECONDS = 0.005

T = TypeVar("T")


async def sample(
    exchange: Callable[[], Awaitable[T]],
    n: int,
    context: Context,
    at_once: int = 1,
    after: Callable[[T], Awaitable[object]] | None = None,
    percentiles: Sequence[int] = (50, 95),
) -> Values:
    """Time `exchange` up to `n` times after one to warm up; return `p50_ms`, `p95_ms` and so on.

    Up to `at_once` are under way together, each bounded by `within`. When half of the time to the
    deadline is used up, sampling ends early; `p95_ms_because` then explains an estimate left empty.
    What `after` does with the outcome of each is neither timed nor bounded.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    give_up = began + _SHARE * (context.deadline - began)

    async def once() -> float:
        outcome, ms = await _timed(exchange, context)
        if after:
            await after(outcome)
        return ms

    await once()
    samples: list[float] = []
    turns = iter(range(n))

    async def repeat() -> None:
        while clock() < give_up and next(turns, None) is not None:
            samples.append(await once())

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(repeat())
    cut = f"; they took {clock() - began:.1f} s" if len(samples) < n else ""
    values: Values = {}
    for p in percentiles:
        values[f"p{p}_ms"] = found = quantile(samples, p / 100)
        if found.value is None and p > 50:
            values[f"p{p}_ms_because"] = too_few(len(samples), p, "samples") + cut
    return values


async def pause(_: object) -> None:
    """Let a moment go by: samples that are all taken within one tell of that one only."""
    await asyncio.sleep(_PAUSE_SECONDS)


async def _timed(exchange: Callable[[], Awaitable[T]], context: Context) -> tuple[T, float]:
    with within(context):
        began = time.perf_counter()
        outcome = await exchange()
        return outcome, (time.perf_counter() - began) * 1000
