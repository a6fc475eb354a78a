"""`plan`: a run and a target -> the least work to it, as a table or as JSON."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from readiness.assessment import Assessment
from readiness.assessment.goal import ready, scored
from readiness.assessment.least import LeastPlan, least_plan
from readiness.cli.columns import columns
from readiness.cli.judged import judged
from readiness.cli.say import say
from readiness.cli.words import VERDICTS
from readiness.document import ConfigurationError
from readiness.escape import ci_log
from readiness.report.page import Page
from readiness.report.words import hours, moment, plural
from readiness.score import grade

SCHEMA = "readiness/plan/v1"

READY = "ready"
_MOST_HOURS = 1_000_000
_LEFT = 3
"""Pieces of work left out that are named."""
_HEADS = ("", "problem", "service", "owner", "hours", "total", "score then", "because")
_NUMBERS = frozenset({"", "hours", "total", "score then"})


def run(
    word: str | None, folder: Path, where: str | None, target: str, given: str | None, as_json: bool
) -> None:
    """Print the least work that brings the run named by `word` to `target`."""
    budget = None if given is None else _hours(given)
    wanted = _target(target)
    found = judged(word, folder, where)
    model = found.model
    goal = ready(model.evidence.policy) if wanted is None else scored(wanted, model.standing.strict)
    plan = least_plan(model, found.work, goal, budget)
    if as_json:
        say(json.dumps(_contract(found, plan), indent=1, ensure_ascii=False))
    else:
        for text in _told(found, plan):
            say(text)


def _target(written: str) -> int | None:
    """Return the score that `written` names, None for READY."""
    if written.lower() == READY:
        return None
    if not written.isascii() or not written.isdigit() or not 1 <= int(written) <= 100:
        raise ConfigurationError(
            f"--target is a score from 1 to 100, or {READY}, and not '{written}'.",
            fix="Write --target 90.",
        )
    return int(written)


def _hours(written: str) -> float:
    try:
        value = float(written.strip().removesuffix("h"))
    except ValueError:
        value = math.nan
    if not 0 <= value <= _MOST_HOURS:
        raise ConfigurationError(
            f"--hours is a number of hours, none or more, and not '{written}'.",
            fix="Write --hours 8.",
        )
    return value


def _contract(found: Assessment, plan: LeastPlan) -> dict[str, Any]:
    evidence, page = found.evidence, Page(found)
    told = plan.to_contract()
    items = [
        {**item, "problem": page.problem(step.work), "owner": _owner(found, step.work.head.service)}
        for item, step in zip(told["items"], plan.steps, strict=True)
    ]
    return {
        "schema": SCHEMA,
        "system": evidence.inventory.system.name,
        "environment": evidence.environment,
        "run_id": evidence.run_id,
        "finished_at": evidence.finished_at.isoformat(),
        "score_now": found.model.decision.value,
        **told,
        "items": items,
    }


def _owner(found: Assessment, service: str) -> str | None:
    return next(s.owner for s in found.evidence.inventory.subjects if s.name == service)


def _told(found: Assessment, plan: LeastPlan) -> Iterator[str]:
    decision, evidence = found.model.decision, found.evidence
    yield ci_log(
        f"{evidence.inventory.system.name} in {evidence.environment} on "
        f"{moment(evidence.finished_at)}: {VERDICTS[decision.verdict]} "
        f"{decision.value}/100 {decision.grade}, {found.model.card.raw} before caps"
    )
    yield ""
    yield from _headline(plan)
    if plan.steps:
        yield ""
        yield from _rows(Page(found), plan)
    if plan.left:
        yield ""
        yield _left(Page(found), plan)


def _headline(plan: LeastPlan) -> Iterator[str]:
    """Say how much work it is, what it leads to, and what is proven of it."""
    much = f"{plural(len(plan.steps), 'piece')} of work, {hours(plan.hours)}"
    end = f"{plan.score}/100 {grade(plan.score)}, {plan.raw} before caps"
    if plan.reached and not plan.steps:
        yield f"{plan.goal.name} is reached already: nothing needs to be done for it."
    elif plan.reached:
        yield f"The least work to {plan.goal.name}: {much}, then {end}. {proven(plan)}"
    elif plan.budget_hours is not None:
        yield f"The most that {hours(plan.budget_hours)} reach: {much}, then {end}. {proven(plan)}"
        yield f"{plan.goal.name} is not reached:"
    elif plan.score_if is not None:
        yield f"No work alone reaches {plan.goal.name}: it takes what is listed below as well."
        yield f"With that, the least work: {much}, then {plan.score_if}/100. {proven(plan)}"
        yield f"Without it the score is {end}. What else it takes:"
    else:
        yield f"{plan.goal.name} cannot be reached. The best that can: {much}, then {end}."
        yield "What is in the way:"
    yield from (f"  - {ci_log(need)}" for need in plan.needs)


def proven(plan: LeastPlan) -> str:
    """Say whether another choice might be better, and by how much at most."""
    if plan.budget_hours is not None and not plan.reached:
        if plan.at_most > plan.score:
            return f"Another choice might come to {plan.at_most} at most."
        return "No other choice within them comes to more."
    if plan.within_hours:
        return f"This is within {hours(plan.within_hours)} of the least."
    return "No other choice takes less."


def _rows(page: Page, plan: LeastPlan) -> Iterator[str]:
    rows = [
        (
            str(n),
            page.problem(step.work),
            step.work.head.service,
            page.owners[step.work.head.service],
            f"{step.work.head.fix.effort_hours:g}",
            f"{step.total_hours:g}",
            str(step.score),
            step.because,
        )
        for n, step in enumerate(plan.steps, 1)
    ]
    yield from columns(_HEADS, rows, _NUMBERS)


def _left(page: Page, plan: LeastPlan) -> str:
    spared = sum(work.head.fix.effort_hours for work in plan.left)
    named = ", ".join(f"{page.problem(w)} on {w.head.service}" for w in plan.left[:_LEFT])
    more = f" and {len(plan.left) - _LEFT} more" if len(plan.left) > _LEFT else ""
    return ci_log(
        f"Left out: {plural(len(plan.left), 'piece')} of work, {hours(spared)}: {named}{more}."
    )
