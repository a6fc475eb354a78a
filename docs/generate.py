"""Write the pages that can be written from the probes, the criteria and the tests themselves."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from readiness import probes
from readiness.checks import Check, Criteria
from readiness.criteria import bundled_criteria
from readiness.quantity import amount

HERE = Path(__file__).resolve().parent


def pages() -> dict[Path, str]:
    """Return each generated page's path and text."""
    return {
        HERE / "probes.md": "\n".join(_probes()) + "\n",
        HERE / "checks.md": "\n".join(_checks(bundled_criteria())) + "\n",
        HERE / "detection.md": "\n".join(_detection(bundled_criteria())) + "\n",
    }


def _probes() -> Iterator[str]:
    yield "# Probes"
    yield ""
    yield "Each is one file in `readiness/probes/`. Made by `make docs`."
    for name in probes.names():
        probe = probes.load(name)
        summary = (probe.__doc__ or "").strip().splitlines()[0]
        yield from ("", f"## {name}", "", summary, "")
        yield f"Tier `{probe.TIER}`; for services of kind {', '.join(sorted(probe.KINDS))}."
        yield from ("", "| metric | meaning |", "|---|---|")
        yield from (f"| `{metric}` | {_cell(text)} |" for metric, text in probe.METRICS.items())
        fields = probe.Settings.model_fields
        if fields:
            yield from ("", "| setting | meaning | default |", "|---|---|---|")
            for field, info in fields.items():
                default = "" if info.default in (None, (), {}, PydanticUndefined) else info.default
                default = list(default) if isinstance(default, tuple) else default
                yield f"| `{field}` | {_cell(info.description or '')} | {default} |"


def _checks(criteria: Criteria) -> Iterator[str]:
    yield "# Checks"
    yield ""
    yield "The criteria that ship, from `checks/*.yaml`. Made by `make docs`."
    for area in criteria.areas.values():
        yield from ("", f"## {area.title} (weight {area.weight:g})", "")
        yield "| check | passes | severity | why | fix |"
        yield "|---|---|---|---|---|"
        for check in criteria.checks.values():
            if check.area == area.id:
                severity = check.severity + (", blocker" if check.blocker else "")
                fix = f"{_cell(check.fix.text)} ({check.fix.effort_hours:g} h)"
                yield (
                    f"| `{check.id}`<br>{_cell(check.title)} | {_passes(check)} | {severity} "
                    f"| {_cell(check.why)} | {fix} |"
                )


def _passes(check: Check) -> str:
    if check.must_be is not None:
        return f"`{check.metric}` is {str(check.must_be).lower()}"
    if check.one_of is not None:
        return f"`{check.metric}` is {' or '.join(map(str, check.one_of))}"
    assert check.target is not None and check.limit is not None
    sign = "≤" if check.better == "lower" else "≥"
    target, limit = amount(check.target, check.unit), amount(check.limit, check.unit)
    return f"`{check.metric}` {sign} {target}, limit {limit}"


def _detection(criteria: Criteria) -> Iterator[str]:
    """Tell which flaws prove which checks: declared in tests/mutants, where it is tested."""
    sys.path.insert(0, str(HERE.parent))
    from tests.mutants import PROVEN, WITHOUT_SUBJECT, flaws
    from tests.mutants.told import told

    checks = [check for check in criteria.checks.values() if check.probe in PROVEN]
    by_part = defaultdict(list)
    for flaw in flaws.FLAWS:
        by_part[flaw.service.__module__].append(flaw)
    alone = Counter(len(flaw.caught_by) for flaw in flaws.FLAWS)[1]
    passed, absent = len(checks) - len(WITHOUT_SUBJECT), ", ".join(sorted(WITHOUT_SUBJECT))
    yield from ("# Detection", "")
    yield "A small service is assessed by the whole pipeline, once as it should be and once with each of"
    yield f"{len(flaws.FLAWS)} flaws, by {len(checks)} checks of {len(PROVEN)} probes. Made by `make docs` from `tests/mutants/`, whose tests hold"
    yield "that each flaw is caught by the checks named here and by no other."
    yield from ("", "| service | checks that pass | that fail |", "|---|--:|--:|")
    yield f"| clean | {passed} of {len(checks)} (the rest has no subject: {absent}) | 0 |"
    yield f"| right, but odd ({len(flaws.DECOYS)} services) | as the clean one | 0 |"
    yield f"| with one flaw ({len(flaws.FLAWS)} services) | all but those below | {alone} times one check alone |"
    for part in flaws.PARTS:
        title = (part.__doc__ or "").strip().splitlines()[0].rstrip(".")
        yield from (
            "",
            f"## {title}",
            "",
            "| flaw | caught by, and what the report says |",
            "|---|---|",
        )
        yield from (_flaw(flaw, told()[flaw.name]) for flaw in by_part[part.__name__])
    yield from ("", "## Right, but odd: nothing is found", "", "| service |", "|---|")
    yield from (f"| {_cell(decoy.told)} |" for decoy in flaws.DECOYS)
    yield from _provers(checks, flaws.FLAWS)


def _flaw(flaw: Any, told: dict[str, str]) -> str:
    lines = [f"`{check}`: {_cell(because)}" for check, because in told.items()]
    if flaw.outage:
        lines.append(f"_Every probe that trusts certificates fails ({flaw.outage})._")
    if flaw.untestable:
        lines.append(
            f"_Unknown, because it is in the way: some of {', '.join(sorted(flaw.untestable))}._"
        )
    return f"| {_cell(flaw.told)} | {'<br>'.join(lines)} |"


def _provers(checks: list[Check], flaws: list[Any]) -> Iterator[str]:
    yield from (
        "",
        "## Each check, and the flaws that prove it",
        "",
        "| check | flaws |",
        "|---|---|",
    )
    for check in checks:
        by = sorted(flaw.name for flaw in flaws if check.id in flaw.caught_by)
        yield f"| `{check.id}` | {', '.join(by) or '**unproven**'} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
