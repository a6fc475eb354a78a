import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from pydantic import SecretStr

from readiness.demo import mcp_server as sample
from readiness.demo.config import Config
from readiness.finding import Finding
from readiness.inventory import Service
from readiness.judge import judge
from readiness.probes import Context
from readiness.probes.mcp_protocol import METRICS, Settings, measure
from tests import judging, samples
from tests.mcp_servers import LEGACY, MODERN, Sound, hosting, of_2025, sdk
from tests.servers import (
    Handler,
    Request,
    body_drip,
    endless_body,
    garbage,
    header_drip,
    read_request,
    repeating,
    response,
    serving,
    silent,
    slam,
)
from tests.states import CRITERIA, judged, measured, troubled, unknown

pytestmark = pytest.mark.anyio
TOKEN = "Bearer s3cret-t0ken"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def service(port: int, scheme: str = "http", **probes: Any) -> Service:
    url = SecretStr(f"{scheme}://127.0.0.1:{port}/mcp")
    return Service(name="tools", kind="mcp", url=url, probes=probes)


async def found(sound: Sound, context: Context, **probes: Any) -> set[str]:
    """Return the checks of this probe that fail or warn on the server."""
    async with serving(sound.web) as port:
        findings = await judged(service(port, **probes), context, ["mcp_protocol"])
    for finding in findings.values():
        assert "s3cret" not in finding.because
        assert len(finding.because) < 300
    return troubled(findings)


# Sound servers


@pytest.fixture(scope="module", params=["json", "events", "stateless"])
def app(request: pytest.FixtureRequest) -> Any:
    ways: dict[str, dict[str, Any]] = {
        "json": {"json_response": True},
        "events": {},
        "stateless": {"stateless_http": True},
    }
    return lambda: sdk().streamable_http_app(**ways[request.param])


@pytest.fixture(scope="module")
def modern(app: Any) -> Iterator[int]:
    with hosting(app()) as port:
        yield port


@pytest.fixture(scope="module")
def legacy(app: Any) -> Iterator[int]:
    with hosting(of_2025(app())) as port:
        yield port


def untimed(findings: dict[str, Finding]) -> set[str]:
    """Return what is wrong but for times, which other tests of this machine may spoil."""
    return {name for name in troubled(findings) if findings[name].area != "performance"}


async def test_the_sdks_server_of_the_new_era_has_no_finding(modern: int, context: Context) -> None:
    findings = await judged(service(modern), replace(context, samples=80))
    assert untimed(findings) == set()
    assert unknown(findings) == set()


async def test_the_sdks_server_of_the_old_era_is_but_old(legacy: int, context: Context) -> None:
    findings = await judged(service(legacy), replace(context, samples=80))
    assert untimed(findings) == {"mcp-era"}
    assert unknown(findings) == set()


async def test_what_is_measured_of_a_sound_server(context: Context) -> None:
    async with serving(Sound(LEGACY, credential=TOKEN).web) as port:
        values = await measure(
            service(port), Settings(headers={"Authorization": SecretStr(TOKEN)}), context
        )
    told = {name for name in values if not name.endswith("_because")}
    assert told == set(METRICS) - {"mismatch_refused"}
    wrong = {name for name in told if values[name] is not True}
    assert wrong == {"modern", "held_stream"}


@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_a_sound_server_has_no_finding(era: str, context: Context) -> None:
    assert await found(Sound(era), context) == set()
    settings = {"mcp_handshake": {"headers": {"Authorization": TOKEN}}}
    assert await found(Sound(era, credential=TOKEN), context, **settings) == set()


async def test_nothing_is_called_and_every_session_is_ended(context: Context) -> None:
    sound = Sound(LEGACY)
    await found(sound, context)
    methods = {json.loads(r.body)["method"] for r in sound.web.requests if b"}" in r.body}
    assert "tools/call" not in methods
    assert sound.sessions == set()


