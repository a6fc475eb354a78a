"""One exchange repeated, one after the other -> its percentiles with their intervals."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from readiness.enough import decided
from readiness.estimate import Estimate, quantile
from readiness.failure import classify
from readiness.looks import GROWTH
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._load import too_few

_SHARE = 0.5
"""Of the time left to the deadline, the part that sampling may take."""
_PAUSE_SECONDS = 0.005

_MOST = 10_000
"""Samples however long they leave a check open: a p95 a quarter beyond its limit shows in fewer."""

T = TypeVar("T")


async def sample(
    exchange: Callable[[], Awaitable[T]],
    n: int,
    context: Context,
    at_once: int = 1,
    after: Callable[[T], Awaitable[object]] | None = None,
    percentiles: Sequence[int] = (50, 95),
    of: str = "",
) -> Values:
    """Time `exchange` up to `n` times after one to warm up; return `p50_ms`, `p95_ms` and so on.

    Up to `at_once` are under way together, each bounded by `within`. When half of the time to the
    deadline is used up, sampling ends early; `p95_ms_because` then explains an estimate left empty.
    While those whose limits the context has, under names that begin with `of`, are open, more are
    taken until `context.until`, if load is allowed. What `after` does with the outcome of each is
    neither timed nor bounded.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    give_up = began + _SHARE * (context.deadline - began)
    samples: list[float] = []

    async def once() -> float:
        outcome, ms = await _timed(exchange, context)
        if after:
            await after(outcome)
        return ms

    async def take(wanted: int, until: float) -> bool:
        """Return whether there are as many as wanted."""
        turns = iter(range(wanted - len(samples)))

        async def repeat() -> None:
            while clock() < until and next(turns, None) is not None:
                samples.append(await once())

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(repeat())
        except ExceptionGroup as lost:
            if len(samples) < n or not all(classify(one).blames_target for one in lost.exceptions):
                raise
            return False  # of more than were asked for, one that is lost ends it and fails nothing
        return len(samples) >= wanted

    await once()
    limits = {m.removeprefix(of): v for m, v in context.limits.items() if m.startswith(of)}
    until = min(give_up, context.until) if "load" in context.allowed else began
    looks = context.looks.once(clock() >= until)

    def found_at(look: int, *, last: bool = False) -> dict[str, Estimate]:
        return {
            metric: quantile(samples, p / 100, looks.sides(look, limits.get(metric), last=last))
            for metric, p in ((f"p{p}_ms", p) for p in percentiles)
        }

    full, look = await take(n, give_up), 1
    found = found_at(look)
    wanted = min(n, _MOST)
    while full and clock() < until and wanted < _MOST and not decided(found, limits):
        wanted = min(_MOST, max(wanted + 1, round(wanted * GROWTH)))
        full, look = await take(wanted, until), look + 1
        found = found_at(look)
    if not decided(found, limits):
        found = found_at(look, last=True)
    cut = f"; they took {clock() - began:.1f} s" if len(samples) < n else ""
    values: Values = {"looks": look}
    for p in percentiles:
        values[f"p{p}_ms"] = estimate = found[f"p{p}_ms"]
        if estimate.value is None and p > 50:
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
