"""A difference of two runs -> the lines that explain it, or its JSON."""

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from readiness.assessment.difference import Difference, Link, Part, Score
from readiness.assessment.movers import Mover
from readiness.escape import ci_log
from readiness.history import Run

SCHEMA = "readiness/difference/v1"
MOST = 5
"""Findings named below each part."""

TITLES: Mapping[Link, str] = {
    "model": "model version: another readiness judges",
    "criteria": "criteria: checks, targets and weights",
    "scope": "scope: what the inventory names and how it weighs",
    "waivers": "waivers, policy and the day",
    "evidence": "evidence: known in one of the runs only",
    "system": "system: what was measured",
    "baseline": "baseline: regressions since the run compared with",
}
_MERGED = "criteria and model version, which a file does not hold"
_ORDER = (
    "The parts sum to the change. Each is what the score moves by when it is exchanged next, in "
    "this order, from A to B."
)


class Told(NamedTuple):
    """A difference and what the user calls its runs."""

    a: str
    first: Run
    b: str
    second: Run
    found: Difference


def lines(told: Told) -> Iterator[str]:
    """Yield the explanation, a line at a time."""
    found = told.found
    yield _run("A", told.a, told.first, found.before)
    yield _run("B", told.b, told.second, found.after)
    yield from map(ci_log, notes(told))
    yield ""
    yield "   score  before caps"
    done = found.before
    for part in found.parts:
        then, done = done, Score(done.value + part.change.value, done.exact + part.change.exact)
        yield f"{_row(then, done)}  {_title(part, found)}"
    yield f"{_row(found.before, found.after)}  in all"
    yield ""
    yield _ORDER
    for part in found.parts:
        if part.movers:
            yield from ("", f"{_title(part, found)}:")
            yield from map(_mover, part.movers[:MOST])
            left = len(part.movers) - MOST
            if left > 0:
                yield f"           and {left} more"


def to_json(told: Told) -> str:
    """Return the difference as one JSON object; exact scores are fractions as text."""
    found = told.found
    data = {
        "schema": SCHEMA,
        "a": _told(told.a, told.first, found.before),
        "b": _told(told.b, told.second, found.after),
        "change": _score(found.change),
        "parts": [
            {
                "id": part.link,
                "title": _title(part, found),
                **_score(part.change),
                "findings": [_finding(mover) for mover in part.movers],
            }
            for part in found.parts
        ],
        "notes": list(notes(told)),
    }
    return json.dumps(data, indent=1, ensure_ascii=False)


def notes(told: Told) -> Iterator[str]:
    """Yield what the reader should know before comparing these two runs at all."""
    one, other = told.first, told.second
    sides = ((told.a, one, told.found.a), (told.b, other, told.found.b))
    for name, run, side in sides:
        if side.told is None:
            yield f"No score of {name} is kept: it is judged now."
        if not side.criteria_kept:
            yield (
                f"{name} was made by readiness {side.evidence.tool.version}, whose criteria a "
                "file does not hold: what they and the model change is one part."
            )
        if not run.complete:
            yield f"{name} {'was interrupted' if run.interrupted else 'is of a part only'}."
    if one.environment != other.environment:
        yield f"The environments differ: {one.environment} and {other.environment}."
    if one.runner != other.runner:
        yield f"The machines differ: {one.runner or 'unknown'} and {other.runner or 'unknown'}."


def _run(letter: str, name: str, run: Run, score: Score) -> str:
    where = ", ".join(
        part for part in (run.environment, run.branch, (run.commit or "")[:12]) if part
    )
    return f"{letter}  " + ci_log(
        f"{name}: run {run.run_id[:8]} of {run.started_at:%Y-%m-%d %H:%M} UTC, {where}: "
        f"{score.value} of 100, {float(score.exact):.2f} before caps"
    )


def _row(before: Score, after: Score) -> str:
    """Return a change as the difference of what is printed, so that printed parts sum as well."""
    moved = round(100 * after.exact) - round(100 * before.exact)
    return f"{after.value - before.value:+8d} {moved / 100:+13.2f}"


def _title(part: Part, found: Difference) -> str:
    return _MERGED if found.merged and part.link == "criteria" else TITLES[part.link]


def _mover(mover: Mover) -> str:
    what = f"{mover.check} on {mover.service}" if mover.check else mover.service
    return f"{float(mover.effect):+10.2f}  " + ci_log(f"{what}: {mover.was} -> {mover.now}")


def _told(name: str, run: Run, score: Score) -> dict[str, Any]:
    kept = ("run_id", "system", "environment", "started_at", "branch", "commit", "tool", "verdict")
    return {"asked": name, **run.model_dump(mode="json", include={*kept}), **_score(score)}


def _score(score: Score) -> dict[str, Any]:
    return {"value": score.value, "raw": _rounded(score.exact), "raw_exact": str(score.exact)}


def _finding(mover: Mover) -> dict[str, Any]:
    return {
        "check": mover.check or None,
        "service": mover.service,
        "was": mover.was,
        "now": mover.now,
        "effect": _rounded(mover.effect),
        "bars": mover.bars,
    }


def _rounded(number: Fraction) -> float:
    return round(float(number), 6)
