"""A PromQL expression -> its vector selectors, and whether one can select given series."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*)"
    r"|(?P<range>\[[^\]]*\])"
    r"|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"
    r"|(?P<number>[0-9][0-9A-Za-z_.]*)"
    r"|(?P<name>[A-Za-z_:][A-Za-z0-9_:.]*)"
    r"|(?P<sign>=~|!~|!=|==|.)",
    re.DOTALL,
)
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LONGEST = 20_000
_LONGEST_PATTERN, _LONGEST_VALUE, _MOST_REPEATS = 1000, 100, 3
"""Within which Python's backtracking takes no time that counts; RE2 itself never backtracks."""


class Matcher(NamedTuple):
    """One condition on a label: `=`, `!=`, `=~` or `!~` a value."""

    label: str
    sign: str
    value: str

    def accepts(self, value: str) -> bool:
        """Whether a label of this value is selected; not if the pattern is too odd to be tried."""
        if self.sign in ("=", "!="):
            return (value == self.value) is (self.sign == "=")
        found = fits(self.value, value)
        return found is not None and found is (self.sign == "=~")


@dataclass(frozen=True)
class Selector:
    """A metric, if it is named, and the conditions on its labels."""

    metric: str | None
    matchers: tuple[Matcher, ...]

    def selects(self, labels: Mapping[str, str], *, strictly: bool) -> bool:
        """Whether no condition rules the labels out; `strictly`, a missing label counts as empty.

        Else conditions on labels that are missing are left out: another metric may have them.
        """
        return all(
            matcher.accepts(labels.get(matcher.label, ""))
            for matcher in self.matchers
            if strictly or matcher.label in labels
        )


def fits(pattern: str, value: str) -> bool | None:
    """Whether the anchored pattern matches; None for one that is invalid or too costly to try."""
    repeats = max(len(re.findall(r"[*+}]", part)) for part in pattern.split("|"))
    if len(pattern) > _LONGEST_PATTERN or len(value) > _LONGEST_VALUE or repeats > _MOST_REPEATS:
        return None
    if re.search(r"\)[*+{]", pattern):
        return None
    try:
        return bool(re.fullmatch(pattern, value, re.DOTALL))
    except (re.error, RecursionError, OverflowError):
        return None


def literal(text: str) -> str:
    """Return a pattern of RE2 for the text itself."""
    return "".join(c if c.isalnum() or c in "-_:/ " else f"\\{c}" for c in text)


def selectors(expression: str) -> tuple[Selector, ...]:
    """Return every selector of the expression, none twice."""
    tokens = [
        (match.lastgroup or "", match[0])
        for match in _TOKEN.finditer(expression[:_LONGEST])
        if match.lastgroup not in ("space", "range")
    ]
    return tuple(dict.fromkeys(_selectors(tokens)))


def _selectors(tokens: Sequence[tuple[str, str]]) -> Iterator[Selector]:
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if kind == "name" and text.lower() in _LABEL_LISTS:
            at = _after(tokens, at, ")") if following == "(" else at
        elif kind == "name" and following == "{":
            inside, at = _inside(tokens, at + 1)
            yield _selector(text, inside)
        elif text == "{" and kind == "sign":
            inside, at = _inside(tokens, at)
            yield _selector(None, inside)
        elif kind == "name" and _is_metric(text, following):
            yield Selector(text, ())


def _is_metric(text: str, following: str) -> bool:
    """Whether a bare name is a metric: no function, no aggregation, no operator."""
    return (
        following != "("
        and following.lower() not in ("by", "without")
        and (text.lower() not in _WORDS)
    )


def _after(tokens: Sequence[tuple[str, str]], at: int, end: str) -> int:
    while at < len(tokens) and tokens[at][1] != end:
        at += 1
    return at + 1


def _inside(tokens: Sequence[tuple[str, str]], at: int) -> tuple[Sequence[tuple[str, str]], int]:
    end = _after(tokens, at, "}")
    return tokens[at : end - 1], end


def _selector(metric: str | None, inside: Sequence[tuple[str, str]]) -> Selector:
    matchers = []
    parts = [(kind, _plain(kind, text)) for kind, text in inside]
    for at, (kind, text) in enumerate(parts):
        sign = parts[at + 1][1] if at + 1 < len(parts) else ""
        before = parts[at - 1][1] if at else ","
        if sign in ("=", "!=", "=~", "!~") and at + 2 < len(parts):
            matchers.append(Matcher(text, sign, parts[at + 2][1]))
        elif kind == "string" and before == "," and metric is None:
            metric = text  # {"a name of any characters", job="x"}, since Prometheus 3
    for matcher in matchers:
        if matcher.label == "__name__" and matcher.sign == "=":
            metric = matcher.value
    return Selector(metric, tuple(m for m in matchers if m.label != "__name__"))


def _plain(kind: str, text: str) -> str:
    if kind != "string":
        return text
    if text.startswith("`"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
