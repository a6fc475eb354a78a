"""The answer to a step -> the values that it keeps, and which of them are not there."""

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any

from readiness.inventory import Capture, Step
from readiness.probes._answer import Answer
from readiness.probes._expectation import Absent, demand_whole, read_json
from readiness.probes._json_path import first
from readiness.probes._taken import Asked

_LONGEST = 8192
_SURROGATES = re.compile("[\ud800-\udfff]")


def captured(
    step: Step, asked: Asked, answer: Answer, cookies: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return what a step keeps by its name, and for each that is missing a sentence part.

    `cookies` are those that the answer set. Raises ProbeError (local_limit) if too little of the
    answer was read to say.
    """
    if any(c.path or c.sha256 == "received" for c in step.capture.values()):
        demand_whole(answer)
    data = read_json(answer) if any(c.path for c in step.capture.values()) else Absent
    found = {
        name: _value(capture, data, asked, answer, cookies)
        for name, capture in step.capture.items()
    }
    kept = {name: value for name, value in found.items() if _can_be_kept(value)}
    missing = [
        f"{capture.source} holds nothing to keep as {name}"
        for name, capture in step.capture.items()
        if name not in kept
    ]
    return kept, missing


def _value(
    capture: Capture, data: Any, asked: Asked, answer: Answer, cookies: Mapping[str, str]
) -> Any:
    if capture.path:
        return first(capture.path, data)
    if capture.header:
        return answer.headers.get(capture.header.lower(), Absent)
    if capture.cookie:
        return cookies.get(capture.cookie, Absent)
    if capture.sha256 == "sent":
        return asked.payload.sha256
    return hashlib.sha256(answer.body).hexdigest()


def _can_be_kept(value: Any) -> bool:
    """Whether a value can be put into a request; an empty one would make another one of it."""
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST and not _SURROGATES.search(value)
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
