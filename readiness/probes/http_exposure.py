"""What a service shows to strangers that it should not: secrets, internals, stack traces."""

import hashlib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import AfterValidator, Field

from readiness.escape import line
from readiness.failure import Failure
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _stack_trace
from readiness.probes._answer import Answer
from readiness.probes._exposed_paths import AT_ROOT, EXPECTABLE, HEAP_DUMP, LISTED, LIVE, Listed
from readiness.probes._few import few
from readiness.probes._http import Target, public_path, target
from readiness.probes._round import Round

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
BEARS_COMPANY = True
"""Whether many may run at once: it times nothing."""
METRICS: Mapping[str, str] = {
    "catch_all": "true or false: a path that cannot exist is answered 2xx",
    "secrets_hidden": "true or false: no repository, .env, configuration or memory is to be had",
    "operations_hidden": "true or false: metrics, debug and status endpoints are closed",
    "docs_hidden": "true or false: the API's documentation is closed",
    "shown_as_expected": "paths that are open and declared to be so",
    "error_pages_quiet": "true or false: error pages show no stack trace and no debugger",
    "trace_refused": "true or false: TRACE does not echo the request's headers",
}
_SHOWN = 5
_COMPARED = 64 << 10
"""Bytes by which two pages are compared."""
_WORD, _DIGIT = re.compile(rb"[\w-]+"), re.compile(rb"\d")
_ODD_PATH, _ODD_QUERY = "/%ff%00", "?id[]=%27"


def _expectable(path: str) -> str:
    if path not in EXPECTABLE:
        raise ValueError(f"is none of {', '.join(sorted(EXPECTABLE))}")
    return path


class Settings(ProbeSettings):
    """Which of the paths are open on purpose."""

    expected: frozenset[Annotated[str, AfterValidator(_expectable)]] = Field(
        frozenset(), description="paths meant for everyone, as in `[/docs, /metrics]`"
    )


@dataclass(frozen=True)
class _Ask:
    """One request."""

    to: Target
    method: str = "GET"

    @property
    def shown(self) -> str:
        """The request line: what a query says here is our own."""
        return f"{self.method} {self.to.path}"


_Control = tuple[_Ask, Answer | Failure]
"""A request for a path that cannot exist, and what came of it."""


@dataclass(frozen=True)
class _Stranger:
    """Asks each request once, without the URL's credentials."""

    service: Service
    round: Round
    answers: dict[_Ask, Answer | Failure] = field(default_factory=dict)

    def ask_for(self, path: str, method: str = "GET", *, root: bool = False) -> _Ask:
        """Return a request for `path` below the service's URL, or at its origin's root."""
        to = target(self.service, path, anonymous=True)
        return _Ask(replace(to, path=path) if root else to, method)

    async def answer(self, ask: _Ask, headers: Mapping[str, str] | None = None) -> Answer | Failure:
        """Return the answer to `ask`, as `Round.ask` does."""
        if ask not in self.answers:
            self.answers[ask] = await self.round.ask(ask.to, method=ask.method, headers=headers)
        return self.answers[ask]


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask at most 25 times, by GET, HEAD and TRACE, without the URL's credentials."""
    token = hashlib.sha256(f"exposure {context.run_id}".encode()).hexdigest()[:16]
    nowhere, health = f"/readiness-{token}", service.health_path.partition("?")[0]
    expected = settings.expected | _own(service)
    stranger = _Stranger(service, Round(context))
    findings = await _look(stranger, nowhere)
    control = await stranger.answer(stranger.ask_for(nowhere))
    values: Values = {} if _doubt(control) else {"catch_all": _ok(control)}
    values |= _shown_as_expected(findings, expected)
    for group in ("secrets", "operations", "docs"):
        of_group = [f for f in findings if f.listed.group == group]
        left = [f for f in of_group if group == "secrets" or f.listed.path not in expected]
        values |= _verdict(f"{group}_hidden", left)
    values |= await _quiet(stranger, (nowhere, _ODD_PATH, health + _ODD_QUERY), health)
    return values | await _traced(stranger, health, token)


def _own(service: Service) -> frozenset[str]:
    """Return the service's health paths, which are open on purpose."""
    return frozenset({service.health_path, service.health.live or ""} if service.health else ())


