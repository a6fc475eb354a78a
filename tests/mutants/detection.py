"""The flaws, and what is kept of what reports say of them -> docs/detection.md."""

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

from readiness.checks import Check
from tests.judging import CRITERIA
from tests.mutants import PROVEN, WITHOUT_SUBJECT
from tests.mutants.flaws import DECOYS, FLAWS, PARTS, Flaw
from tests.mutants.told import told

_SHOWN = 3


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    checks = [check for check in CRITERIA.checks.values() if check.probe in PROVEN]
    yield from _summary(checks)
    kept = told()
    for part in PARTS:
        yield from _part(part, kept)
    yield from ("", "## Right, but odd", "")
    yield "Nothing may be found wrong with any of these."
    yield ""
    yield from (f"- {_cell(decoy.told)}" for decoy in DECOYS)
    yield from _proofs(checks)


def _summary(checks: Sequence[Check]) -> Iterator[str]:
    single = sum(len(flaw.caught_by) == 1 for flaw in FLAWS)
    absent = ", ".join(f"`{check}`" for check in sorted(WITHOUT_SUBJECT))
    passing = len(checks) - len(WITHOUT_SUBJECT)
    yield from ("# Detection", "")
    yield "How it is known that checks find what they are for, and nothing else. A small service is"
    yield "assessed by the whole pipeline: as it should be, with one flaw at a time, and in odd"
    yield "ways that are right. Made by `make docs` from `tests/mutants/`, whose tests hold that"
    yield "each line here is true: `make test` once for every check that blocks a release and once"
    yield "for every probe, `make thorough` for the rest."
    yield from ("", "| service | assessed | found |", "|---|--:|---|")
    yield (
        f"| clean | once | nothing: {passing} of {len(checks)} checks pass, "
        f"{absent} have nothing to check |"
    )
    yield (
        f"| with one flaw | {len(FLAWS)} times | each flaw by the checks meant for it and by no "
        f"other, {single} of them by one check alone |"
    )
    yield f"| right, but odd | {len(DECOYS)} times | nothing |"


def _part(part: ModuleType, kept: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    title = (part.__doc__ or "").partition("\n")[0].rstrip(".")
    yield from ("", f"## {title}", "")
    yield from ("| flaw | caught by, and what the report says |", "|---|---|")
    for flaw in FLAWS:
        if flaw.service.__module__ == part.__name__:
            yield f"| {_cell(flaw.told)} | {'<br>'.join(_caught(flaw, kept[flaw.name]))} |"


def _caught(flaw: Flaw, kept: Mapping[str, str]) -> Iterator[str]:
    yield from (f"`{check}`: {_cell(because)}" for check, because in kept.items())
    if flaw.outage:
        yield f"_every probe of the usual kind fails ({flaw.outage}), and says so_"
    if flaw.untestable:
        yield f"_in the way of: {', '.join(sorted(flaw.untestable))} (partly unknown)_"


def _proofs(checks: Sequence[Check]) -> Iterator[str]:
    yield from ("", "## Each check, and the flaws that prove it", "")
    yield from ("| check | flaws |", "|---|---|")
    for check in checks:
        provers = [flaw for flaw in FLAWS if check.id in flaw.caught_by]
        provers.sort(key=lambda flaw: len(flaw.caught_by))
        sentences = " ".join(_cell(flaw.told) for flaw in provers[:_SHOWN])
        more = f" And {len(provers) - _SHOWN} more." if len(provers) > _SHOWN else ""
        yield f"| `{check.id}` | {sentences or '**unproven**'}{more} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
