"""`backtest`: new checks and a history -> which past runs they would have blocked."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from readiness import criteria
from readiness.assessment.backtest import Backtest, Effect, backtest
from readiness.checks import Check, Criteria
from readiness.cli.assess import judged_by
from readiness.cli.columns import columns
from readiness.cli.keeper import tell
from readiness.cli.option import member
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.escape import ci_log
from readiness.finding import Outcome
from readiness.history import History, Run, open_history
from readiness.inventory import FailOn
from readiness.policy import overridden
from readiness.report.words import NONE, moment, plural, spoken

SCHEMA = "readiness/backtest/v1"

_ID = 8
_EFFECTS: Mapping[Effect, str] = {
    "blocked": "newly blocked",
    "inconclusive": "newly inconclusive",
    "not_passed": "did not pass anyway",
    "passes": "passes still",
    "cannot_tell": "cannot tell",
}
_OUTCOMES: Mapping[Outcome, str] = {
    "fail": "fail",
    "warn": "warn",
    "pass": "pass",
    "unknown": "not measured then",
}
_HEADS = ("run", "date", "system", "environment", "then", "with the new", "effect", "new findings")


class _Tried(NamedTuple):
    run: Run
    result: Backtest


def run(
    new: Sequence[Path],
    fail_on: str | None,
    where: str | None,
    system: str | None,
    environment: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print what `new` packs, or a stricter gate, would have made of the newest `limit` runs."""
    level: FailOn | None = member(fail_on, FailOn, "--fail-on") if fail_on else None
    if not new and level is None:
        raise ConfigurationError(
            "there is nothing to try on past runs.",
            fix="Name a pack of checks, or a stricter gate as in --fail-on conditional.",
        )
    rules = judged_by(criteria.read_packs(new))
    added = {name: rules.checks[name] for name in sorted(rules.added)}
    history = open_history(where, os.environ, tell, create=False)
    try:
        runs = history.runs(system, environment, limit=limit, complete=True)
        tried = [_Tried(one, _tried(history, one, added, rules, level)) for one in runs]
    finally:
        history.close()
    if as_json:
        say(json.dumps(_contract(history.where, added, tried), indent=1))
    else:
        for text in _told(history.where, tried):
            say(text)


def _tried(
    history: History, run: Run, added: Mapping[str, Check], rules: Criteria, level: FailOn | None
) -> Backtest:
    kept = history.get(run.run_id)
    areas = {check.area: rules.areas[check.area] for check in added.values()}
    stricter = kept.criteria.model_copy(
        update={
            "checks": {**kept.criteria.checks, **added},
            "areas": {**areas, **kept.criteria.areas},
            "added": kept.criteria.added | added.keys(),
        }
    )
    policy = overridden(kept.evidence.policy, level, None)
    changed = kept.evidence.model_copy(update={"policy": policy})
    return backtest(kept.evidence, kept.criteria, stricter, changed)


def _told(where: str, tried: Sequence[_Tried]) -> Iterator[str]:
    if not tried:
        yield ci_log(f"No complete run is kept in {where}.")
        return
    yield from columns(_HEADS, [_row(one) for one in tried], ())
    yield ""
    yield _summary(tried)


def _summary(tried: Sequence[_Tried]) -> str:
    counts = Counter(one.result.effect for one in tried)
    of = plural(len(tried), "past run")
    untold, inconclusive = counts["cannot_tell"], counts["inconclusive"]
    told = [f"{counts['blocked']} of {of} would have been blocked"]
    if inconclusive:
        told.append(f"{inconclusive} would have been inconclusive (exit 4)")
    if untold:
        told.append(f"{untold} could not tell, for what is asked was not measured then")
    told.append(f"{counts['not_passed']} did not pass anyway")
    return "; ".join([*told, f"{counts['passes']} pass still"]) + "."


def _row(one: _Tried) -> tuple[str, ...]:
    run, result = one.run, one.result
    counts = [
        f"{result.outcomes[outcome]} {word}"
        for outcome, word in _OUTCOMES.items()
        if result.outcomes.get(outcome)
    ]
    return (
        run.run_id[:_ID],
        moment(run.started_at),
        run.system,
        run.environment,
        f"{spoken(result.before.verdict)} {result.before.value}",
        f"{spoken(result.after.verdict)} {result.after.value}",
        _EFFECTS[result.effect],
        ", ".join(counts) or NONE,
    )


def _contract(where: str, added: Mapping[str, Check], tried: Sequence[_Tried]) -> Mapping[str, Any]:
    counts = Counter(one.result.effect for one in tried)
    return {
        "schema": SCHEMA,
        "history": where,
        "checks": list(added),
        "counts": {effect: counts[effect] for effect in _EFFECTS},
        "runs": [_result(one) for one in tried],
    }


def _result(one: _Tried) -> Mapping[str, Any]:
    before, after = one.result.before, one.result.after
    return {
        **one.run.model_dump(
            mode="json", include={"run_id", "system", "environment", "started_at"}
        ),
        "effect": one.result.effect,
        "before": {
            "verdict": before.verdict,
            "score": before.value,
            "exit": before.gated_exit_code,
        },
        "after": {"verdict": after.verdict, "score": after.value, "exit": after.gated_exit_code},
        "findings": [
            {
                "check": f.check,
                "service": f.service,
                "outcome": f.outcome,
                "because": f.because,
            }
            for f in one.result.findings
            if f.outcome != "not_applicable"
        ],
    }
