"""Assessment -> text: every format by the name that users type, with the file it goes to."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from readiness.assessment import Assessment
from readiness.report import badge, csv, junit, markdown, prometheus, summary


class Format(NamedTuple):
    """A file name and the function that writes its text."""

    file: str
    render: Callable[[Assessment], str]


FORMATS: Mapping[str, Format] = {
    "markdown": Format(markdown.FILE, markdown.render),
    "summary": Format(summary.FILE, summary.render),
    "junit": Format(junit.FILE, junit.render),
    "prometheus": Format(prometheus.FILE, prometheus.render),
    "badge": Format(badge.FILE, badge.render),
    "csv": Format(csv.FILE, csv.render),
}
