"""What a load does to the service at this moment -> a live view, or a plain line now and then."""

import asyncio
import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence

from readiness.cli.load.feed import Feed, Moment
from readiness.cli.load.request import Asked
from readiness.cli.load.words import amount_ms, bar, load_words, sparkline
from readiness.quantity import amount

_DRAW_SECONDS = 0.25
_BAR_WIDTH = 40
_LINE_SECONDS, _LINE_SECONDS_LONG = 3.0, 15.0
_LONG_SECONDS = 120.0
_STANDARD_ERROR = 2
_LAST_WORDS_SECONDS = 1.0


async def show(asked: Asked, feed: Feed) -> None:
    """Draw on standard error until cancelled.

    Nothing, where nobody can see it, or where several processes tell only at the end.
    """
    if sys.stderr is None or asked.processes > 1:
        return
    is_open = asked.is_open
    live = sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
    long = asked.seconds > _LONG_SECONDS and asked.requests is None
    pause = _LINE_SECONDS_LONG if long else _LINE_SECONDS
    with contextlib.suppress(OSError, ValueError):
        if live:
            async with _drawn(asked) as draw:
                while True:
                    draw(feed.moment(asked.seconds, is_open=is_open))
                    await asyncio.sleep(_DRAW_SECONDS)
        async with _written() as write:
            began = time.monotonic()
            while True:
                await asyncio.sleep(pause)
                write(_line(time.monotonic() - began, feed.moment(asked.seconds, is_open=is_open)))


Draw = Callable[[Moment], None]


@contextlib.asynccontextmanager
async def _drawn(asked: Asked) -> AsyncIterator[Draw]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    title = Text(f"{asked.method} {asked.url}  {load_words(asked)}", style="bold", overflow="fold")
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

        def draw(now: Moment) -> None:
            rows = (Text(row, no_wrap=True, overflow="ellipsis") for row in _rows(now))
            live.update(Group(title, *rows), refresh=True)

        yield draw


def _rows(now: Moment) -> Sequence[str]:
    return (
        f"{bar(now.done, _BAR_WIDTH):<{_BAR_WIDTH}} {now.done:.0%}",
        f"{now.per_second:>12,.0f} req/s  {sparkline(now.history)}",
        f"{_share(now):>12}" + (f", {now.waiting:,} under way or waiting" if now.waiting else ""),
        f"{_times(now)}" + (f"  ({phase})" if (phase := _phase(now)) else ""),
    )


def _line(elapsed: float, now: Moment) -> str:
    told = f"{elapsed:5.0f} s  {now.per_second:,.0f} req/s", _share(now), _times(now), _phase(now)
    return "  ".join(part for part in told if part)


def _phase(now: Moment) -> str:
    if not now.timing:
        return "warming up"
    return "the last answers are awaited" if now.done >= 1 else ""


def _share(now: Moment) -> str:
    return "no answer" if now.success is None else f"{amount(now.success, 'ratio')} success"


def _times(now: Moment) -> str:
    if not now.quantiles:
        return ""
    named = zip(("p50", "p95", "p99"), now.quantiles, strict=True)
    return "response time " + "  ".join(f"{name} {amount_ms(value)}" for name, value in named)


@contextlib.asynccontextmanager
async def _written() -> AsyncIterator[Callable[[str], None]]:
    """Write from a thread: a reader who does not read must not hold the end up."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def write() -> None:
        with contextlib.suppress(OSError):
            while (line := lines.get()) is not None:
                os.write(_STANDARD_ERROR, f"{line}\n".encode())

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield lines.put
    finally:
        lines.put(None)
        writer.join(timeout=_LAST_WORDS_SECONDS)
