"""Measurements as they arrive -> a live line on a terminal, plain lines in CI."""

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterator

from readiness.collect import Progress
from readiness.escape import ci_log, terminal
from readiness.measurement import Measurement
from readiness.steps import Plan, Step

_LAST_WORDS_SECONDS = 1.0
_STANDARD_ERROR = 2


@contextlib.contextmanager
def shown(plan: Plan) -> Iterator[Progress]:
    """Yield the callback that shows progress on standard error while the plan is run."""
    if sys.stderr is None:  # closed: its number may be a socket of ours by now
        yield lambda _step, _measurement: None
    elif sys.stderr.isatty():
        with _live(plan) as show:
            yield show
    else:
        with _plain() as show:
            yield show


@contextlib.contextmanager
def _plain() -> Iterator[Progress]:
    """Write from a thread: a reader who does not read must not hold the measuring up.

    It writes past Python's buffer, whose lock a blocked thread would keep beyond the end.
    """
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def write() -> None:
        with contextlib.suppress(OSError):
            while (line := lines.get()) is not None:
                os.write(_STANDARD_ERROR, f"{line}\n".encode())

    def show(step: Step, measurement: Measurement) -> None:
        lines.put(f"{ci_log(step.service.name)}  {step.name}  {ci_log(_state(measurement))}")

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield show
    finally:
        lines.put(None)
        writer.join(timeout=_LAST_WORDS_SECONDS)


@contextlib.contextmanager
def _live(plan: Plan) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(plan.steps), now="")
        seen: set[tuple[str, str]] = set()

        def show(step: Step, measurement: Measurement) -> None:
            seen.add((step.service.name, step.name))
            now = terminal(f"{step.service.name}  {step.name}  {_state(measurement)}")
            bar.update(task, completed=len(seen), now=now)

        yield show


def _state(measurement: Measurement) -> str:
    again = f" (attempt {measurement.attempt})" if measurement.attempt > 1 else ""
    if measurement.failure:
        return f"{measurement.failure.kind}: {measurement.failure.detail}{again}"
    return f"measured in {measurement.seconds:.1f} s{again}"
