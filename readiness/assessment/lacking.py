"""Work that does not reach a goal -> what else that takes."""

from collections.abc import Sequence

from readiness.assessment.goal import Goal
from readiness.assessment.model import Model
from readiness.assessment.target import Solver
from readiness.finding import Finding

_NAMED = 3
"""How many of a kind are named; more are counted."""


def unmended(
    findings: Sequence[Finding], solver: Solver, goal: Goal, *, excused: bool
) -> list[Finding]:
    """Return what no work mends: what is not known, fails by another's outage, or is waived.

    Of what is waived though it is known, without `excused` only what stands in the way of `goal`.
    """
    mended = {key for work in solver.work for key in work.keys}
    closing = goal.in_the_way(solver.best)
    return [
        f
        for f in findings
        if (f.outcome in ("fail", "warn", "unknown") or (f.check, f.service) in closing)
        and (f.check, f.service) not in mended
        and (excused or not f.waived or f.outcome == "unknown" or (f.check, f.service) in closing)
    ]


def lacking(
    model: Model, solver: Solver, goal: Goal, budget_hours: float | None = None
) -> tuple[str, ...]:
    """Return what reaching `goal` takes besides the work, or besides the hours there are."""
    if goal.met(solver.best):
        least = solver.least(goal)
        hours = float(solver.hours(least.chosen)) if least else 0.0
        return (f"{goal.name} takes {hours:g} h of work, and {budget_hours or 0:g} h are given",)
    return (
        *_blockers(solver, goal),
        *_worse(solver, goal),
        *_areas(solver, goal),
        *_coverage(solver, goal),
        *_at_best(model, solver, goal),
    )


def _blockers(solver: Solver, goal: Goal) -> list[str]:
    """Return the blockers that are still open with all work done, by what each wants."""
    by_want: dict[str, list[Finding]] = {}
    for f in goal.closing(solver.best):
        by_want.setdefault(_wanted(f), []).append(f)
    return [f"{want}: {_named(found)}" for want, found in by_want.items()]


def _wanted(f: Finding) -> str:
    if f.waived:
        return "mend what is waived, for a waiver mends nothing"
    if f.undecided:
        return "take more samples of the blockers too close to call"
    if f.outcome == "unknown":
        return "measure the blockers that are not known"
    return "run again once what explains these outages is up"


def _named(found: Sequence[Finding]) -> str:
    named = ", ".join(f"{f.title} on {f.service}" for f in found[:_NAMED])
    return named + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")


def _worse(solver: Solver, goal: Goal) -> list[str]:
    blocking = {(f.check, f.service) for f in goal.closing(solver.best)}
    worse = sorted(goal.in_the_way(solver.best) - blocking)
    if not worse:
        return []
    named = ", ".join(f"{check} on {service}" for check, service in worse[:_NAMED])
    more = f" and {len(worse) - _NAMED} more" if len(worse) > _NAMED else ""
    return [f"bring back what has regressed since the baseline: {named}{more}"]


def _areas(solver: Solver, goal: Goal) -> list[str]:
    ledger = solver.best.ledger
    least = goal.areas(ledger)
    return [
        f"know more of {a.title}, which all work brings to {a.score or 0}, of {least[a.id]}"
        + (f" ({a.because})" if a.because else "")
        for a in ledger.card().areas
        if (a.score or 0) < least.get(a.id, 0)
    ]


def _coverage(solver: Solver, goal: Goal) -> list[str]:
    least, got = goal.demands.coverage, solver.best.ledger.card().coverage
    if got >= least:
        return []
    return [
        "measure what was not tested, for all work brings the coverage to "
        f"{got * 100:.0f} %, of {least * 100:g} %"
    ]


def _at_best(model: Model, solver: Solver, goal: Goal) -> list[str]:
    """Say what all work comes to, and what it does if all passes that no work mends."""
    rest = unmended(model.findings, solver, goal, excused=True)
    if not rest:
        return [f"more than can be mended: all work leads to {solver.best.value}"]
    after = solver.best.passing(rest)
    short = "" if goal.met(after) else f", which is not {goal.name}"
    named = goal.in_the_way(solver.best)
    others = [f for f in rest if (f.check, f.service) not in named]
    leads = f"from {solver.best.value} with all work alone to {after.value}{short}"
    if not others:
        return [f"all of that: it leads {leads}"]
    some = "1 check" if len(others) == 1 else f"{len(others)} checks"
    some += " more" if named else ""
    waived = sum(f.waived for f in others)
    some += f" ({waived} waived)" if waived else ""
    return [f"that {some} pass which no work mends: all of it leads {leads}"]
