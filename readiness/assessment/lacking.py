"""Work that does not reach a score -> what else that takes."""

from collections.abc import Sequence

from readiness.assessment.model import Model
from readiness.assessment.target import Solver
from readiness.finding import Finding
from readiness.gate import demands

_NAMED = 3
"""How many of a kind are named; more are counted."""


def unmended(findings: Sequence[Finding], solver: Solver, target: int) -> list[Finding]:
    """Return what no work mends: what is not known, fails by another's outage, or is waived.

    Of what is waived, only what stands in the way of `target`.
    """
    mended = {key for work in solver.work for key in work.keys}
    closing = set(solver.best.in_the_way(target))
    return [
        f
        for f in findings
        if f.outcome in ("fail", "warn", "unknown")
        and (key := (f.check, f.service)) not in mended
        and (not f.waived or key in closing)
    ]


def lacking(
    model: Model, solver: Solver, target: int, budget_hours: float | None = None
) -> tuple[str, ...]:
    """Return what reaching `target` takes besides the work, or besides the hours there are."""
    if solver.best.value >= target:
        least = solver.least(target)
        hours = float(solver.hours(least.chosen)) if least else 0.0
        return (f"{hours:g} h of work reach {target}, and {budget_hours or 0:g} h are given",)
    return (
        *_blockers(solver, target),
        *_areas(solver, target),
        *_coverage(solver, target),
        *_at_best(model, solver, target),
    )


def _blockers(solver: Solver, target: int) -> list[str]:
    """Return the blockers that are still open with all work done, by what each wants."""
    closing = set(solver.best.in_the_way(target))
    left = [f for f in solver.best.open_blockers if (f.check, f.service) in closing]
    kinds = (
        (
            "blocker is waived, and a waiver mends nothing",
            "blockers are waived, and waivers mend nothing",
            [f for f in left if f.waived],
        ),
        (
            "blocker is unknown: measure it",
            "blockers are unknown: measure them",
            _open(left, "unknown"),
        ),
        (
            "blocker is too close to call: take more samples",
            "blockers are too close to call: take more samples",
            [f for f in left if f.undecided and not f.waived],
        ),
        (
            "blocker fails by the outage of another service: run again once that is up",
            "blockers fail by outages of other services: run again once those are up",
            _open(left, "fail"),
        ),
    )
    return [_counted(found, one, many) for one, many, found in kinds if found]


def _open(left: Sequence[Finding], outcome: str) -> list[Finding]:
    return [f for f in left if f.outcome == outcome and not f.waived and not f.undecided]


def _counted(found: Sequence[Finding], one: str, many: str) -> str:
    named = ", ".join(f"{f.title} on {f.service}" for f in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{len(found)} {one if len(found) == 1 else many} ({named}{more})"


def _areas(solver: Solver, target: int) -> list[str]:
    least, card = demands(target).area, solver.best.ledger.card()
    return [
        f"{a.title} comes to {a.score}, of {least}" + (f" ({a.because})" if a.because else "")
        for a in card.areas
        if a.score is not None and a.score < least
    ]


def _coverage(solver: Solver, target: int) -> list[str]:
    least, got = demands(target).coverage, solver.best.ledger.card().coverage
    if got >= least:
        return []
    return [
        f"coverage comes to {got * 100:.0f} %, of {least * 100:.0f} %: measure what was not tested"
    ]


def _at_best(model: Model, solver: Solver, target: int) -> list[str]:
    """Say what comes of all work, and of it if all passes that no work mends."""
    found = [f"all work leads to {int(100 * solver.best.exact)} before caps"]
    rest = unmended(model.findings, solver, target)
    if rest:
        after = solver.best.passing(rest).value
        some = "1 check passes" if len(rest) == 1 else f"{len(rest)} checks pass"
        found.append(f"if the {some} as well that no work mends, the score is {after}")
    return found
