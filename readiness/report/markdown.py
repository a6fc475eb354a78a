"""Assessment -> report.md, by its template: the report that a reviewer decides by."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jinja2

from readiness import bundled, escape
from readiness.assessment import Assessment
from readiness.quantity import amount
from readiness.report import diagram, words
from readiness.report.graph import Graph
from readiness.report.page import Page
from readiness.report.trend import Point

FILE = "report.md"

BRIEF, LONG = 160, 1000
"""Characters kept of a text: on the first screen, and where it is the point of its section."""

_PLAIN = (
    *(words.apart, words.change, words.duration, words.eased, words.gain, words.goal),
    *(words.hours, words.joined, words.measured, words.met),
    *(words.moment, words.number, words.percentile, words.plural, words.points),
    *(words.rate, words.samples),
    *(words.sentence, words.share, words.spark, words.spoken),
    *(words.eased, words.waived),
)
"""Filters that return plain text, which is escaped like any other."""


class Written(str):
    """Text that is Markdown already. Whatever else a template prints is escaped."""


def render(assessment: Assessment) -> str:
    """Return the whole report."""
    return page("report.md.j2", Page(assessment))


def page(template: str, content: Page) -> str:
    """Return `content` laid out by `template`."""
    return _environment().get_template(template).render(page=content, a=content.a)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(bundled.REPORT_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # it would escape for HTML; `finalize` escapes all for Markdown
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {function.__name__: function for function in _PLAIN}
    environment.filters |= {"amount": amount, "flag": _flag, "icon": _icon, "sign": _sign}
    environment.filters |= {"chart": _chart, "flowchart": _flowchart}
    environment.filters |= {"brief": _brief, "long": _long, "tight": _tight}
    return environment


def _finalize(value: Any) -> str:
    """Escape what a template prints; what is neither text nor a whole number is its mistake."""
    if isinstance(value, Written):
        return value
    if isinstance(value, str):
        return escape.markdown(value)
    if type(value) is int:
        return str(value)
    raise TypeError(f"a template prints a {type(value).__name__}")


def _icon(word: str) -> Written:
    return Written(words.icon(word))


def _flag(word: str) -> Written:
    """Return a word behind its sign."""
    return Written(f"{words.icon(word)}\N{NO-BREAK SPACE}{_tight(words.spoken(word))}")


def _sign(sign: words.Sign) -> Written:
    return Written(words.ICONS[sign])


def _chart(points: Sequence[Point], ready: int) -> Written:
    return Written(diagram.chart(points, ready))


def _flowchart(graph: Graph) -> Written:
    return Written(diagram.flowchart(graph))


def _tight(text: str) -> Written:
    """Return a short text that never breaks into two lines, such as a number with its unit."""
    return Written(escape.markdown(text).replace(" ", "\N{NO-BREAK SPACE}"))


def _brief(text: str) -> Written:
    return Written(escape.markdown(text, BRIEF))


def _long(text: str) -> Written:
    return Written(escape.markdown(text, LONG))
