"""The exchange every functional HTTP probe shares, against good and hostile servers."""

import asyncio
import contextlib
import dataclasses
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Service
from readiness.probes import Address, Context
from readiness.probes._connection import _abandon, dial
from readiness.probes._http import Target, attempt, exchange, target
from tests import servers
from tests.certificates import Authority, self_signed

pytestmark = pytest.mark.anyio


def at(port: int, host: str = "127.0.0.1", path: str = "/") -> Target:
    return Target(tls=False, host=host, port=port, path=path)


async def kind_of(server: servers.Handler, context: Context, timeout: float = 0.3) -> Failure:
    impatient = dataclasses.replace(context, timeout=timeout)
    async with servers.serving(server) as port:
        with pytest.raises((OSError, ProbeError)) as caught:
            await exchange(impatient, at(port))
    return classify(caught.value)


async def test_an_answer_is_read_whole_with_the_time_of_each_step(context: Context) -> None:
    web = servers.always(servers.response(200, "hello", "text/plain; charset=utf-8"))
    web.delay = 0.05
    async with servers.serving(web) as port:
        answer = await exchange(context, at(port, path="/x?y=1"))
    assert (answer.status, answer.text, answer.media_type) == (200, "hello", "text/plain")
    assert answer.protocol == "HTTP/1.1"
    assert answer.complete
    assert set(answer.ms) == {"resolve", "connect", "first_byte", "transfer"}
    assert answer.ms["first_byte"] >= 50
    assert answer.ms["connect"] < 50
    [request] = web.requests
    assert request.target == "/x?y=1"
    assert request.headers["host"] == f"127.0.0.1:{port}"
    assert request.headers["readiness-run"] == "test"
    assert request.headers["user-agent"].startswith("readiness/")
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["connection"] == "close"


async def test_every_exchange_has_a_connection_of_its_own(context: Context) -> None:
    web = servers.always(servers.response())
    async with servers.serving(web) as port:
        for _ in range(3):
            await exchange(context, at(port))
    assert web.connections == 3


async def test_a_forged_answer_after_the_body_is_never_read(context: Context) -> None:
    forged = servers.response(500, "broken") + servers.response(200, '{"status": "ok"}')
    async with servers.serving(servers.always(forged)) as port:
        for _ in range(5):
            answer = await exchange(context, at(port))
            assert (answer.status, answer.text) == (500, "broken")


@pytest.mark.parametrize(
    ("server", "step"),
    [
        (servers.silent, "first_byte"),
        (servers.header_drip, "transfer"),
        (servers.body_drip, "transfer"),
    ],
    ids=["silent", "header drip", "body drip"],
)
async def test_no_server_outlives_the_timeout(
    server: servers.Handler, step: str, context: Context
) -> None:
    began = time.monotonic()
    failure = await kind_of(server, context)
    assert failure == Failure(kind="timeout", detail=f"no answer within 0.3 s ({step})")
    assert time.monotonic() - began < 2


async def test_a_flood_of_interim_answers_breaks_the_protocol(context: Context) -> None:
    failure = await kind_of(servers.interim_flood, context, timeout=5)
    assert failure == Failure(kind="protocol", detail="more than 64 KiB of headers and no answer")


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (servers.slam, "reset"),
        (servers.hang_up, "reset"),
        (servers.garbage, "protocol"),
        (servers.always(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), "protocol"),
        (
            servers.always(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk size\r\n"
            ),
            "protocol",
        ),
        (servers.repeating(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 65536), "protocol"),
        (servers.always(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), "protocol"),
    ],
    ids=["slam", "hang up", "garbage", "short", "chunk", "long header", "upgrade"],
)
async def test_broken_servers(server: servers.Handler, kind: str, context: Context) -> None:
    assert (await kind_of(server, context)).kind == kind


async def test_an_endless_body_is_cut_off(context: Context) -> None:
    async with servers.serving(servers.endless_body) as port:
        answer = await exchange(context, at(port))
    assert answer.status == 200
    assert not answer.complete
    assert len(answer.body) <= 1 << 20
    assert answer.cold["response_bytes_because"]


