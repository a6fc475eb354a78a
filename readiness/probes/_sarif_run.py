"""One run of a scanner, as SARIF 2.1.0 has it -> its results, each with its grade and its place."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from readiness.escape import line

Level = Literal["none", "note", "warning", "error"]
LEVELS: tuple[Level, ...] = ("none", "note", "warning", "error")

_SECRET_SCANNERS = ("gitleaks", "trufflehog", "detect-secrets", "ggshield", "secret", "talisman")
_PLACE = 100


@dataclass(frozen=True)
class Result:
    """One result that stands: `severity` is a CVSS score, None where the scanner gives none.

    `shown` is rule and place, never the message or a snippet: these may quote a secret.
    """

    level: Level
    severity: float | None
    review: bool
    shown: str


class ScannerRun:
    """One element of `runs`; what has not the form that it must have is as good as absent."""

    def __init__(self, written: Mapping[str, Any], folder: str) -> None:
        self._run, self._folder = written, folder
        tool = table(written.get("tool"))
        self._driver = table(tool.get("driver"))
        self._extensions = list(map(table, rows(tool.get("extensions"))))
        self._by_id = {
            str(rule.get("id")): rule
            for component in (*self._extensions, self._driver)
            for rule in map(table, rows(component.get("rules")))
        }
        self.invocations = list(map(table, rows(written.get("invocations"))))

    @property
    def tool(self) -> str:
        """The scanner's name and version."""
        version = self._driver.get("semanticVersion") or self._driver.get("version") or ""
        return line(f"{self._driver.get('name') or 'a scanner'} {version}".strip(), 60)

    @property
    def seeks_secrets(self) -> bool:
        """Whether all that it finds is as grave as an error, whatever level it gives."""
        name = str(self._driver.get("name")).lower()
        return any(part in name for part in _SECRET_SCANNERS)

    @property
    def fault(self) -> str | None:
        """Why the run proves nothing: it failed, or does not say what it found."""
        if any(one.get("executionSuccessful") is False for one in self.invocations):
            return f"{self.tool} says that it failed"
        if not isinstance(self._run.get("results"), list):
            return f"{self.tool} tells of no results, not even of none"
        return None

    def results(self) -> Iterator[Result]:
        """Yield the results that stand: neither passed, nor suppressed, nor gone since."""
        for written in map(table, rows(self._run.get("results"))):
            kind = written.get("kind", "fail")
            if written.get("baselineState") == "absent" or _suppressed(written):
                continue
            if kind not in ("pass", "notApplicable", "informational"):
                yield self._result(written, review=kind in ("review", "open"))

    def _result(self, written: Mapping[str, Any], *, review: bool) -> Result:
        rule = self._rule(written)
        level: Level = "none" if review else self._level(written, rule)
        return Result(level, _severity(written, rule), review, self._shown(written, rule))

    def _rule(self, written: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the rule's description, by its index or its name (SARIF 2.1.0, 3.52.3)."""
        reference = table(written.get("rule"))
        component = _at(self._extensions, table(reference.get("toolComponent")).get("index"))
        rules = list(map(table, rows((component or self._driver).get("rules"))))
        name = str(reference.get("id") or written.get("ruleId") or "")
        found = _at(rules, reference.get("index", written.get("ruleIndex")))
        while found is None and name:
            found = self._by_id.get(name)
            name = name.rpartition("/")[0]
        return found or {}

    def _level(self, written: Mapping[str, Any], rule: Mapping[str, Any]) -> Level:
        """Return the result's level, or what its rule was set to (SARIF 2.1.0, 3.27.10)."""
        at = table(written.get("provenance")).get("invocationIndex")
        overrides = rows((_at(self.invocations, at) or {}).get("ruleConfigurationOverrides"))
        set_to = [
            table(one.get("configuration")).get("level")
            for one in map(table, overrides)
            if self._rule({"rule": one.get("descriptor")}) is rule
        ]
        usual = table(rule.get("defaultConfiguration")).get("level")
        for level in (written.get("level"), *set_to, usual):
            if level in LEVELS:
                return level  # type: ignore[no-any-return]
        return "warning"

    def _shown(self, written: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
        name = str(written.get("ruleId") or rule.get("id") or "a rule without a name")
        places = [table(one) for one in rows(written.get("locations"))[:1]]
        place = self._place(places[0]) if places else ""
        return f"{line(name, 60)} at {place}" if place else line(name, 60)

    def _place(self, location: Mapping[str, Any]) -> str:
        physical = table(location.get("physicalLocation"))
        artifact = table(physical.get("artifactLocation"))
        if not artifact.get("uri"):
            known = list(map(table, rows(self._run.get("artifacts"))))
            artifact = table((_at(known, artifact.get("index")) or {}).get("location"))
        number = table(physical.get("region")).get("startLine")
        path = _path(str(artifact.get("uri") or ""), self._folder)
        if not path:
            logical = map(table, rows(location.get("logicalLocations"))[:1])
            return line(
                "".join(str(one.get("fullyQualifiedName") or "") for one in logical), _PLACE
            )
        return f"{path}:{number}" if isinstance(number, int) else path


def table(value: Any) -> Mapping[str, Any]:
    """Return a JSON object, an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> Sequence[Any]:
    """Return a JSON array, an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def _at(values: Sequence[Mapping[str, Any]], index: Any) -> Mapping[str, Any] | None:
    right = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(values)
    return values[index] if right else None


def _suppressed(written: Mapping[str, Any]) -> bool:
    """Whether all suppressions hold; one under review or rejected lets the result stand."""
    states = [table(one).get("status", "accepted") for one in rows(written.get("suppressions"))]
    return bool(states) and all(state == "accepted" for state in states)


def _severity(*bearers: Mapping[str, Any]) -> float | None:
    """Return the CVSS score in the properties of the result, else of its rule."""
    for bearer in bearers:
        told = table(bearer.get("properties")).get("security-severity")
        if isinstance(told, str | int | float) and not isinstance(told, bool):
            try:
                score = float(told if not isinstance(told, str) else told[:20])
            except (ValueError, OverflowError):
                continue
            if math.isfinite(score) and 0 <= score <= 10:
                return score
    return None


def _path(uri: str, folder: str) -> str:
    """Return what of a URI may be shown: its path from `folder`, without user and query."""
    if uri[:5].lower() == "data:":
        return ""
    try:
        path = unquote(urlsplit(uri[:2000]).path).removeprefix(f"{folder}/")
    except ValueError:
        return ""
    return line(path, _PLACE)
