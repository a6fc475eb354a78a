"""What rules say of each container -> values: one metric a rule, and whether it applies at all."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from readiness.document.tree import Node
from readiness.measurement import Values

_NAMED = 3
_LONGEST = 170


@dataclass(frozen=True)
class Verdict:
    """What one rule says of one container; `value` where it is a quantity, the greater the worse.

    `beside`: there is nothing to judge. `unknown`: the file does not tell.
    """

    outcome: Literal["good", "bad", "unknown", "beside"]
    text: str = ""
    value: float | None = None


GOOD = Verdict("good")

Rule = Callable[[Any], Verdict]


def bad(at: Node, who: str, text: str) -> Verdict:
    """Say what is wrong, where, and with whom."""
    return Verdict("bad", _line(f"{at.where} {who}: {text}"))


def unknown(at: Node, who: str, text: str) -> Verdict:
    """Say what the file does not tell."""
    return Verdict("unknown", _line(f"{at.where} {who}: {text}"))


def beside(text: str) -> Verdict:
    """Say why there is nothing to judge."""
    return Verdict("beside", _line(text))


def measured(value: float, at: Node, who: str, text: str) -> Verdict:
    """Say how much it is."""
    return Verdict("good", _line(f"{at.where} {who}: {text}"), value)


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"


def ask(rules: Mapping[str, Rule], subjects: Iterable[Any]) -> Values:
    """Return the metrics of all `rules`, each asked of every subject; there is at least one."""
    values: Values = {}
    asked = list(subjects)
    for metric, rule in rules.items():
        values.update(combined(metric, [rule(one) for one in asked]))
    return values


def combined(metric: str, verdicts: Sequence[Verdict]) -> Values:
    """Return `metric` over all: bad if one is, else unknown if one is, else good if one is."""
    by = {
        outcome: [one for one in verdicts if one.outcome == outcome]
        for outcome in ("bad", "unknown", "good", "beside")
    }
    applies = f"{metric}_applies"
    if by["bad"]:
        return {applies: True, metric: False, f"{metric}_because": listed(by["bad"])}
    if by["unknown"]:
        return {applies: True, f"{metric}_because": f"not tested: {listed(by['unknown'])}"}
    if not by["good"]:
        return {applies: False, f"{applies}_because": listed(by["beside"])}
    worst = max(by["good"], key=lambda one: one.value or 0.0)
    if worst.value is None:
        return {applies: True, metric: True}
    return {applies: True, metric: worst.value, f"{metric}_because": worst.text}


def nothing(rules: Iterable[str], because: str) -> Values:
    """Return that no rule applies."""
    values: Values = {}
    for metric in rules:
        values |= {f"{metric}_applies": False, f"{metric}_applies_because": because}
    return values


def untold(rules: Iterable[str], because: str) -> Values:
    """Return that no rule could be asked."""
    values: Values = {}
    for metric in rules:
        values |= {f"{metric}_applies_because": f"not tested: {because}"}
    return values


def listed(verdicts: Sequence[Verdict]) -> str:
    """Return the first few texts, and how many more there are."""
    texts = list(dict.fromkeys(one.text for one in verdicts))
    more = f", and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return "; ".join(texts[:_NAMED]) + more
