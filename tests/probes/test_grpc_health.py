"""grpc_health against a real gRPC server with the official health service, and what is none."""

import asyncio
import contextlib
import dataclasses
import functools
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from pydantic import ValidationError

from readiness.estimate import Estimate
from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes.grpc_health import CHECK, METRICS, Settings, _read, _written, measure
from tests import servers
from tests.certificates import Authority, self_signed
from tests.servers import Handler
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

UNTIMED = {"grpc-health-p95"}
"""What a few samples do not tell."""
STATUS = health_pb2.HealthCheckResponse


def service(port: int, scheme: str = "grpc", host: str = "127.0.0.1", **settings: Any) -> Service:
    return Service.model_validate(
        {
            "name": "orders",
            "kind": "grpc",
            "url": f"{scheme}://{host}:{port}",
            "probes": {"grpc_health": settings},
        }
    )


@contextlib.contextmanager
def serving(handler: Any, tls: bytes | None = None) -> Iterator[int]:
    """Serve a generic handler, or the servicer of the health service, on a free port."""
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        if isinstance(handler, health_pb2_grpc.HealthServicer):
            health_pb2_grpc.add_HealthServicer_to_server(handler, server)
        else:
            server.add_generic_rpc_handlers(handler)
        at = "localhost:0" if tls else "127.0.0.1:0"
        trust = tls and grpc.ssl_server_credentials([(tls, tls)])
        port = server.add_secure_port(at, trust) if trust else server.add_insecure_port(at)
        server.start()
        try:
            yield port
        finally:
            server.stop(0).wait(10)


@contextlib.contextmanager
def telling(statuses: Mapping[str, Any], tls: bytes | None = None) -> Iterator[int]:
    """Serve the official health service with these statuses, `` being the server as a whole."""
    servicer = health.HealthServicer()
    if "" not in statuses:
        servicer._server_status.pop("")
    for name, status in statuses.items():
        servicer.set(name, status)
    with serving(servicer, tls) as port:
        yield port


