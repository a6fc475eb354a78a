"""Write the pages that can be written from the probes, the criteria and the tests themselves."""

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic_core import PydanticUndefined

from readiness import probes
from readiness.checks import Check, Criteria
from readiness.criteria import bundled_criteria
from readiness.inventory import Policy
from readiness.policy import PRESETS
from readiness.quantity import amount

HERE = Path(__file__).resolve().parent


def pages() -> dict[Path, str]:
    """Return each generated page's path and text."""
    return {
        HERE / "probes.md": "\n".join(_probes()) + "\n",
        HERE / "checks.md": "\n".join(_checks(bundled_criteria())) + "\n",
        HERE / "detection.md": "\n".join(_detection()) + "\n",
        HERE / "policy.md": _between("tiers", _tiers(), (HERE / "policy.md").read_text("utf-8")),
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
                yield f"| `{field}` | {_cell(info.description or '')} | {_default(info.default)} |"


def _default(value: object) -> str:
    if value in (None, (), {}, frozenset(), PydanticUndefined):
        return ""
    if isinstance(value, frozenset):
        return str(sorted(value))
    return str(list(value) if isinstance(value, tuple) else value)


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


def _detection() -> Iterator[str]:
    """Tell which flaws prove which checks, as tests/mutants declares and tests it."""
    sys.path.insert(0, str(HERE.parent))
    from tests.mutants import detection

    return detection.page()


def _tiers() -> Iterator[str]:
    yield f"| | {' | '.join(PRESETS)} |"
    yield "|---|" + "--:|" * len(PRESETS)
    rows = [list(_demands(policy)) for policy in PRESETS.values()]
    for parts in zip(*rows, strict=True):
        yield f"| {parts[0][0]} | {' | '.join(value for _, value in parts)} |"


def _demands(policy: Policy) -> Iterator[tuple[str, str]]:
    for part in ("ready", "conditional"):
        for name, value in getattr(policy, part):
            shown = amount(value, "ratio") if name == "coverage" else str(value)
            yield f"`{part}.{name}`", shown
    yield "`fail_on`", policy.fail_on
    yield "`waivers.blockers`", str(policy.waivers.blockers).lower()
    longest = policy.waivers.longest
    yield "`waivers.longest`", "no limit" if longest is None else f"{longest}d"


def _between(mark: str, lines: Iterator[str], page: str) -> str:
    """Return `page` with `lines` between the comments `mark` and `/mark`."""
    start, rest = page.split(f"<!-- {mark} -->\n")
    end = rest[rest.index(f"<!-- /{mark} -->") :]
    return start + "\n".join([f"<!-- {mark} -->", *lines, end])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
