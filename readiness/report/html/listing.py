"""The findings -> the rows of one table that can be filtered, those together that say the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from readiness.finding import Finding
from readiness.report.page import Page
from readiness.report.rows import SEVEREST_FIRST, AreaSection
from readiness.report.words import NONE, SIGNS, joined, measured, points, samples

_NAMED = 4
_MANY = 5000
"""Findings from which on one row tells of all alike: a browser takes seconds for more rows."""


@dataclass(frozen=True)
class Row:
    """One row: what is printed, and what it is filtered by."""

    finding: Finding
    sign: str
    area: str
    """The area's place in `Listing.areas`, from 0."""
    services: str
    """The services' places in `Listing.services`, with a comma around each."""
    named: str
    because: str
    value: str
    n: str
    target: str
    limit: str
    points: str


@dataclass(frozen=True)
class Listing:
    """All findings, the worst first, with what they can be filtered by."""

    rows: tuple[Row, ...]
    outcomes: tuple[tuple[str, int], ...]
    areas: tuple[str, ...]
    services: tuple[str, ...]


def listing(page: Page) -> Listing:
    """Return every finding of every area."""
    many = len(page.model.findings) > _MANY
    found = [(n, row) for n, area in enumerate(page.areas) for row in _rows(area, many)]
    found.sort(key=lambda one: SEVEREST_FIRST.index(one[1][0].outcome))
    names = tuple(dict.fromkeys(f.service for f in page.model.findings))
    number = {name: n for n, name in enumerate(names)}
    return Listing(
        rows=tuple(_row(page, area, row, number) for area, row in found),
        outcomes=page.checks,
        areas=tuple(area.score.title for area in page.areas),
        services=names,
    )


def _rows(area: AreaSection, many: bool) -> Sequence[tuple[Finding, ...]]:
    """Return the findings of an area; of many, those with one reason together, the worst first."""
    if not many:
        return area.rows
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for f in area.findings:
        because = "" if f.outcome == "pass" else f.because
        alike.setdefault((f.check, f.outcome, f.severity, because), []).append(f)
    return [tuple(sorted(found, key=lambda f: f.score)) for found in alike.values()]


def _row(page: Page, area: int, row: tuple[Finding, ...], number: Mapping[str, int]) -> Row:
    f = row[0]
    target, limit = page.demanded(f)
    services = dict.fromkeys(one.service for one in row)
    return Row(
        finding=f,
        sign=SIGNS[f.outcome],
        area=str(area),
        services=f",{','.join(str(number[name]) for name in services)},",
        named=joined(tuple(services), _NAMED),
        because="" if f.outcome == "pass" else f.because,
        value=f"at worst {measured(f)}" if _differ(row) else measured(f),
        n=samples(f),
        target=target,
        limit=limit,
        points=NONE if f.outcome == "not_applicable" else points(f),
    )


def _differ(row: tuple[Finding, ...]) -> bool:
    """Whether the row stands for values that are not all alike."""
    return len(row) > 1 and any(f.measured != row[0].measured for f in row)