class Answering(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Answers each check by `code`, or by what `act` does."""

    def __init__(self, code: Any = None, act: Any = None) -> None:
        self.code, self.act = code, act
        self.seen: list[Mapping[str, Any]] = []

    def Check(self, request: Any, context: Any) -> Any:
        self.seen.append(dict(context.invocation_metadata()))
        if self.act is None:
            context.abort(self.code, "s3cret details")
        return self.act(request, context)


async def failure(of: Service, context: Context) -> Failure:
    settings = Settings.model_validate(of.probes["grpc_health"])
    with pytest.raises(Exception) as caught:
        await measure(of, settings, context)
    return classify(caught.value)


@pytest.fixture
def brief(context: Context) -> Context:
    return dataclasses.replace(context, samples=3, timeout=2.0)


@pytest.mark.light
async def test_all_is_measured(context: Context) -> None:
    with telling({"": STATUS.SERVING, "shop.v1.Orders": STATUS.SERVING}) as port:
        own = service(port, services=["shop.v1.Orders"])
        many = dataclasses.replace(context, samples=1000)
        values = await measure(own, Settings(services=("shop.v1.Orders",)), many)
        findings = await judged(own, many)
    assert {name.removesuffix("_because") for name in values} == set(METRICS)
    for metric in ("p50_ms", "p95_ms"):
        assert isinstance(estimate := values[metric], Estimate) and estimate.n == 76
    assert troubled(findings) <= UNTIMED and not unknown(findings)
    assert "fail" not in {found.outcome for found in findings.values()}


@pytest.mark.parametrize("name", ["", "a", "shop.v1.Orders", "x" * 127, "x" * 128, "x" * 200])
def test_messages_are_those_of_the_official_library(name: str) -> None:
    assert _written(name) == health_pb2.HealthCheckRequest(service=name).SerializeToString()


def test_answers_are_read_as_the_official_library_writes_them() -> None:
    for label, number in STATUS.ServingStatus.items():
        assert _read(STATUS(status=number).SerializeToString()) == label
    assert _read(b"\x08\x07") == "status 7"
    for odd in (b"\x08", b"\x08\xff", b"\x0a\x01x", b"\x08\x01\x08\x01", bytes(9)):
        with pytest.raises(ProbeError):
            _read(odd)


@pytest.mark.parametrize(
    ("statuses", "services", "check", "because"),
    [
        ({"": STATUS.NOT_SERVING}, None, "grpc-serving", "it says NOT_SERVING"),
        ({"": STATUS.UNKNOWN}, None, "grpc-serving", "it says UNKNOWN"),
        (
            {"": STATUS.SERVING, "a": STATUS.NOT_SERVING, "b": STATUS.SERVING},
            ["a", "b", "c"],
            "grpc-services",
            "a is NOT_SERVING, c is unknown to it",
        ),
        ({"": STATUS.SERVING}, ["a"], "grpc-services", "a is unknown to it"),
        (
            {"": STATUS.SERVING, "a": STATUS.SERVICE_UNKNOWN},
            ["a"],
            "grpc-services",
            "a is SERVICE_UNKNOWN",
        ),
    ],
)
async def test_what_does_not_serve_is_found_by_its_check_alone(
    statuses: Any, services: Any, check: str, because: str, brief: Context
) -> None:
    with telling(statuses) as port:
        findings = await judged(service(port, services=services), brief)
    assert troubled(findings) == {check} and unknown(findings) == UNTIMED
    assert findings[check].because == because


async def test_a_clean_default_has_no_finding(brief: Context) -> None:
    with telling({"": STATUS.SERVING}) as port:
        findings = await judged(service(port), brief)
    assert not troubled(findings) and unknown(findings) == UNTIMED
    assert findings["grpc-services"].outcome == "not_applicable"


async def test_services_alone_are_enough(brief: Context) -> None:
    with telling({"a": STATUS.SERVING}) as port:
        declared = await judged(service(port, services=["a"]), brief)
        silent = await judged(service(port), brief)
    assert not troubled(declared) and unknown(declared) == UNTIMED
    assert declared["grpc-serving"].outcome == "not_applicable"
    assert not troubled(silent) and unknown(silent) == UNTIMED | {"grpc-serving"}
    assert silent["grpc-serving"].because.startswith("not tested: ")


async def test_a_server_without_the_health_service(brief: Context) -> None:
    other = grpc.method_handlers_generic_handler("shop.v1.Orders", {})
    with serving((other,)) as port:
        findings = await judged(service(port, services=["shop.v1.Orders"]), brief)
    assert troubled(findings) == {"grpc-health-implemented"}
    assert unknown(findings) == {"grpc-services"}, "was declared, so to take it away helps nobody"
    for check in ("grpc-serving", "grpc-health-p95"):
        assert findings[check].outcome == "not_applicable"


async def test_a_slow_server_is_found_by_its_time_alone(context: Context) -> None:
    def act(request: Any, _: Any) -> Any:
        time.sleep(0.004)
        return STATUS(status=STATUS.SERVING)

    many = dataclasses.replace(context, samples=72)
    with serving(Answering(act=act)) as port:
        strict = {"grpc-health-p95": {"target": "1ms", "limit": "3ms"}}
        own = service(port).model_copy(update={"checks": strict})
        findings = await judged(own, many)
    assert troubled(findings) == UNTIMED
    assert findings["grpc-health-p95"].outcome == "fail"


@pytest.mark.parametrize(
    ("code", "kind", "detail"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "denied", "answered UNAUTHENTICATED: declare headers"),
        (grpc.StatusCode.PERMISSION_DENIED, "denied", "answered PERMISSION_DENIED"),
        (grpc.StatusCode.INTERNAL, "protocol", "answered INTERNAL"),
        (grpc.StatusCode.UNAVAILABLE, "protocol", "answered UNAVAILABLE"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "protocol", "answered RESOURCE_EXHAUSTED"),
    ],
)
async def test_other_answers_of_a_server(code: Any, kind: str, detail: str, brief: Context) -> None:
    with serving(Answering(code)) as port:
        found = await failure(service(port), brief)
    assert found.kind == kind and detail in found.detail
    assert "s3cret" not in found.detail


async def test_metadata_is_sent_in_lower_case_and_never_shown(brief: Context) -> None:
    servicer = Answering(act=lambda *_: STATUS(status=STATUS.SERVING))
    with serving(servicer) as port:
        headers = {"Authorization": "Bearer s3cret-token", "X-Tenant": "shop"}
        await measure(service(port), Settings.model_validate({"headers": headers}), brief)
        await measure(service(port, host="me:s3cret@127.0.0.1"), Settings(), brief)
    assert servicer.seen[0]["authorization"] == "Bearer s3cret-token"
    assert servicer.seen[0]["x-tenant"] == "shop" and servicer.seen[0]["readiness-run"] == "test"
    assert servicer.seen[-1]["authorization"] == "Basic bWU6czNjcmV0"
    assert len({tuple(sorted(one)) for one in servicer.seen}) == 2


async def test_encrypted_by_the_run_s_trust(brief: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server("localhost")
    self_signed(tmp_path)
    authority.server("localhost", days=-1)
    trusting = dataclasses.replace(brief, tls=authority.client)
    with telling({"": STATUS.SERVING}, (tmp_path / "localhost5.pem").read_bytes()) as port:
        findings = await judged(service(port, "grpcs", "localhost"), trusting)
        stranger = await failure(service(port, "grpcs", "localhost"), brief)
        plain = await failure(service(port, "grpc", "localhost"), trusting)
    with telling({"": STATUS.SERVING}, (tmp_path / "localhost-1.pem").read_bytes()) as port:
        expired = await failure(service(port, "grpcs", "localhost"), trusting)
    with telling({"": STATUS.SERVING}) as port:
        bare = await failure(service(port, "grpcs"), trusting)
    assert not troubled(findings) and unknown(findings) == UNTIMED
    assert stranger.kind == "tls" and plain.kind in ("protocol", "reset")
    assert (expired.kind, expired.detail) == ("tls", "certificate has expired")
    assert bare.kind == "tls"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of authorities by their hash, beside localhost5.pem that one vouches for."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the program openssl is not installed")
    authority = Authority(tmp_path)
    authority.server("localhost")
    (root,) = authority.client().get_ca_certs(binary_form=True)
    found = tmp_path / "folder"
    found.mkdir()
    (found / "root.pem").write_text(ssl.DER_cert_to_PEM_cert(root))
    subprocess.run([program, "rehash", found], check=True, capture_output=True)
    return found


async def test_authorities_in_a_folder_are_trusted_too(
    brief: Context, tmp_path: Path, folder: Path
) -> None:
    """OpenSSL reads such a folder, which is Debian's default, only as it needs one of them."""
    trusting = dataclasses.replace(
        brief, tls=functools.cache(lambda: ssl.create_default_context(capath=str(folder)))
    )
    with telling({"": STATUS.SERVING}, (tmp_path / "localhost5.pem").read_bytes()) as port:
        findings = await judged(service(port, "grpcs", "localhost"), trusting)
    assert not troubled(findings) and unknown(findings) == UNTIMED


async def first_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a web server does that knows HTTP/1.1 alone."""
    await reader.readline()
    writer.write(servers.response(400))
    await writer.drain()


@pytest.mark.parametrize(
    ("handler", "kinds"),
    [
        (servers.silent, {"timeout"}),
        (servers.garbage, {"protocol"}),
        (servers.slam, {"reset"}),
        (first_line, {"protocol", "reset"}),  # the kernel may reset what was not read
        (servers.repeating(b"\0\0\0\4\0\0\0\0\0", b"\0\0\x08\6\0\0\0\0\0" + bytes(8)), {"timeout"}),
    ],
)
async def test_what_speaks_no_grpc(handler: Handler, kinds: set[str], brief: Context) -> None:
    hurried = dataclasses.replace(brief, timeout=0.5)
    async with asyncio.timeout(10), servers.serving(handler) as port:
        found = await failure(service(port), hurried)
    assert found.kind in kinds, found


async def test_an_answer_without_end(brief: Context) -> None:
    big: Any = grpc.unary_unary_rpc_method_handler(lambda *_: bytes(1 << 20))
    name, method = CHECK[1:].split("/")
    with serving((grpc.method_handlers_generic_handler(name, {method: big}),)) as port:
        found = await failure(service(port), brief)
    assert (found.kind, found.detail) == ("protocol", "Health/Check answered RESOURCE_EXHAUSTED")


async def test_a_closed_port(brief: Context) -> None:
    async with servers.refusing() as port:
        findings = await judged(service(port), brief)
    assert findings["grpc-up"].outcome == "fail"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"services": []}, "at least 1"),
        ({"services": ["a b"]}, "services"),
        ({"headers": {"grpc-timeout": "1S"}}, "reserved"),
        ({"headers": {"trace-bin": "x"}}, "reserved"),
        ({"headers": {"x": "é"}}, "one line"),
        ({"headers": {"x": "a\nb"}}, "one line"),
    ],
)
def test_settings_that_cannot_be(settings: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate(settings)


PROGRAM = """
import asyncio, functools, socket, ssl, sys, time
from pathlib import Path
from readiness.failure import ProbeError
from readiness.inventory import Inventory, Service, System
from readiness.ledger import Ledger
from readiness.load.caps import Budget
from readiness.probes import Context
from readiness.probes.grpc_health import Settings, measure
from readiness.resolve import resolve

async def ask(port):
    context = Context(time.monotonic() + 9, 0.3, 3, {}, frozenset(), "t",
        ssl.create_default_context, resolve, Budget(), {}, print,
        Inventory(version=1, system=System(name="t"), services=()), Ledger(None, "t"), Path(), {})
    service = Service.model_validate(
        {"name": "x", "kind": "grpc", "url": f"grpc://127.0.0.1:{port}"})
    try:
        await measure(service, Settings(), context)
    except ProbeError as error:
        print(error.failure.kind, "grpc" in sys.modules)

with socket.create_server(("127.0.0.1", 0)) as held:
    asyncio.run(ask(held.getsockname()[1]))
    asyncio.run(ask(held.getsockname()[1]))
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    environ = os.environ | {"GRPC_VERBOSITY": "debug", "http_proxy": "http://127.0.0.1:1"}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, env=environ
    )


def test_a_server_that_hangs_holds_no_process_and_nothing_is_logged() -> None:
    began = time.monotonic()
    ended = run(PROGRAM)
    assert ended.stdout == "timeout True\ntimeout True\n"
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert time.monotonic() - began < 15


def test_without_the_library_it_says_what_to_install() -> None:
    ended = run(
        "import sys\nsys.modules['grpc'] = None\n"
        + PROGRAM.replace("error.failure.kind", "error.failure.detail")
    )
    assert ended.stdout.count("pip install 'readiness[grpc]' True") == 2