_NO_SUCH_METHOD = 501


@dataclass(frozen=True)
class _Finding:
    """What one path of the list showed: open, closed (neither), or why that is not known."""

    listed: Listed
    ask: _Ask
    open: str = ""
    doubt: str = ""


async def _look(stranger: _Stranger, nowhere: str) -> list[_Finding]:
    found = [*await _among(LISTED, stranger, nowhere), await _heap_dump(stranger, nowhere)]
    if stranger.ask_for("/").to.path == "/":
        return found
    again = [listed for listed in LISTED if listed.path in AT_ROOT]
    return found + await _among(again, stranger, nowhere, root=True)


async def _among(
    all_listed: Sequence[Listed], stranger: _Stranger, nowhere: str, *, root: bool = False
) -> list[_Finding]:
    control_ask = stranger.ask_for(nowhere, root=root)
    control = (control_ask, await stranger.answer(control_ask))
    asks = {listed: stranger.ask_for(listed.path, root=root) for listed in all_listed}
    return [
        _finding(listed, ask, await stranger.answer(ask), control) for listed, ask in asks.items()
    ]


def _finding(listed: Listed, ask: _Ask, answer: Answer | Failure, control: _Control) -> _Finding:
    if isinstance(answer, Failure) or _doubt(answer):
        return _Finding(listed, ask, doubt=f"{ask.shown} {_doubt(answer)}")
    if answer.ok and answer.packed and not _alike(ask, answer, control):
        return _Finding(listed, ask, doubt=f"{ask.shown} answered with a compressed body")
    if not answer.ok or not listed.shows(answer) or _alike(ask, answer, control):
        return _Finding(listed, ask)
    nowhere, given = control
    if isinstance(given, Failure) or _doubt(given):
        looks = f"{ask.shown} looks like {listed.what}, but the control {nowhere.shown}"
        return _Finding(listed, ask, doubt=f"{looks} {_doubt(given)}")
    if given.ok and listed.shows(given):
        return _Finding(listed, ask)
    return _Finding(listed, ask, open=f"{ask.shown} answered {answer.status} with {listed.what}")


async def _heap_dump(stranger: _Stranger, nowhere: str) -> _Finding:
    """Tell an open heap dump without making one: see LIVE."""
    ask = stranger.ask_for(HEAP_DUMP.path + LIVE, "HEAD")
    control_ask = stranger.ask_for(f"/actuator{nowhere}{LIVE}", "HEAD")
    answer, given = await stranger.answer(ask), await stranger.answer(control_ask)
    if all(isinstance(a, Answer) and a.status == _NO_SUCH_METHOD for a in (answer, given)):
        return _Finding(HEAP_DUMP, ask)  # what serves heap dumps knows HEAD
    index = await stranger.answer(stranger.ask_for("/actuator"))
    linked = isinstance(index, Answer) and index.ok and "heapdump" in index.text
    if isinstance(answer, Failure) or answer.status != 400 or not linked:
        return _finding(HEAP_DUMP, ask, answer, (control_ask, given))
    if isinstance(given, Failure) or _doubt(given):
        doubt = f"{ask.shown} answered 400, but the control {control_ask.shown} {_doubt(given)}"
        return _Finding(HEAP_DUMP, ask, doubt=doubt)
    told = f"{ask.shown} is linked by /actuator and open to strangers: {HEAP_DUMP.what}"
    return _Finding(HEAP_DUMP, ask, open=told if given.status != 400 else "")


def _alike(ask: _Ask, answer: Answer, control: _Control) -> bool:
    """Whether it is the same page that the control got, but for the path and what has digits."""
    nowhere, given = control
    if isinstance(given, Failure) or not _same_head(answer, given):
        return False
    return _bare(ask, answer.body) == _bare(nowhere, given.body)


def _same_head(answer: Answer, control: Answer) -> bool:
    """Whether the statuses agree and, where there is no body (HEAD), what is said of it."""
    names = () if answer.body else ("content-type", "content-length", "content-disposition")
    told = ((answer.headers.get(name), control.headers.get(name)) for name in names)
    return answer.status == control.status and all(one == other for one, other in told)


