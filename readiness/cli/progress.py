"""Measurements as they arrive -> a live line on a terminal, plain lines in CI."""

import contextlib
import sys
from collections.abc import Iterator

import typer

from readiness.collect import Plan, Progress, Step
from readiness.escape import ci_log, terminal
from readiness.measurement import Measurement


@contextlib.contextmanager
def shown(plan: Plan) -> Iterator[Progress]:
    """Yield the callback that shows progress on standard error while the plan is run."""
    if sys.stderr.isatty():
        with _live(plan) as show:
            yield show
    else:
        yield _plain


def _plain(step: Step, measurement: Measurement) -> None:
    typer.echo(f"{ci_log(step.service.name)}  {step.name}  {ci_log(_state(measurement))}", err=True)


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