async def test_a_gzip_bomb_stays_packed(context: Context) -> None:
    async with servers.serving(servers.always(servers.bomb())) as port:
        answer = await exchange(context, at(port))
    assert len(answer.body) < 100_000


async def test_a_redirect_is_not_followed(context: Context) -> None:
    location = {"Location": "https://user:secret@elsewhere.test/login?token=secret#secret"}
    web = servers.always(servers.response(302, headers=location))
    async with servers.serving(web) as port:
        answer = await exchange(context, at(port))
    assert answer.status == 302
    assert answer.redirect == "https://elsewhere.test/login"
    assert len(web.requests) == 1


@servers.needs_ipv6
async def test_ipv6_literals(context: Context) -> None:
    web = servers.always(servers.response())
    async with servers.serving(web, host="::1") as port:
        where = target(service(f"http://[::1]:{port}"), "/")
        answer = await exchange(context, where)
    assert answer.status == 200
    assert web.requests[0].headers["host"] == f"[::1]:{port}"


async def test_the_address_that_accepts_is_found(context: Context) -> None:
    """The first address refuses, the second stays silent, the third answers."""

    async def several(host: str, port: int) -> Sequence[Address]:
        return [
            (socket.AF_INET, "127.0.0.2", port),
            (socket.AF_INET, "240.0.0.1", port),
            (socket.AF_INET, "127.0.0.1", port),
        ]

    async with servers.serving(servers.always(servers.response())) as port:
        answer = await exchange(
            dataclasses.replace(context, resolve=several), at(port, host="several.test")
        )
    assert answer.status == 200
    assert answer.ms["connect"] < 2000


async def test_every_address_refusing_is_refused(context: Context) -> None:
    async def both(host: str, port: int) -> Sequence[Address]:
        return [(socket.AF_INET, f"127.0.0.{n}", port) for n in (2, 1)]

    async with servers.refusing() as port:
        with pytest.raises(ExceptionGroup) as caught:
            await exchange(dataclasses.replace(context, resolve=both), at(port))
    assert classify(caught.value) == Failure(kind="refused", detail="connection refused")


async def test_a_silent_address_does_not_keep_the_next_one_waiting(context: Context) -> None:
    with socket.socket() as full, socket.socket() as good:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        good.bind(("127.0.0.1", 0))
        good.listen()
        with contextlib.ExitStack() as fillers:
            for _ in range(8):  # a full backlog drops every further connection attempt
                filler = fillers.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            began = time.monotonic()
            addresses = [(socket.AF_INET, *s.getsockname()) for s in (full, good)]
            async with asyncio.timeout(5):
                connected = await dial(addresses)
            with connected:
                assert connected.getpeername() == good.getsockname()
    assert 0.2 < time.monotonic() - began < 2


async def test_a_loser_that_connected_in_the_meantime_is_closed() -> None:
    async def connected() -> socket.socket:
        return socket.socket()

    loser = asyncio.create_task(connected())
    await asyncio.wait([loser])
    await _abandon({loser})
    assert loser.result().fileno() == -1


async def test_a_host_without_any_address_is_dns(context: Context) -> None:
    async def nowhere(host: str, port: int) -> Sequence[Address]:
        return []

    with pytest.raises(ProbeError) as caught:
        await exchange(dataclasses.replace(context, resolve=nowhere), at(1, host="nowhere.test"))
    assert caught.value.failure.kind == "dns"


async def test_a_hanging_resolver_is_a_timeout_that_names_the_step(context: Context) -> None:
    async def never(host: str, port: int) -> Sequence[Address]:
        await asyncio.Event().wait()
        raise AssertionError

    hanging = dataclasses.replace(context, resolve=never, timeout=0.1)
    failure = await attempt(hanging, at(1))
    assert failure == Failure(kind="timeout", detail="no answer within 0.1 s (resolve)")