def test_over_tls_a_foreign_origin_is_a_smaller_matter() -> None:
    """A rebound name does not get past the certificate."""
    one = service(1, "https")
    seen = judging.measured("mcp_protocol", rebindable=False, origin_refused=False)
    found = {
        name: judge(CRITERIA.checks[name], one, [seen], (), judging.NOW.date())
        for name in ("mcp-origin", "mcp-origin-tls")
    }
    assert (found["mcp-origin"].outcome, found["mcp-origin-tls"].outcome) == (
        "not_applicable",
        "fail",
    )
    assert (found["mcp-origin"].severity, found["mcp-origin-tls"].severity) == ("high", "low")


# Servers that break one rule


class AnyOrigin(Sound):
    def known_origin(self, _: Request) -> bool:
        return True


class OriginAsHost(Sound):
    """Takes a page for its own whose Origin is the Host it was reached by: a rebound name."""

    def known_origin(self, request: Request) -> bool:
        origin = request.headers.get("origin", "")
        return not origin or origin.endswith("//" + request.headers["host"])


class OriginBreaks(Sound):
    def door(self, request: Request) -> bytes | None:
        return response(500) if "origin" in request.headers else None


class OpenToAll(Sound):
    def door(self, request: Request) -> bytes | None:
        return None if self.known_origin(request) else response(403)


class AnyCredential(Sound):
    def door(self, request: Request) -> bytes | None:
        if not self.known_origin(request):
            return response(403)
        return None if "authorization" in request.headers else response(401)


class UnknownGetsResult(Sound):
    def unknown(self, identity: Any) -> bytes:
        return self.result(identity, {})


class UnknownGetsCrash(Sound):
    def unknown(self, identity: Any) -> bytes:
        return response(500, "Traceback s3cret", "text/plain")


class UnknownGetsOtherError(Sound):
    def unknown(self, identity: Any) -> bytes:
        return self.error(identity, -32603, 404)


class UnknownGetsOk(Sound):
    def unknown(self, identity: Any) -> bytes:
        return self.error(identity, -32601, 200)


class UnknownGetsGarbage(Sound):
    def unknown(self, identity: Any) -> bytes:
        return response(200, "<html>s3cret", "text/html")


class UnknownIsDropped(Sound):
    def unknown(self, identity: Any) -> bytes:
        return STREAM + b": and nothing more\n\n"


class MalformedCrashes(Sound):
    def malformed(self) -> bytes:
        return response(500, "Traceback", "text/plain")


class MalformedIsTaken(Sound):
    def malformed(self) -> bytes:
        return response(202)


class MalformedIsLeft(Sound):
    hangs = True

    def malformed(self) -> bytes:
        return b""


class AnyVersion(Sound):
    def version(self, identity: Any, message: dict[str, Any]) -> bytes:
        return self.dispatched(identity, message["method"], {})


class BodyObeyed(Sound):
    def mismatch(self, identity: Any, message: dict[str, Any]) -> bytes:
        return self.dispatched(identity, message["method"], {})


class GetIsLeft(Sound):
    hangs = True

    def get(self) -> bytes:
        return b""


class GetIsPage(Sound):
    def get(self) -> bytes:
        return response(200, "<html>", "text/html")


class GetIsLost(Sound):
    def get(self) -> bytes:
        return response(404)


class CountedSessions(Sound):
    def session_name(self) -> str:
        return f"session-0000000000000000000000000{len(self.sessions)}"


class AnySession(Sound):
    """Answers under any name but those that have ended."""

    ended: frozenset[str] = frozenset()

    def spoken(self, request: Request, message: dict[str, Any]) -> bytes:
        name = request.headers.get("mcp-session-id", "")
        if message["method"] == "tools/list" and name not in self.ended:
            self.sessions.add(name)
        return super().spoken(request, message)

    def delete(self, request: Request) -> bytes:
        self.ended = self.ended | {request.headers["mcp-session-id"]}
        return super().delete(request)


class LostGets400(Sound):
    def lost(self, identity: Any, _: dict[str, Any]) -> bytes:
        return self.error(identity, -32000, 400)


class SessionsOutliveDelete(Sound):
    def delete(self, request: Request) -> bytes:
        return response(204)


