"""One exchange repeated, one after the other -> its percentiles with their intervals."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

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
    repeated = _Repeated(exchange, context, at_once, after)
    await repeated.once()
    limits = {m.removeprefix(of): v for m, v in context.limits.items() if m.startswith(of)}
    until = min(give_up, context.until) if "load" in context.allowed else began
    looks = context.looks.once(clock() >= until)

    def found_at(look: int, *, last: bool = False) -> dict[str, Estimate]:
        return {
            metric: quantile(times, p / 100, looks.sides(look, limits.get(metric), last=last))
            for metric, p in ((f"p{p}_ms", p) for p in percentiles)
        }

    times = repeated.times
    full, look = await repeated.take(n, give_up), 1
    found = found_at(look)
    wanted = min(n, _MOST)
    while full and clock() < until and wanted < _MOST and not decided(found, limits):
        wanted = min(_MOST, max(wanted + 1, round(wanted * GROWTH)))
        full, look = await repeated.take_more(wanted, until), look + 1
        found = found_at(look)
    if not decided(found, limits):
        found = found_at(look, last=True)
    cut = f"; they took {clock() - began:.1f} s" if len(times) < n else ""
    values: Values = {"looks": look}
    for p in percentiles:
        values[f"p{p}_ms"] = estimate = found[f"p{p}_ms"]
        if estimate.value is None and p > 50:
            values[f"p{p}_ms_because"] = too_few(len(times), p, "samples") + cut
    return values


class _Repeated(Generic[T]):
    """An exchange that is made again and again, and the times it took (ms)."""

    def __init__(
        self,
        exchange: Callable[[], Awaitable[T]],
        context: Context,
        at_once: int,
        after: Callable[[T], Awaitable[object]] | None,
    ) -> None:
        self._exchange, self._context = exchange, context
        self._at_once, self._after = at_once, after
        self.times: list[float] = []

    async def once(self) -> float:
        """Make it, and return what it took."""
        outcome, ms = await _timed(self._exchange, self._context)
        if self._after:
            await self._after(outcome)
        return ms

    async def take(self, wanted: int, until: float) -> bool:
        """Make it until there are `wanted` times or it is `until`; return whether there are."""
        clock, turns = asyncio.get_running_loop().time, iter(range(wanted - len(self.times)))

        async def repeat() -> None:
            while clock() < until and next(turns, None) is not None:
                self.times.append(await self.once())

        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(repeat())
        return len(self.times) >= wanted

    async def take_more(self, wanted: int, until: float) -> bool:
        """Do the same beyond what was asked for: one that is lost ends it, and fails nothing."""
        try:
            return await self.take(wanted, until)
        except ExceptionGroup as lost:
            if not all(classify(one).blames_target for one in lost.exceptions):
                raise
            return False


async def pause(_: object) -> None:
    """Let a moment go by: samples that are all taken within one tell of that one only."""
    await asyncio.sleep(_PAUSE_SECONDS)


async def _timed(exchange: Callable[[], Awaitable[T]], context: Context) -> tuple[T, float]:
    with within(context):
        began = time.perf_counter()
        outcome = await exchange()
        return outcome, (time.perf_counter() - began) * 1000
