"""`history`: the kept runs -> a table, plain lines where nobody looks, or JSON."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from readiness.cli.keeper import tell
from readiness.cli.say import say
from readiness.escape import ci_log
from readiness.history import Run, open_history
from readiness.report.words import NONE, joined, moment, plural, spark, spoken

SCHEMA = "readiness/history-list/v1"

_ID, _COMMIT, _BARS, _WIDEST = 8, 8, 30, 1000
_NAMED = 8
"""Systems that are named where none of them was asked for."""
_HEADS = (
    "",
    "run",
    "started",
    "system",
    "environment",
    "verdict",
    "score",
    "Δ",
    "coverage",
    "source",
)
_NUMBERS = frozenset({"score", "Δ", "coverage"})

Series = tuple[str, str]
"""System and environment: the runs that can be compared."""


class Listed(NamedTuple):
    """A run, and by how much its score differs from that of the complete run before."""

    run: Run
    delta: int | None


def show(
    where: str | None, system: str | None, environment: str | None, limit: int, as_json: bool
) -> None:
    """Print the newest `limit` runs."""
    history = open_history(where, os.environ, tell, create=False)
    try:
        runs = history.runs(system, environment)
        others = () if runs else history.runs()
    finally:
        history.close()
    listed = _compared(runs)[:limit]
    if as_json:
        say(json.dumps(_contract(history.where, listed, runs), indent=1))
    elif not listed:
        say(ci_log(_none(history.where, system, environment, others)))
    else:
        _print(listed)
        for text in _trends({_series(one.run) for one in listed}, runs):
            say(text)
        say(ci_log(f"{plural(len(listed), 'run')} of {len(runs)} in {history.where}"))


def _none(where: str, system: str | None, environment: str | None, others: Sequence[Run]) -> str:
    """Say that nothing was asked for that is there, and what is."""
    if not others:
        return f"No run is kept in {where}."
    wanted = " ".join(part for part in (system, environment) if part)
    known = tuple(" ".join(of) for of in sorted({_series(run) for run in others}))
    return f"No run of {wanted} is kept in {where}; there are runs of {joined(known, _NAMED)}."


def _compared(runs: Sequence[Run]) -> list[Listed]:
    """Return `runs`, the newest first, each with its delta."""
    before: dict[Series, int] = {}
    found = []
    for run in reversed(runs):
        last = before.get(_series(run))
        found.append(Listed(run, run.value - last if run.complete and last is not None else None))
        if run.complete:
            before[_series(run)] = run.value
    return found[::-1]


def _series(run: Run) -> Series:
    return run.system, run.environment


def _scores(runs: Iterable[Run], of: Series) -> list[int]:
    """Return the scores of the complete runs of a series, the oldest first."""
    return [run.value for run in runs if run.complete and _series(run) == of][::-1]


def _trends(wanted: Iterable[Series], runs: Sequence[Run]) -> Iterable[str]:
    for series in sorted(wanted):
        if scores := _scores(runs, series)[-_BARS:]:
            ends = f"{scores[0]} to {scores[-1]}" if len(scores) > 1 else f"{scores[0]}"
            yield f"{ci_log(' '.join(series))}  {spark(scores)}  {ends}"


def _contract(where: str, listed: Sequence[Listed], runs: Sequence[Run]) -> Mapping[str, Any]:
    return {
        "schema": SCHEMA,
        "history": where,
        "runs": [{**one.run.model_dump(mode="json"), "delta": one.delta} for one in listed],
        "series": [
            {"system": of[0], "environment": of[1], "values": _scores(runs, of)}
            for of in sorted({_series(one.run) for one in listed})
        ],
    }


def _print(listed: Sequence[Listed]) -> None:
    """Print a table, or aligned lines where nobody looks or the terminal is too narrow for one."""
    rows = [_row(one) for one in listed]
    drawn = _drawn(rows) if sys.stdout is not None and sys.stdout.isatty() else None
    say(drawn or "\n".join(_aligned([_HEADS, *rows])))


def _row(one: Listed) -> tuple[str, ...]:
    run = one.run
    source = "@".join(part for part in (run.branch, (run.commit or "")[:_COMMIT]) if part)
    return (
        "*" if run.pinned else "",
        run.run_id[:_ID],
        moment(run.started_at),
        ci_log(run.system),
        run.environment,
        spoken(run.verdict) + _remark(run),
        str(run.value),
        NONE if one.delta is None else f"{one.delta:+d}",
        f"{run.coverage * 100:.0f} %",
        ci_log(source) or NONE,
    )


def _remark(run: Run) -> str:
    return " (interrupted)" if run.interrupted else " (in part)" if run.partial else ""


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if head in _NUMBERS else cell.ljust(width)
            for head, cell, width in zip(_HEADS, row, widths, strict=True)
        )
        yield "  ".join(cells).rstrip()


def _drawn(rows: Sequence[Sequence[str]]) -> str | None:
    """Return a table for this terminal, None if it would have to cut words."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in _HEADS:
        table.add_column(head, justify="right" if head in _NUMBERS else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    needed = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    if needed > console.width:
        return None
    with console.capture() as captured:
        console.print(table)
    return captured.get().strip("\n")
