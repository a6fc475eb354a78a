"""Assessment -> text: every format by the name that users type, with the place it goes to."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from readiness.assessment import Assessment
from readiness.report import (
    badge,
    csv,
    github,
    gitlab,
    html,
    junit,
    markdown,
    prometheus,
    sarif,
    summary,
)


class Format(NamedTuple):
    """A file name and the function that writes its text."""

    file: str
    render: Callable[[Assessment], str]


FORMATS: Mapping[str, Format] = {
    "markdown": Format(markdown.FILE, markdown.render),
    "summary": Format(summary.FILE, summary.render),
    "html": Format(html.FILE, html.render),
    "junit": Format(junit.FILE, junit.render),
    "sarif": Format(sarif.FILE, sarif.render),
    "gitlab": Format(gitlab.FILE, gitlab.render),
    "prometheus": Format(prometheus.FILE, prometheus.render),
    "badge": Format(badge.FILE, badge.render),
    "csv": Format(csv.FILE, csv.render),
}

PRINTED: Mapping[str, Callable[[Assessment], str]] = {"github": github.render}
"""Formats that are no file but lines on stdout, each with its end."""
