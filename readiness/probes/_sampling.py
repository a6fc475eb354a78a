"""One exchange repeated, one after the other -> its percentiles with their intervals."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from readiness.estimate import quantile
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._load import too_few

_SHARE = 0.5
"""Of the time left to the deadline, the part that sampling may take."""


async def sample(
    exchange: Callable[[], Awaitable[object]],
    n: int,
    context: Context,
    at_once: int = 1,
    percentiles: Sequence[int] = (50, 95),
) -> Values:
    """Time `exchange` up to `n` times after one to warm up; return `p50_ms`, `p95_ms` and so on.

    Up to `at_once` are under way together, each bounded by `within`. When half of the time to the
    deadline is used up, sampling ends early; `p95_ms_because` then explains an estimate left empty.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    give_up = began + _SHARE * (context.deadline - began)
    await _timed(exchange, context)
    samples: list[float] = []
    turns = iter(range(n))

    async def repeat() -> None:
        while clock() < give_up and next(turns, None) is not None:
            samples.append(await _timed(exchange, context))

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


async def _timed(exchange: Callable[[], Awaitable[object]], context: Context) -> float:
    with within(context):
        began = time.perf_counter()
        await exchange()
        return (time.perf_counter() - began) * 1000
