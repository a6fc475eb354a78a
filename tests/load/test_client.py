import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from readiness.failure import FailureKind
from readiness.load.client import Client, Outcome
from readiness.load.request import Endpoint, preformat
from tests import servers
from tests.certificates import Authority, self_signed
from tests.load.runs import GET, at, soon

pytestmark = pytest.mark.anyio

OK = servers.response(200, "fine")
FORGED = servers.response(200, "forged")
DOWN = servers.response(500, "down")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"


def seen(outcome: Outcome) -> int | FailureKind | None:
    return outcome.fault.kind if outcome.fault else outcome.status


async def asked(endpoint: Endpoint, times: int, patience: float = 5.0) -> list[object]:
    with Client(endpoint, GET) as client:
        return [seen(await client.ask(soon(patience))) for _ in range(times)]


@pytest.mark.parametrize("raw", [OK, CHUNKED])
async def test_requests_share_a_connection(raw: bytes) -> None:
    web = servers.always(raw)
    async with servers.serving(web) as port:
        assert await asked(at(port), 5) == [200] * 5
    assert (len(web.requests), web.connections) == (5, 1)


@pytest.mark.parametrize("head", ["Connection: close\r\nContent-Length: 0", "X-Length: unknown"])
async def test_a_connection_that_ends_with_its_answer_is_opened_again(head: str) -> None:
    raw = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode()
    async with servers.serving(servers.in_turn(raw)) as port:
        assert await asked(at(port), 3) == [200, 200, 200]


async def test_a_connection_that_idled_out_is_opened_again() -> None:
    async with servers.serving(servers.in_turn(OK, OK)) as port:
        assert await asked(at(port), 7) == [200] * 7


async def test_head_answers_have_no_body() -> None:
    web = servers.always(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    async with servers.serving(web) as port:
        with Client(at(port), preformat("HEAD", "/", {"host": "localhost"})) as client:
            assert [seen(await client.ask(soon())) for _ in range(2)] == [200, 200]
    assert web.connections == 1


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (servers.silent, "timeout"),
        (servers.header_drip, "timeout"),
        (servers.body_drip, "timeout"),
        (servers.slam, "reset"),
        (servers.hang_up, "reset"),
        (servers.garbage, "protocol"),
        (servers.interim_flood, "protocol"),
        (servers.always(OK[:-1]), "timeout"),
        (servers.always(OK + b"!"), "protocol"),
        (servers.always(DOWN + FORGED), "protocol"),
        (servers.in_turn(CHUNKED[:-4]), "reset"),
    ],
)
async def test_what_the_target_does_wrong_is_an_outcome(
    server: servers.Handler, kind: FailureKind
) -> None:
    async with servers.serving(server) as port:
        assert await asked(at(port), 2, 0.3 if kind == "timeout" else 5) == [kind, kind]


async def test_a_closed_port_refuses() -> None:
    async with servers.refusing() as port:
        assert await asked(at(port), 2) == ["refused", "refused"]


async def test_a_body_too_large_is_an_answer() -> None:
    async with servers.serving(servers.endless_body) as port:
        assert await asked(at(port), 2) == [200, 200]


async def test_bytes_that_come_unasked_are_never_taken_for_an_answer() -> None:
    async def forger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await servers.read_request(reader):
            writer.write(DOWN)
            await asyncio.sleep(0.01)
            writer.write(FORGED)

    async with servers.serving(forger) as port:
        with Client(at(port), GET) as client:
            for _ in range(4):
                assert seen(await client.ask(soon())) == 500
                await asyncio.sleep(0.03)  # the forged answer comes in the meantime


async def test_bytes_that_were_there_before_the_request_are_no_answer_to_it() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as closing:
        listener.setblocking(False)
        client = closing.enter_context(Client(at(listener.getsockname()[1]), GET))
        for _ in range(3):
            request = asyncio.create_task(client.ask(soon()))
            peer = closing.enter_context((await loop.sock_accept(listener))[0])
            await loop.sock_recv(peer, 4096)
            peer.sendall(DOWN)
            assert seen(await request) == 500
            peer.sendall(FORGED)  # and the next request follows before the loop could look


async def test_the_patience_covers_connecting_and_answering() -> None:
    async with servers.serving(servers.silent) as port:
        with Client(at(port), GET) as client:
            outcome = await client.ask(soon(0.2))
            assert seen(outcome) == "timeout"
            assert 0.15 < (outcome.done_ns - outcome.sent_ns) / 1e9 < 2
            assert seen(await client.ask(soon(0))) == "timeout"


async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    async with servers.serving(servers.silent) as port:
        with Client(at(port), GET) as client:
            request = asyncio.create_task(client.ask(soon()))
            await asyncio.sleep(0.05)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request


def tls(port: int, context: ssl.SSLContext, name: str = "localhost") -> Endpoint:
    return Endpoint(at(port).family, "127.0.0.1", port, context, name)


async def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with servers.serving(servers.always(OK), tls=authority.server()) as port:
        assert await asked(tls(port, authority.client()), 3) == [200] * 3
        assert await asked(tls(port, authority.client(), "example.org"), 1) == ["tls"]


async def test_a_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    client = Authority(tmp_path).client()
    async with servers.serving(servers.always(OK), tls=self_signed(tmp_path)) as port:
        assert await asked(tls(port, client), 2) == ["tls", "tls"]


async def test_tls_that_hangs_times_out(tmp_path: Path) -> None:
    client = Authority(tmp_path).client()
    async with servers.serving(servers.silent) as port:
        assert await asked(tls(port, client), 1, 0.2) == ["timeout"]
    async with servers.serving(servers.always(OK)) as port:
        assert await asked(tls(port, client), 1, 0.5) in (["tls"], ["timeout"])