async def test_the_runs_own_deadline_is_not_blamed_on_the_server(context: Context) -> None:
    soon = dataclasses.replace(context, deadline=time.monotonic() + 0.1)
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            await attempt(soon, at(port))
    assert caught.value.failure.kind == "deadline"


# TLS


async def test_tls_by_name_with_the_days_of_the_certificate(
    context: Context, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    trusting = dataclasses.replace(context, tls=authority.client)
    web = servers.always(servers.response(200, "hello"))
    async with servers.serving(web, tls=authority.server(days=42)) as port:
        answer = await exchange(trusting, target(service(f"https://localhost:{port}"), "/"))
    assert (answer.text, answer.certificate_days) == ("hello", 42)
    assert set(answer.cold) == {
        *("resolve_ms", "connect_ms", "tls_ms", "first_byte_ms", "transfer_ms"),
        *("response_bytes", "certificate_days"),
    }


@servers.needs_ipv6
async def test_tls_by_ip(context: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = dataclasses.replace(context, tls=authority.client)
    async with servers.serving(
        servers.always(servers.response()), host="::1", tls=authority.server("::1")
    ) as port:
        answer = await exchange(trusting, target(service(f"https://[::1]:{port}"), "/"))
    assert answer.status == 200


@pytest.mark.parametrize("fault", ["self-signed", "has expired", "another host name"])
async def test_bad_certificates_are_refused(fault: str, context: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = {
        "self-signed": lambda: self_signed(tmp_path),
        "has expired": lambda: authority.server(days=-1),
        "another host name": lambda: authority.server("elsewhere.test"),
    }[fault]()
    trusting = dataclasses.replace(context, tls=authority.client)
    async with servers.serving(servers.silent, tls=tls) as port:
        failure = await attempt(trusting, target(service(f"https://localhost:{port}"), "/"))
    assert isinstance(failure, Failure)
    assert failure.kind == "tls"
    assert fault in failure.detail


async def test_a_hanging_handshake_is_a_timeout(context: Context, tmp_path: Path) -> None:
    impatient = dataclasses.replace(context, tls=Authority(tmp_path).client, timeout=0.2)
    async with servers.serving(servers.silent) as port:
        failure = await attempt(impatient, target(service(f"https://127.0.0.1:{port}"), "/"))
    assert failure == Failure(kind="timeout", detail="no answer within 0.2 s (tls)")


# Targets


def service(url: str) -> Service:
    return Service.model_validate({"name": "it", "kind": "http", "url": url})


async def test_a_target_keeps_the_urls_own_path_query_and_credentials() -> None:
    it = service("https://us%40er:pa%3Ass@Example.test:8443/base/?key=1")
    known = target(it, "/health?full=1")
    assert (known.tls, known.host, known.port) == (True, "example.test", 8443)
    assert known.path == "/base/health?full=1&key=1"
    assert known.authorization == "Basic dXNAZXI6cGE6c3M="
    assert "key" not in repr(known)
    assert "dXNA" not in repr(known)


async def test_an_anonymous_target_leaves_the_urls_credentials_out() -> None:
    stranger = target(service("http://user:pass@example.test/?key=1"), "/private", anonymous=True)
    assert (stranger.path, stranger.authorization) == ("/private", None)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/ü", "/%C3%BC"),
        ("/x\r\nEvil: 1", "/x%0D%0AEvil:%201"),
        ("//elsewhere.test/", "//elsewhere.test/"),
    ],
)
async def test_a_path_is_sent_as_one_safe_token_to_the_same_origin(path: str, sent: str) -> None:
    assert target(service("http://example.test"), path).path == sent


async def test_default_ports_are_left_out_of_the_host_header() -> None:
    assert target(service("http://bücher.test"), "/").authority == "xn--bcher-kva.test"
    assert target(service("https://example.test"), "/").authority == "example.test"
    assert target(service("https://[::1]:444"), "/").authority == "[::1]:444"
