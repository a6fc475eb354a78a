"""Check x Measurement -> Finding: one criterion judged on one service."""

import math
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from readiness import curve
from readiness.checks import Check, Criteria
from readiness.estimate import Estimate
from readiness.failure import Failure
from readiness.finding import Finding, Outcome
from readiness.inventory import Inventory, Policy, Subject, Waiver
from readiness.measurement import NOT_FINITE, Measurement, Value, number
from readiness.policy import PRODUCTION, blocks, refusal
from readiness.quantity import amount

FLAKY_SCORE = 0.5
"""The most that a check scores which passed only when it was tried again."""


class _Judged(NamedTuple):
    outcome: Outcome
    score: float
    upper: float
    because: str
    undecided: bool = False
    flaky: bool = False
    measured: Value | None = None
    failure: Failure | None = None


def judge_all(
    inventory: Inventory,
    measurements: Sequence[Measurement],
    criteria: Criteria,
    on: date,
    policy: Policy = PRODUCTION,
) -> tuple[Finding, ...]:
    """Judge every check that concerns a service, measured or not, in the inventory's order.

    `on` is the day (UTC) whose waivers are in force; `policy` says which checks block, and which
    waivers are accepted.
    """
    attempts: dict[tuple[str, str], list[Measurement]] = {}
    for m in sorted(measurements, key=lambda m: m.attempt):
        attempts.setdefault((m.probe, m.service), []).append(m)
    concerning = _Concerning(criteria)
    return tuple(
        judge(
            check,
            service,
            attempts.get((check.probe, service.name), ()),
            inventory.waivers,
            on,
            policy,
        )
        for service in inventory.subjects
        for check in concerning(service)
    )


class _Concerning:
    """The checks of a subject, told once for all that are of one kind and ask for the same."""

    def __init__(self, criteria: Criteria) -> None:
        self._criteria = criteria
        self._known: dict[tuple[str, tuple[str, ...]], tuple[Check, ...]] = {}

    def __call__(self, subject: Subject) -> tuple[Check, ...]:
        key = (subject.kind, subject.expected_probes)
        if key not in self._known:
            checks = self._criteria.checks.values()
            self._known[key] = tuple(check for check in checks if check.concerns(subject))
        return self._known[key]


def judge(
    check: Check,
    service: Subject,
    attempts: Sequence[Measurement],
    waivers: Sequence[Waiver],
    on: date,
    policy: Policy = PRODUCTION,
) -> Finding:
    """Judge `check` on `service` by the last of `attempts`; none at all is unknown."""
    try:
        check = check.for_service(service)
    except ValueError as error:
        judged = _unknown(f"the service's own target or limit cannot be used: {error}")
    else:
        judged = _flaky(attempts, _judge(check, service, attempts))
    blocker = blocks(policy, check, service)
    waiver, ignored = _waiver(check, service, waivers, on, policy, blocker)
    because = judged.because
    if ignored and (judged.outcome in ("fail", "unknown") or judged.undecided):
        because += f" ({ignored})"
    return Finding(
        check=check.id,
        probe=check.probe,
        service=service.name,
        area=check.area,
        title=check.title,
        severity=check.severity,
        blocker=blocker,
        usual_blocker=blocks(PRODUCTION, check, service),
        outcome=judged.outcome,
        undecided=judged.undecided,
        flaky=judged.flaky,
        score=judged.score,
        upper=judged.upper,
        measured=judged.measured,
        unit=check.unit,
        target=check.target,
        limit=check.limit,
        because=because,
        fix=check.fix,
        failure=judged.failure,
        waiver=waiver,
    )


def _judge(check: Check, service: Subject, attempts: Sequence[Measurement]) -> _Judged:
    undeclared = check.undeclared(service)
    if undeclared:
        return _Judged("not_applicable", 0.0, 1.0, undeclared)
    if not attempts:
        return _unknown("not measured")
    last = attempts[-1]
    if last.failure:
        return _failed(last.failure)
    if check.when:
        fact = last.values.get(check.when.metric)
        told = last.values.get(f"{check.when.metric}_because")
        if not isinstance(fact, bool):
            return _unknown(str(told or f"{check.when.metric} was not measured"))
        if fact is not check.when.equals:
            return _Judged("not_applicable", 0.0, 1.0, str(told or check.when.otherwise))
    explained = last.values.get(f"{check.metric}_because")
    value = last.values.get(check.metric)
    if value is None:
        return _unknown(str(explained or f"{check.metric} was not measured"))
    judged = _value(check, value)
    if explained and judged.outcome != "pass":
        because = f"{judged.because}: {explained}" if check.must_be is None else str(explained)
        return judged._replace(because=because)
    return judged


def _unknown(because: str, failure: Failure | None = None) -> _Judged:
    return _Judged("unknown", 0.0, 1.0, because, failure=failure)


def _bug(check: Check) -> _Judged:
    detail = f"{check.metric} is not a possible value"
    return _unknown(detail, Failure(kind="probe_bug", detail=detail))


def _failed(failure: Failure) -> _Judged:
    if failure.blames_target:
        return _Judged("fail", 0.0, 0.0, failure.detail, failure=failure)
    return _unknown(failure.detail, failure)


def _retried(attempts: Sequence[Measurement]) -> bool:
    return bool(attempts) and attempts[-1].attempt > 1


