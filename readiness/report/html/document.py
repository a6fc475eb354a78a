"""The Markdown report by its sections, and charts -> one page with a head, contents and a body."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import jinja2
from markupsafe import Markup

from readiness import bundled, escape
from readiness.assessment import Assessment
from readiness.report import markdown, words
from readiness.report.html import vega
from readiness.report.html.areas import areas
from readiness.report.html.dependencies import dependencies
from readiness.report.html.figure import Figure
from readiness.report.html.gauge import gauge
from readiness.report.html.history import MOST as RUNS
from readiness.report.html.history import history
from readiness.report.html.latencies import latencies
from readiness.report.html.listing import listing
from readiness.report.html.prose import inline, pairs, rendered
from readiness.report.html.throughput import throughput
from readiness.report.html.waterfall import waterfall
from readiness.report.page import Page

_SECTION = re.compile(r"^(?=## )", re.M)
_PART = re.compile(r"^(?=### )", re.M)
_DIAGRAM = re.compile(r"^```mermaid\n.*?^```\n", re.M | re.S)

CHARTS: Mapping[str, Callable[[Page], Figure | None]] = {
    "Trend": lambda page: history(page.trend, page.model.evidence.policy),
    "Dependencies": lambda page: dependencies(page.graph),
    "Response time": latencies,
    "Under concurrency": throughput,
    "Plan": waterfall,
}
"""Heading -> the chart that stands under it."""


@dataclass(frozen=True)
class Part:
    """A heading with what stands under it."""

    title: str
    heading: Markup
    chart: Figure | None
    text: Markup

    @property
    def id(self) -> str:
        """The name that links go to."""
        return re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Section(Part):
    """A part of the first rank, with those of the second rank in it."""

    parts: tuple[Part, ...] = ()


def render(assessment: Assessment) -> str:
    """Return the page. Of HTML it holds what our templates write and nothing from outside."""
    page = Page(assessment, runs=RUNS, listed=False)
    first, *sections = _SECTION.split(markdown.page("report.md.j2", page))
    title, told, verdict, facts, *rest = first.split("\n\n")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            page=page,
            a=assessment,
            title=inline(title.removeprefix("# ")),
            told=inline(told),
            verdict=rendered(verdict + "\n", "Verdict"),
            facts=pairs(facts),
            first=_section("## Verdict\n\n" + "\n\n".join(rest), page),
            sections=[_section(text, page) for text in sections],
            drawn=vega.available(),
            gauge=gauge(assessment.model.decision, assessment.evidence.policy)
            if vega.available()
            else None,
            areas=areas(page.areas, assessment.evidence.policy) if vega.available() else None,
            findings=listing(page),
            style=_own("report.css"),
            script=_own("report.js"),
            policy=_policy(),
        )
    )


def _section(text: str, page: Page) -> Section:
    head, *parts = _PART.split(text)
    whole = _part(head, page)
    return Section(**vars(whole), parts=tuple(_part(part, page) for part in parts))


def _part(text: str, page: Page) -> Part:
    line, _, under = text.partition("\n")
    title = line.lstrip("#").strip()
    chart = CHARTS[title](page) if title in CHARTS and vega.available() else None
    under = _DIAGRAM.sub("", under)
    return Part(title, inline(title), chart, rendered(under, title.replace("*", "")))


@cache
def _own(name: str) -> Markup:
    """Return a file of ours as it stands, between the ends of its tag."""
    return Markup("\n" + (bundled.REPORT_TEMPLATES / name).read_text("utf-8"))


def _policy() -> str:
    """Return the Content-Security-Policy: our style and our script, and nothing else at all."""
    style, script = (_digest(_own(name)) for name in ("report.css", "report.js"))
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{script}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(bundled.REPORT_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # `finalize` escapes all, and only once
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"spoken": words.spoken}
    return environment


def _finalize(value: Any) -> str:
    """Escape what a template prints; what is neither text nor a whole number is its mistake."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return _escaped(value)
    if type(value) is int:
        return str(value)
    raise TypeError(f"a template prints a {type(value).__name__}")


@lru_cache(maxsize=1 << 14)
def _escaped(text: str) -> str:
    """Escape a text; of many findings most texts are alike."""
    return escape.html(text)
