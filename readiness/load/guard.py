"""Outcomes so far -> a reason to stop at once, before more harm is done."""

from collections import Counter
from collections.abc import Sequence

from readiness.load.check import BODY_FAILED, Check

_SHARE = 0.9
_LEAST = 200
_PER_CHANNEL = 4
_REQUESTS_TO_WAIT = 20


class Guard:
    """Watches one run for a surge of errors and for pleas to be left alone."""

    def __init__(self, channels: int, check: Check) -> None:
        self._check = check
        self._window = max(_LEAST, channels * _PER_CHANNEL)
        self._seen = 0
        self._failed = 0

    def alarm(self, codes: Sequence[int], asked_to_wait: int) -> str:
        """Take further outcomes; return why to stop, empty if there is no reason."""
        if asked_to_wait >= _REQUESTS_TO_WAIT:
            return f"{asked_to_wait} answers asked for a pause (Retry-After)"
        self._seen += len(codes)
        self._failed += sum(n for code, n in Counter(codes).items() if self._is_failure(code))
        if self._seen < self._window:
            return ""
        seen, failed = self._seen, self._failed
        self._seen = self._failed = 0
        if failed < _SHARE * seen:
            return ""
        return f"{failed} of the last {seen} requests failed"

    def _is_failure(self, code: int) -> bool:
        return code < 0 or (500 <= code < BODY_FAILED and not self._check.succeeded(code))