def _flaky(attempts: Sequence[Measurement], judged: _Judged) -> _Judged:
    if not _retried(attempts) or judged.outcome not in ("pass", "warn"):
        return judged
    first = attempts[0].failure if len(attempts) > 1 else None
    return judged._replace(
        outcome="warn",
        flaky=True,
        score=min(FLAKY_SCORE, judged.score),
        upper=min(FLAKY_SCORE, judged.upper),
        because=f"flaky: attempt 1 failed ({first.detail if first else 'not kept'}), "
        f"attempt {attempts[-1].attempt}: {judged.because}",
    )


def _value(check: Check, value: Value) -> _Judged:
    if check.must_be is not None:
        if not isinstance(value, bool):
            return _bug(check)
        passed = value is check.must_be
        return _plain(passed, value, "holds" if passed else "does not hold")
    if check.one_of is not None:
        if type(value) not in map(type, check.one_of) or value in NOT_FINITE:
            return _bug(check)
        return _plain(value in check.one_of, value, str(value))
    if isinstance(value, Estimate):
        return _estimate(check, value)
    plain = number(value)
    if check.sampled or plain is None:
        return _bug(check)
    judged = _number(check, plain)
    return judged if judged.outcome == "unknown" else judged._replace(measured=value)


def _plain(passed: bool, value: Value, shown: str) -> _Judged:
    x = 1.0 if passed else 0.0
    return _Judged("pass" if passed else "fail", x, x, shown, measured=value)


def _impossible(check: Check, *numbers: float) -> bool:
    """Whether no honest probe could have read these: NaN, a negative time, a rate over 1."""
    return any(
        not math.isfinite(v)
        or (check.unit in ("ms", "bytes", "count", "ratio") and v < 0)
        or (check.unit == "ratio" and check.curve == "nines" and v > 1)
        for v in numbers
    )


def _number(check: Check, value: float) -> _Judged:
    if _impossible(check, value):
        return _bug(check)
    assert check.target is not None and check.limit is not None
    x = curve.score(value, check.target, check.limit, check.curve, check.better)
    shown = amount(value, check.unit)
    if curve.meets(value, check.target, check.better):
        return _Judged("pass", x, x, f"{shown} is within {amount(check.target, check.unit)}")
    if curve.meets(value, check.limit, check.better):
        return _Judged(
            "warn",
            x,
            x,
            f"{shown} misses the target of "
            f"{amount(check.target, check.unit)}, within the limit of "
            f"{amount(check.limit, check.unit)}",
        )
    return _Judged(
        "fail", x, x, f"{shown} is beyond the limit of {amount(check.limit, check.unit)}"
    )


def _estimate(check: Check, e: Estimate) -> _Judged:
    if e.value is None or e.low is None or e.high is None:
        return _unknown(f"{e.n} samples are too few for this quantity")._replace(measured=e)
    if _impossible(check, e.value, e.low, e.high) or not e.low <= e.value <= e.high or e.n < 1:
        return _bug(check)
    worse, better = (e.high, e.low) if check.better == "lower" else (e.low, e.high)
    assert check.target is not None and check.limit is not None
    bad, good = _number(check, worse), _number(check, better)
    outcome: Outcome = "warn"
    if bad.outcome == "pass":
        outcome = "pass"
    elif good.outcome == "fail":
        outcome = "fail"
    straddles = e.low <= check.limit <= e.high and outcome == "warn"
    shown = (
        f"{amount(e.value, check.unit)} ({amount(e.low, check.unit)} to "
        f"{amount(e.high, check.unit)}, n = {e.n})"
    )
    return _Judged(
        outcome,
        bad.score,
        good.score,
        shown + _verdict_words(check, outcome, good.outcome, straddles),
        undecided=straddles,
        measured=e,
    )


def _verdict_words(check: Check, outcome: Outcome, at_best: Outcome, undecided: bool) -> str:
    target, limit = amount(check.target or 0, check.unit), amount(check.limit or 0, check.unit)
    if undecided:
        return f" is too close to the limit of {limit} to call"
    if outcome == "pass":
        return f" is within {target}"
    if outcome == "fail":
        return f" is beyond the limit of {limit}"
    miss = "is not surely within" if at_best == "pass" else "misses"
    return f" {miss} the target of {target}, within the limit of {limit}"


def _waiver(
    check: Check,
    service: Subject,
    waivers: Sequence[Waiver],
    on: date,
    policy: Policy,
    blocker: bool,
) -> tuple[Waiver | None, str]:
    """Return the last waiver in force and, failing one, why the last there is does not hold."""
    mine = [w for w in waivers if w.check == check.id and w.service in (None, service.name)]
    ignored = {w: _ignored(w, on, policy, blocker) for w in mine}
    held = max((w for w in mine if not ignored[w]), key=lambda w: w.until, default=None)
    latest = max(mine, key=lambda w: w.until, default=None)
    return held, "" if held or latest is None else ignored[latest]


def _ignored(waiver: Waiver, on: date, policy: Policy, blocker: bool) -> str:
    """Return why `waiver` does not hold on the day `on`; empty if it does."""
    if waiver.until < on:
        return f"the waiver of {waiver.owner} expired on {waiver.until}"
    why = refusal(policy, waiver, blocker, on)
    return f"the waiver of {waiver.owner} is not accepted: {why}" if why else ""
