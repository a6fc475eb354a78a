"""The metrics page of a Loki -> how many of the lines sent to it were refused, and why."""

import re
from collections import Counter

from readiness.escape import line
from readiness.measurement import Values
from readiness.probes._few import few

_SAMPLE = re.compile(
    r"^(loki_discarded_samples_total|loki_distributor_lines_received_total)"
    r"(\{[^\n]*?\})? ([0-9.e+]{1,30})(?: \d+)?$",
    re.MULTILINE,
)
_REASON = re.compile(r'reason="([^"\\]{1,60})"')


def values(page: str) -> Values:
    """Return the share of lines refused since the start, none for a page that does not tell."""
    received, refused = 0, Counter[str]()
    told = False
    for name, labels, number in _SAMPLE.findall(page):
        told = True
        reason = _REASON.search(labels)
        if name.startswith("loki_discarded"):
            refused[reason[1] if reason else "?"] += _number(number)
        else:
            received += _number(number)
    total = sum(refused.values())
    if not told or max(received, total) <= 0:
        because = "it has no metrics of lines received"
        return {"counts_lines": False, "counts_lines_because": because}
    ratio = min(1.0, total / max(received, 1))
    found: Values = {"counts_lines": True, "lines_refused_ratio": ratio}
    if total:
        because = few(f"{reason}: {n}" for reason, n in refused.most_common())
        found["lines_refused_ratio_because"] = line(f"refused since it started: {because}")
    return found


def _number(text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return 0
