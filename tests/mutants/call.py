"""One request as the service's handlers see it, and what they answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, unquote

from tests import servers


@dataclass(frozen=True)
class Reply:
    """An answer; `headers` are those that every answer has not."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self, method: str) -> bytes:
        """Return it as it is sent; a HEAD gets no body."""
        whole = servers.response(self.status, self.body, self.media_type, self.headers)
        return whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else whole

    def with_headers(self, headers: Mapping[str, str]) -> "Reply":
        """Return the same with `headers` where it has none of that name."""
        return replace(self, headers={**headers, **self.headers})


def told(data: Any, status: int = 200, **headers: str) -> Reply:
    """Return JSON data as an answer; `Retry_After=30` is the header `Retry-After: 30`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(data).encode(), headers=named)


def page(text: str, status: int = 200, **headers: str) -> Reply:
    """Return `text` on a web page."""
    whole = f"<!doctype html><title>Shop</title><main>{text}</main>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, whole.encode(), "text/html; charset=utf-8", named)


class Refused(Exception):
    """What was asked is not done."""

    def __init__(self, status: int, because: str, **headers: str) -> None:
        super().__init__(because)
        self.reply = told({"error": because}, status, **headers)


@dataclass(frozen=True)
class Call:
    """A request, taken apart where a handler asks for a part of it."""

    request: servers.Request

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        return unquote(self.request.target.partition("?")[0], errors="replace")

    @property
    def last(self) -> str:
        """The last part of the path: whose handler it is names an object by it."""
        return self.path.rpartition("/")[2]

    @property
    def data(self) -> Mapping[str, Any]:
        """The JSON object in the body; Refused if there is none."""
        try:
            data = json.loads(self.request.body)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise Refused(400, "the body is no JSON object")
        return data

    @property
    def form(self) -> Mapping[str, str]:
        """The form in the body."""
        fields = parse_qs(self.request.body.decode("utf-8", "replace"))
        return {name: values[0] for name, values in fields.items()}

    @property
    def bearer(self) -> str | None:
        """The token in the Authorization header."""
        scheme, _, token = self.header("authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    def header(self, name: str) -> str:
        """Return a header, empty if it was not sent."""
        return self.request.headers.get(name, "")

    def cookie(self, name: str) -> str:
        """Return the value of a cookie, empty if it was not sent."""
        found = SimpleCookie(self.header("cookie")).get(name)
        return found.value if found else ""
