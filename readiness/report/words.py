"""Values of an assessment -> the words and numbers that a report prints for them."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from readiness.assessment.leniency import WaiverRow
from readiness.assessment.objectives import ObjectiveRow, higher_is_better
from readiness.assessment.plan import Work
from readiness.checks import Check
from readiness.estimate import Estimate, needed
from readiness.finding import Finding
from readiness.policy import Eased
from readiness.quantity import Unit, amount

_BLOCKS = "·▁▂▃▄▅▆▇█"

NONE = "–"

Sign = Literal["good", "fair", "bad", "unknown", "none"]
ICONS: Mapping[Sign, str] = {
    "good": "✅",
    "fair": "⚠️",
    "bad": "❌",
    "unknown": "❔",
    "none": NONE,
}
SIGNS: Mapping[str, Sign] = {
    **dict.fromkeys(("pass", "up", "ready", "met"), "good"),
    **dict.fromkeys(("warn", "ready_with_fixes", "ready with fixes", "conditional"), "fair"),
    **dict.fromkeys(("fail", "down", "not_ready", "not ready", "partial", "missed"), "bad"),
    **dict.fromkeys(("unknown", "inconclusive", "not measured"), "unknown"),
    "not_applicable": "none",
    "passed": "good",
    "failed": "bad",
    "not reached": "none",
    "regressed": "bad",
    "changed": "fair",
    "improved": "good",
    "unchanged": "none",
    "not_comparable": "unknown",
}
"""Each outcome, status, readiness, verdict and label -> its sign."""


def icon(word: str) -> str:
    """Return the sign that stands before `word`."""
    return ICONS[SIGNS[word]]


def spoken(word: str) -> str:
    """Return an identifier as words: `not_ready` is `not ready`."""
    return word.replace("_", " ")


def points(finding: Finding) -> str:
    """Return the score of 100 that counts; what the evidence also allows is told by `upper`."""
    return f"{math.floor(100 * finding.score)}"


def gain(work: Work) -> str:
    """Return the points (of 100, before caps) that a piece of work adds."""
    return f"+{float(100 * work.gain):.1f}"


def goal(row: ObjectiveRow) -> str:
    """Return an objective's target as a condition: `≥ 95 %`."""
    return f"{'≥' if higher_is_better(row.id) else '≤'} {amount(row.target, row.unit)}"


def met(value: bool | None) -> str:
    """Return whether an objective is `met`, `missed` or `not measured`."""
    return "not measured" if value is None else "met" if value else "missed"


def moment(at: datetime) -> str:
    """Return a time in UTC to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def duration(seconds: float) -> str:
    """Return whole seconds, with minutes from 100 s on."""
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60} s"


def hours(effort: float) -> str:
    """Return an effort in hours."""
    return f"{effort:g} h"


def share(ratio: float) -> str:
    """Return a ratio as percent."""
    return amount(ratio, "ratio")


def interval(estimate: Estimate, unit: Unit) -> str:
    """Return an estimate with its interval: `53.4 ms (53.1–54)`, NONE if it has no value."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return NONE
    value = amount(estimate.value, unit)
    _, space, name = value.partition(" ")
    low, high = (amount(e, unit).removesuffix(space + name) for e in (estimate.low, estimate.high))
    return f"{value} ({low}–{high})"


def rate(estimate: Estimate | None) -> str:
    """Return a rate with its interval: `50 % (45.6–54.4)`."""
    return NONE if estimate is None else interval(estimate, "ratio")


def percentile(estimate: Estimate | None, q: float) -> str:
    """Return milliseconds with their interval: `53.4 (53.1–54)`, or what is missing."""
    if estimate is not None and estimate.value is None:
        return f"n too small: needs {needed(q)}" if estimate.n < needed(q) else "too dependent"
    return NONE if estimate is None else interval(estimate, "")


def apart(estimate: Estimate | None) -> str:
    """Return a difference in milliseconds with its sign and interval: `+1.2 (+0.9 to +1.5)`."""
    return _signed(estimate, lambda ms: ms)


def change(estimate: Estimate | None) -> str:
    """Return the ratio of two times as what was added to the one: `+25 % (+24 to +26)`."""
    text = _signed(estimate, lambda ratio: 100 * (ratio - 1))
    return text.replace(" (", " % (")


def _signed(estimate: Estimate | None, scaled: Callable[[float], float]) -> str:
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return NONE
    ends = (estimate.value, estimate.low, estimate.high)
    parts = [round(scaled(end), 2) + 0.0 for end in ends]  # -0.0 is 0
    value, low, high = (("+" if part > 0 else "") + amount(part, "") for part in parts)
    return f"{value} ({low} to {high})"


def spark(bars: Sequence[int]) -> str:
    """Return counts as a row of blocks, each as high as its share of the greatest."""
    most = max(bars, default=0)
    if not most:
        return NONE
    return "".join(_BLOCKS[math.ceil(count * (len(_BLOCKS) - 1) / most)] for count in bars)


def measured(finding: Finding) -> str:
    """Return the value that was judged; an estimate comes with its interval."""
    value, unit = finding.measured, finding.unit
    if isinstance(value, Estimate):
        return interval(value, unit)
    if isinstance(value, bool):
        return "holds" if finding.outcome == "pass" else "does not hold"
    if isinstance(value, int | float):
        return amount(value, unit)
    return NONE if value is None else value


def samples(finding: Finding) -> str:
    """Return n, where the value was sampled."""
    return str(finding.measured.n) if isinstance(finding.measured, Estimate) else NONE


def demanded(finding: Finding, check: Check) -> tuple[str, str]:
    """Return the target and the limit as conditions: `≤ 200 ms`."""
    if finding.target is None or finding.limit is None:
        wanted = "holds" if check.one_of is None else " or ".join(map(str, check.one_of))
        return wanted, NONE
    sign = "≤" if check.better == "lower" else "≥"
    return (
        f"{sign} {amount(finding.target, finding.unit)}",
        f"{sign} {amount(finding.limit, finding.unit)}",
    )


def waived(row: WaiverRow) -> str:
    """Return a waiver and how it stands: `latency-p95 on auth (@dana) ends in 3 days`."""
    w = row.waiver
    stands = {
        "in_force": f"holds until {w.until}",
        "expiring": f"ends in {plural(row.days_left, 'day')}" if row.days_left else "ends today",
        "expired": f"expired on {w.until}",
        "not_needed": "excuses nothing",
        "not_accepted": "is not accepted by the policy",
    }
    return f"{w.check} on {w.service or 'all services'} ({w.owner}) {stands[row.state]}"


def eased(one: Eased) -> str:
    """Return a setting that is easier than usual: `ready.score 60, usually 85`."""
    return f"{one.setting} {one.value}, usually {one.usual}"


def number(n: int) -> str:
    """Return a whole number with its thousands apart: `31,400`."""
    return f"{n:,}"


def joined(parts: tuple[str, ...], most: int) -> str:
    """Return at most `most` parts as an enumeration that says how many are left out."""
    left = len(parts) - most
    return ", ".join(parts[:most]) + (f" and {left} more" if left > 0 else "")


def sentence(parts: tuple[str, ...]) -> str:
    """Return `parts` as one sentence."""
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def plural(n: int, noun: str) -> str:
    """Return `n` with its noun: `1 check`, `2 checks`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"
