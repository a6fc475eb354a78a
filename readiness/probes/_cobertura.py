"""One Cobertura report -> the lines it tells of, and when it was made."""

import re
from datetime import datetime

from readiness.escape import line
from readiness.probes._line_hits import LineHits
from readiness.probes._provenance import Origin, since_1970
from readiness.probes._report_files import Check, Report, UnreadableReport
from readiness.probes._safe_xml import Attributes, read, whole

_CONDITIONS = re.compile(r"\(\s{0,3}(\d{1,9})\s{0,3}/\s{0,3}(\d{1,9})\s{0,3}\)")
_OTHERS = {"report": "JaCoCo's own format", "CoverageSession": "OpenCover's format"}
_LONGEST_ROOT = 1000


def read_into(hits: LineHits, report: Report, check: Check) -> Origin:
    """Add the lines of the report; UnreadableReport if it cannot be taken for a whole one."""
    reader = _Reader(hits, report)
    read(report, reader, check)
    return Origin(report, reader.moment)


class _Reader:
    """Lines of a class stand there twice, below its methods too: each is told by its number."""

    def __init__(self, hits: LineHits, report: Report) -> None:
        self._hits, self._report = hits, report
        self._begun = self._in_source = False
        self._source = ""
        self._roots: list[str] = []
        self._path = ""
        self.moment: datetime | None = None

    def start(self, tag: str, attributes: Attributes) -> None:
        if not self._begun:
            self._root(tag, attributes)
        elif tag == "source":
            self._in_source, self._source = True, ""
        elif tag == "class":
            root = self._roots[0] if len(self._roots) == 1 else ""
            self._path = self._hits.path(attributes.get("filename", ""), root)
        elif tag == "line" and self._path:
            self._line(attributes)

    def end(self, tag: str) -> None:
        if tag == "source":
            self._in_source = False
            self._roots.append(self._source.strip())
        elif tag == "class":
            self._path = ""

    def text(self, text: str) -> None:
        if self._in_source and len(self._source) < _LONGEST_ROOT:
            self._source += text[:_LONGEST_ROOT]

    def _root(self, tag: str, attributes: Attributes) -> None:
        self._begun = True
        if tag != "coverage" or "clover" in attributes:
            other = "Clover's format" if tag == "coverage" else _OTHERS.get(tag, "another format")
            told = f"its root is <{line(tag, 40)}>, {other}"
            raise UnreadableReport(f"{self._report.name} is no Cobertura report: {told}")
        stamp = attributes.get("timestamp", "")[:20].partition(".")[0]
        self.moment = since_1970(whole(stamp) or 0)

    def _line(self, attributes: Attributes) -> None:
        number, hits = whole(attributes.get("number")), attributes.get("hits", "").strip()
        if number is None or not re.fullmatch(r"-?\d{1,30}", hits, re.ASCII):
            return
        self._hits.line(self._path, number, int(hits))
        told = _CONDITIONS.search(attributes.get("condition-coverage", "")[:80])
        if told and attributes.get("branch", "").lower() == "true":
            self._hits.branch(self._path, number, int(told[1]), int(told[2]))