def _bare(ask: _Ask, body: bytes) -> bytes:
    path, body = public_path(ask.to.path), body[:_COMPARED]
    for text in (path, path.replace("/", "\\/"), html.escape(path), path.strip("/")):
        body = body.replace(text.encode(), b"")
    # words with digits are times, counters, nonces and identifiers of requests
    return _WORD.sub(lambda word: b"" if _DIGIT.search(word[0]) else word[0], body)


def _ok(answer: Answer | Failure) -> bool:
    return isinstance(answer, Answer) and answer.ok


def _doubt(answer: Answer | Failure) -> str:
    """Return why an answer proves nothing, as the rest of a sentence; empty if it does."""
    if isinstance(answer, Failure):
        return f"gave no answer ({answer.detail})"
    if answer.status == 429 or answer.status >= 500:
        return f"answered {answer.outcome}"
    return ""


def _verdict(metric: str, findings: Sequence[_Finding]) -> Values:
    if told := [f.open for f in findings if f.open]:
        return {metric: False, f"{metric}_because": _listed(told)}
    doubts = [f.doubt for f in findings if f.doubt]
    return {f"{metric}_because": _listed(doubts)} if doubts else {metric: True}


def _shown_as_expected(findings: Sequence[_Finding], expected: frozenset[str]) -> Values:
    paths = dict.fromkeys(
        f.listed.path
        for f in findings
        if f.open and f.listed.group != "secrets" and f.listed.path in expected
    )
    return {"shown_as_expected": ", ".join(paths)} if paths else {}


def _listed(texts: Sequence[str]) -> str:
    return line(few(texts, _SHOWN), 800)


async def _quiet(stranger: _Stranger, paths: Sequence[str], usual: str) -> Values:
    metric = "error_pages_quiet"
    asked = {ask: await stranger.answer(ask) for ask in map(stranger.ask_for, paths)}
    told = [said for ask in asked if (said := await _told(stranger, ask, usual))]
    if told:
        return {metric: False, f"{metric}_because": _listed(told)}
    doubts = list(_doubts_of_pages(asked))
    return {f"{metric}_because": _listed(doubts)} if doubts else {metric: True}


async def _told(stranger: _Stranger, ask: _Ask, usual: str) -> str:
    """Return which trace the answer shows; a page that is no error may show one on purpose."""
    answer = stranger.answers[ask]
    trace = None if isinstance(answer, Failure) else _stack_trace.found_in(answer.text)
    if isinstance(answer, Failure) or not trace:
        return ""
    if answer.ok:
        plain = await stranger.answer(stranger.ask_for(usual))
        if isinstance(plain, Failure) or _stack_trace.found_in(plain.text):
            return ""
    return f"{ask.shown} answered {answer.status} with {trace}"


def _doubts_of_pages(asked: Mapping[_Ask, Answer | Failure]) -> Iterator[str]:
    """Yield why an error page was not seen; who hangs up shows none, a 500 without trace is one."""
    for ask, answer in asked.items():
        if isinstance(answer, Failure):
            if answer.kind not in ("reset", "protocol"):
                yield f"{ask.shown} {_doubt(answer)}"
        elif answer.status in (429, 502, 503, 504):
            yield f"{ask.shown} {_doubt(answer)}"
        elif answer.packed:
            yield f"{ask.shown} answered with a compressed body"


async def _traced(stranger: _Stranger, path: str, token: str) -> Values:
    """Measure whether TRACE answers with what it was sent (RFC 9110, section 9.3.8)."""
    ask = stranger.ask_for(path, "TRACE")
    answer = await stranger.answer(ask, {"Readiness-Trace": token})
    if isinstance(answer, Failure):
        if answer.kind in ("reset", "protocol"):  # hung up on us, when all else was answered
            return {"trace_refused": True}
        return {"trace_refused_because": f"{ask.shown} {_doubt(answer)}"}
    traced = answer.media_type == "message/http" or answer.body.startswith(b"TRACE ")
    if answer.ok and traced and token.encode() in answer.body:
        because = f"{ask.shown} answered {answer.status} with the headers it was sent"
        return {"trace_refused": False, "trace_refused_because": because}
    if answer.status != 501 and _doubt(answer):
        return {"trace_refused_because": f"{ask.shown} {_doubt(answer)}"}
    return {"trace_refused": True}
