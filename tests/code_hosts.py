"""Code hosts as far as comments go: GitHub's and GitLab's REST APIs on a port of this machine."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_s3cretTokenOfThisRun0123456789"
LONGEST = {"github": 65_536, "gitlab": 1_000_000}
BOT = "github-actions[bot]"


@dataclass
class Fault:
    """An answer in place of the usual one, the next time that a request matches."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    said: str = "out of order"
    done: bool = False
    """Whether what was asked for is done all the same."""


@dataclass
class CodeHost:
    """What the host knows and has been asked. `who` is the user that the token is of."""

    kind: str
    who: str = BOT
    app: bool = True
    """Whether the token is an app's, which may not ask who it is."""
    writable: bool = True
    user: tuple[int, Any] | None = None
    """What it answers to who asks who it is, in place of the usual."""
    comments: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda _method, _path: None
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, body: str, who: str = "dana", *, bot: bool = False) -> dict[str, Any]:
        """Write a comment as `who`."""
        with self.lock:
            number = 1000 + len(self.comments)
            made: dict[str, Any] = {"id": number, "body": body}
            if self.kind == "github":
                made["user"] = {"login": who, "type": "Bot" if bot else "User"}
                made["html_url"] = f"https://github.example/o/r/pull/7#issuecomment-{number}"
            else:
                made |= {"author": {"id": _identity(who), "username": who}, "system": False}
            self.comments.append(made)
            return made

    @property
    def bodies(self) -> list[str]:
        """The texts of all comments, the oldest first."""
        return [comment["body"] for comment in self.comments]

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a job that belongs to the only request there is, number 7."""
        if self.kind == "github":
            return {
                "GITHUB_API_URL": self.url,
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_TOKEN": TOKEN,
            }
        return {
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_PROJECT_ID": "41",
            "CI_MERGE_REQUEST_PROJECT_ID": "42",
            "CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.example/o/r",
            "CI_MERGE_REQUEST_IID": "7",
            "GITLAB_TOKEN": TOKEN,
        }


def _identity(who: str) -> int:
    return sum(who.encode())


@contextmanager
def serving(kind: str, **changes: Any) -> Iterator[CodeHost]:
    """Serve a code host of `kind`, `github` or `gitlab`."""
    host = CodeHost(kind, **changes)
    handler = type("Handler", (_Handler,), {"host": host})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    host.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    host: CodeHost
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def _answer(self) -> None:
        host = self.host
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length))["body"] if length else ""
        path = urlsplit(self.path).path
        host.asked.append(f"{self.command} {path}")
        host.before(self.command, path)
        fault = next(
            (f for f in host.faults if f.method == self.command and re.search(f.path, path)), None
        )
        if fault is None:
            self._send(*self._usual(path, body))
            return
        host.faults.remove(fault)
        if fault.done:
            self._usual(path, body)
        self._send(fault.status, {"message": fault.said}, fault.headers)

    def _usual(self, path: str, body: str) -> tuple[int, Any]:
        if self.host.kind == "github":
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return 401, {"message": "Bad credentials"}
            return self._github(path, body)
        if self.headers.get("PRIVATE-TOKEN") != TOKEN:
            return 401, {"message": "401 Unauthorized"}
        return self._gitlab(path, body)

    def _github(self, path: str, body: str) -> tuple[int, Any]:
        host = self.host
        if path == "/user" and host.user is not None:
            return host.user
        if path == "/user":
            if host.app:
                return 403, {"message": "Resource not accessible by integration"}
            return 200, {"login": host.who, "type": "User"}
        if path == "/repos/o/r/pulls":
            wanted = self._query("head")
            return 200, [p for p in host.pulls if p["head"]["label"] == wanted]
        if path == "/repos/o/r/issues/7/comments":
            return self._list() if self.command == "GET" else self._write(body)
        if found := re.fullmatch(r"/repos/o/r/issues/comments/(\d+)", path):
            return self._rewrite(int(found[1]), body, "PATCH")
        return 404, {"message": "Not Found"}

    def _gitlab(self, path: str, body: str) -> tuple[int, Any]:
        notes = "/api/v4/projects/42/merge_requests/7/notes"
        if path == "/api/v4/user" and self.host.user is not None:
            return self.host.user
        if path == "/api/v4/user":
            return 200, {"id": _identity(self.host.who), "username": self.host.who}
        if path == notes:
            assert self.command != "GET" or self._query("sort") == "asc"
            return self._list() if self.command == "GET" else self._write(body)
        if found := re.fullmatch(rf"{notes}/(\d+)", path):
            return self._rewrite(int(found[1]), body, "PUT")
        return 404, {"message": "404 Not found"}

    def _list(self) -> tuple[int, Any]:
        size, page = int(self._query("per_page") or 30), int(self._query("page") or 1)
        assert size <= 100
        return 200, self.host.comments[(page - 1) * size : page * size]

    def _write(self, body: str) -> tuple[int, Any]:
        if refusal := self._refusal(body):
            return refusal
        return 201, self.host.add(body, self.host.who, bot=self.host.app)

    def _rewrite(self, number: int, body: str, verb: str) -> tuple[int, Any]:
        assert self.command == verb, self.command
        if refusal := self._refusal(body):
            return refusal
        found = next(c for c in self.host.comments if c["id"] == number)
        found["body"] = body
        return 200, found

    def _refusal(self, body: str) -> tuple[int, Any] | None:
        if not self.host.writable:
            return 403, {"message": "Resource not accessible by integration"}
        if len(body) > LONGEST[self.host.kind]:
            return 422, {"message": "Validation Failed: body is too long"}
        return None

    def _query(self, name: str) -> str:
        return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

    def _send(self, status: int, data: Any, headers: Mapping[str, str] | None = None) -> None:
        raw = json.dumps(data).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