MUTANTS: list[tuple[type[Sound], tuple[str, ...], str]] = [
    (AnyOrigin, (MODERN, LEGACY), "mcp-origin"),
    (OriginAsHost, (MODERN, LEGACY), "mcp-origin"),
    (OriginBreaks, (MODERN, LEGACY), "mcp-origin"),
    (UnknownGetsResult, (MODERN, LEGACY), "mcp-unknown-method"),
    (UnknownGetsCrash, (MODERN, LEGACY), "mcp-unknown-method"),
    (UnknownGetsOtherError, (MODERN, LEGACY), "mcp-unknown-method"),
    (UnknownGetsGarbage, (MODERN, LEGACY), "mcp-unknown-method"),
    (UnknownGetsOk, (MODERN,), "mcp-unknown-method"),
    (UnknownIsDropped, (MODERN, LEGACY), "mcp-unknown-method"),
    (MalformedCrashes, (MODERN, LEGACY), "mcp-malformed"),
    (MalformedIsTaken, (MODERN, LEGACY), "mcp-malformed"),
    (MalformedIsLeft, (MODERN, LEGACY), "mcp-malformed"),
    (AnyVersion, (LEGACY,), "mcp-version-refused"),
    (BodyObeyed, (MODERN,), "mcp-header-mismatch"),
    (GetIsLeft, (MODERN, LEGACY), "mcp-get"),
    (GetIsPage, (MODERN, LEGACY), "mcp-get"),
    (GetIsLost, (LEGACY,), "mcp-get"),
    (CountedSessions, (LEGACY,), "mcp-session-names"),
    (AnySession, (LEGACY,), "mcp-session-lost"),
    (LostGets400, (LEGACY,), "mcp-session-lost"),
    (SessionsOutliveDelete, (LEGACY,), "mcp-session-ended"),
]


@pytest.mark.parametrize(
    ("mutant", "era", "check"),
    [(mutant, era, check) for mutant, eras, check in MUTANTS for era in eras],
)
async def test_each_flaw_is_caught_by_its_check_and_by_no_other(
    mutant: type[Sound], era: str, check: str, context: Context
) -> None:
    began = time.monotonic()
    timeout = 1.0 if mutant.hangs else context.timeout
    assert await found(mutant(era), replace(context, timeout=timeout)) == {check}
    assert time.monotonic() - began < 4


async def test_a_modern_server_that_takes_any_version(context: Context) -> None:
    class AnyModern(Sound):
        def version(self, identity: Any, message: dict[str, Any]) -> bytes:
            return self.dispatched(identity, message["method"], {})

    assert await found(AnyModern(), context) == {"mcp-version-refused"}


@pytest.mark.parametrize("era", [MODERN, LEGACY])
@pytest.mark.parametrize(
    ("mutant", "check"), [(OpenToAll, "mcp-stranger"), (AnyCredential, "mcp-forged")]
)
async def test_credentials_that_protect_nothing(
    mutant: type[Sound], check: str, era: str, context: Context
) -> None:
    settings = {"mcp_protocol": {"headers": {"Authorization": TOKEN}}}
    assert await found(mutant(era, credential=TOKEN), context, **settings) == {check}


async def test_what_is_open_to_all_says_nothing_of_forged_credentials(context: Context) -> None:
    async with serving(OpenToAll(credential=TOKEN).web) as port:
        of = service(port, mcp_protocol={"headers": {"Authorization": TOKEN}})
        findings = await judged(of, context, ["mcp_protocol"])
    assert unknown(findings) == {"mcp-forged"}
    assert findings["mcp-forged"].because.startswith("not tested: ")


async def test_a_header_that_is_no_credential_makes_no_open_server_a_finding(
    context: Context,
) -> None:
    headers = {"headers": {"X-Shop": "north"}}
    async with serving(Sound().web) as port:
        findings = await judged(service(port, mcp_protocol=headers), context, ["mcp_protocol"])
    for check in ("mcp-stranger", "mcp-forged"):
        assert findings[check].outcome == "not_applicable"
        assert findings[check].because.startswith("not tested: no declared header is known")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_a_limit_or_an_overload_turns_no_stranger_away(
    era: str, status: int, context: Context
) -> None:
    class Busy(OpenToAll):
        """Has had enough once it was asked by who has the credential."""

        def answer(self, request: Request) -> bytes:
            known = request.headers.get("authorization") == TOKEN
            return super().answer(request) if known else response(status)

    headers = {"headers": {"Authorization": TOKEN}}
    async with serving(Busy(era, credential=TOKEN).web) as port:
        findings = await judged(service(port, mcp_protocol=headers), context, ["mcp_protocol"])
    assert troubled(findings) == set()
    assert unknown(findings) == {"mcp-stranger", "mcp-forged"}
    assert findings["mcp-stranger"].because.endswith(f"the answer was {status}")


