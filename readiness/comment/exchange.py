"""Requests to the API of a code host -> bounded JSON answers, or why there is none."""

import json
import random
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx2

from readiness.escape import line
from readiness.mask import Masker

_PATIENCE_SECONDS = 10.0
"""What one request may take."""
_MOST_BYTES = 32 << 20
"""A hundred comments of the greatest length, each character written as an escape of six."""
_PAGE = 100
"""Rows of a page, the most that GitHub and GitLab give."""
_PAUSE_SECONDS = 1.0
"""The least, whatever the host allows."""
_LATER = (429, 500, 502, 503, 504)


class Refused(Exception):
    """The host understood and will not do it; `status` is its code."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"HTTP {status}: {said}" if said else f"HTTP {status}")
        self.status = status


class Unanswered(Exception):
    """No answer that says what was done; `after` are the seconds the host asks to wait."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class Exchange:
    """Talks to one API with one token, which it shows to nobody else, until `deadline`.

    Redirects are not followed, for the token would go along.
    """

    def __init__(self, api: str, headers: Mapping[str, str], token: str, deadline: float) -> None:
        self._deadline, self._mask = deadline, Masker([token]).mask
        told = {"User-Agent": "readiness", "Accept-Encoding": "identity", **headers}
        self._client = httpx2.Client(base_url=api, headers=told, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def rows(self, path: str, params: Mapping[str, str | int] | None = None) -> Iterator[Any]:
        """Yield the rows of a list, page by page."""
        page = 1
        while True:
            told = {**(params or {}), "per_page": _PAGE, "page": page}
            found = self.repeated("GET", path, told)
            if not isinstance(found, list):
                raise Unanswered("something that is not a list")
            yield from found
            if len(found) < _PAGE:
                return
            page += 1

    def repeated(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask as often as it takes; for what changes nothing more when it is done twice."""
        attempt = 0
        while True:
            try:
                return self.once(method, path, params, body)
            except Unanswered as error:
                self.pause(attempt, error)
                attempt += 1

    def once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask once; raises Refused, Unanswered."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Unanswered("no time is left")
        patience = min(left, _PATIENCE_SECONDS)
        try:
            with self._client.stream(
                method, path, params=params, json=body, timeout=patience
            ) as answer:
                raw = _bounded(answer)
        except httpx2.TimeoutException:
            raise Unanswered("no answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Unanswered(f"no answer ({type(error).__name__})") from None
        return self._read(answer, raw)

    def pause(self, attempt: int, error: Unanswered) -> None:
        """Wait as long as the host asks, or longer each time; raises `error` if time runs out."""
        usual = _PAUSE_SECONDS * 2**attempt * random.uniform(1, 1.5)
        seconds = usual if error.after is None else max(error.after, _PAUSE_SECONDS)
        if time.monotonic() + seconds >= self._deadline:
            raise error
        time.sleep(seconds)

    def _read(self, answer: httpx2.Response, raw: bytes) -> Any:
        status = answer.status_code
        try:
            found = json.loads(raw) if raw else None
        except (ValueError, RecursionError):
            found = None
        if status < 300 and found is not None:
            return found
        said = found.get("message") if isinstance(found, dict) else None
        shown = line(self._mask(said if isinstance(said, str) else answer.reason_phrase), 200)
        if status < 300:
            raise Unanswered(f"HTTP {status} with something that is not JSON")
        if status in _LATER or (status == 403 and _exhausted(answer)):
            raise Unanswered(f"HTTP {status}: {shown}", _retry_after(answer))
        raise Refused(status, shown)


def _bounded(answer: httpx2.Response) -> bytes:
    raw = bytearray()
    for chunk in answer.iter_raw():
        raw += chunk
        if len(raw) > _MOST_BYTES:
            raise Unanswered(f"an answer of more than {_MOST_BYTES >> 20} MiB")
    return bytes(raw)


def _exhausted(answer: httpx2.Response) -> bool:
    """Whether a 403 is GitHub's way to say 429."""
    told = answer.headers
    return "retry-after" in told or told.get("x-ratelimit-remaining") == "0"


def _retry_after(answer: httpx2.Response) -> float | None:
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() else None
