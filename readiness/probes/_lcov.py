"""One LCOV tracefile (`geninfo`) -> the lines it tells of."""

import re
from collections.abc import Iterator

from readiness.probes._line_hits import LineHits
from readiness.probes._provenance import Origin
from readiness.probes._report_files import Check, Report, UnreadableReport

_LONGEST = 1 << 16
_BETWEEN_CHECKS = 10_000
_DATA = re.compile(r"(\d{1,12}),(-?\d{1,30})(?:,.*)?", re.ASCII)
_BRANCH = re.compile(r"(\d{1,12}),[^,]*,.*,(-|\d{1,30})", re.ASCII)


def is_lcov(head: str) -> bool:
    """Whether a file that begins like this is a tracefile."""
    return re.match(r"\s*(#[^\n]*\n\s*)*(TN:|SF:|VER:)", head) is not None


def read_into(hits: LineHits, report: Report, check: Check) -> Origin:
    """Add the lines of the tracefile; UnreadableReport names the line at which it breaks off."""
    path, branches, number = "", dict[int, list[bool]](), 0
    for number, (key, value) in enumerate(_records(report, check), 1):
        if key == "SF":
            path, branches = hits.path(value), {}
        elif key == "end_of_record":
            for at, taken in branches.items():
                hits.branch(path, at, sum(taken), len(taken))
            path = ""
        elif key == "DA":
            told = _DATA.fullmatch(value)
            if not told or not path:
                raise _broken(report, number)
            hits.line(path, int(told[1]), int(told[2]))
        elif key == "BRDA" and (told := _BRANCH.fullmatch(value)):
            branches.setdefault(int(told[1]), []).append(told[2] not in ("-", "0"))
    if path:
        raise UnreadableReport(f"{report.name} ends in the middle of a record (line {number})")
    return Origin(report)


def _records(report: Report, check: Check) -> Iterator[tuple[str, str]]:
    number = 0
    try:
        with report.path.open(encoding="utf-8-sig", errors="replace") as file:
            while text := file.readline(_LONGEST):
                number += 1
                if number % _BETWEEN_CHECKS == 0:
                    check()
                if len(text) >= _LONGEST or "\0" in text:
                    raise _broken(report, number)
                key, _, value = text.strip().partition(":")
                yield key, value
    except OSError as error:
        raise UnreadableReport(f"{report.name} cannot be read: {error.strerror}") from error


def _broken(report: Report, number: int) -> UnreadableReport:
    return UnreadableReport(f"{report.name} is no LCOV tracefile from line {number} on")