@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_a_limit_of_requests_proves_nothing(era: str, context: Context) -> None:
    class Limited(Sound):
        """Lets a client open a conversation and ask once; then it has had enough."""

        def answer(self, request: Request) -> bytes:
            asked = [r for r in self.web.requests if b"tools/list" in r.body]
            opens = any(m in request.body for m in (b"discover", b"initialize"))
            if not opens and len(asked) > 1 and request.method == "POST":
                return response(429)
            return super().answer(request)

    async with serving(Limited(era).web) as port:
        findings = await judged(service(port), context, ["mcp_protocol"])
    assert troubled(findings) == set()
    assert {"mcp-origin", "mcp-unknown-method", "mcp-malformed"} <= unknown(findings)


async def test_the_sample_systems_server_has_no_finding(context: Context) -> None:
    nothing: dict[str, Any] = {f.name: "" for f in fields(Config)} | {"fixed": True}
    written = samples.inventory().service("mcp-server").probes
    with hosting(sample.app(Config(**nothing))) as port:
        found = await judged(service(port, **written), replace(context, samples=80))
    findings = {name: one for name, one in found.items() if one.area != "performance"}
    assert findings["mcp-call-expected"].outcome == "pass"
    assert troubled(findings) == unknown(findings) == set()


# Streams that are held open, and servers that are not well


class Held:
    """Answers as a sound server does, but in a stream that it never ends."""

    def __init__(self, era: str) -> None:
        self.sound, self.opened, self.closed = Sound(era), 0, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            raw = self.sound.answer(request)
            head, _, body = raw.partition(b"\r\n\r\n")
            if request.method == "GET":
                writer.write(STREAM)
            elif body and b" 200 " in head:
                session = [line for line in head.split(b"\r\n") if b"Session" in line]
                extra = b"\r\n".join([b"", *session])
                start = STREAM.removesuffix(b"\r\n\r\n") + extra + b"\r\n\r\n"
                writer.write(start + b": hello\n\nevent: message\ndata: " + body + b"\n\n")
            else:
                writer.write(raw)
                continue
            self.opened += 1
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b": still here\n\n")
                    await writer.drain()
                    await asyncio.sleep(0.01)
            self.closed += 1
            return


@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_streams_held_open_hold_nobody_up(era: str, context: Context) -> None:
    held = Held(era)
    began = time.monotonic()
    async with serving(held) as port:
        findings = await judged(service(port), context, ["mcp_tools", "mcp_protocol"])
        values = (await measured(service(port), "mcp_protocol", context)).values
        until = time.monotonic() + 5
        while held.closed < held.opened and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert held.opened == held.closed > 2  # each stream is closed by us
    assert troubled(findings) == set()
    assert values["held_stream"] is True
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("handler", "kinds"),
    [
        (silent, {"timeout"}),
        (slam, {"reset"}),
        (garbage, {"protocol"}),
        (header_drip, {"timeout"}),
        (body_drip, {"timeout", "protocol"}),
        (endless_body, {"timeout", "protocol"}),
        (repeating(STREAM, b": still here\n\n", 0.01), {"timeout"}),
        (repeating(STREAM, b"data: {\n", 0.01), {"timeout"}),
        (repeating(STREAM, b"x"), {"timeout", "protocol"}),
    ],
)
async def test_hostile_servers(handler: Handler, kinds: set[str], context: Context) -> None:
    async with serving(handler) as port:
        began = time.monotonic()
        found = await measured(service(port), "mcp_protocol", replace(context, timeout=0.3))
    assert found.failure and found.failure.kind in kinds, found
    assert time.monotonic() - began < 3


async def test_a_cancelled_probe_ends_at_once(context: Context) -> None:
    heard = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set()
        await silent(reader, writer)

    async with serving(handler) as port:
        task = asyncio.create_task(measure(service(port), Settings(), context))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 3)
