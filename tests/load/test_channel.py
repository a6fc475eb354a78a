import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from readiness.failure import FailureKind
from readiness.load.check import Check
from readiness.load.closed import Level
from readiness.load.engine import DriverName
from readiness.load.request import Endpoint, preformat
from readiness.load.result import Result
from tests import servers
from tests.certificates import Authority, self_signed
from tests.load.conftest import EPOLL, UVLOOP
from tests.load.runs import at, closed

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[EPOLL, UVLOOP, "asyncio"])
def driver(request: pytest.FixtureRequest) -> DriverName:
    name: DriverName = request.param
    return name


OK = servers.response(200, "fine")
FORGED = servers.response(200, "forged")
DOWN = servers.response(500, "down")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"


async def asked(port: int, times: int, driver: DriverName, **how: Any) -> Result:
    """Let one user ask so many times, and as often again to warm up."""
    level = Level(users=1, requests=times, seconds=30)
    return await closed(port, level, driver=driver, **how)


def outcomes(result: Result) -> set[object]:
    return {*result.statuses, *result.faults}


@pytest.mark.parametrize("raw", [OK, CHUNKED])
async def test_requests_share_a_connection(raw: bytes, driver: DriverName) -> None:
    web = servers.always(raw)
    async with servers.serving(web) as port:
        result = await asked(port, 9, driver)
    assert dict(result.codes) == {200: len(web.requests)}
    assert (result.connections, web.connections, result.closed_by_server) == (1, 1, 0)


@pytest.mark.parametrize("head", ["Connection: close\r\nContent-Length: 0", "X-Length: unknown"])
async def test_a_connection_that_ends_with_its_answer_is_opened_again(
    head: str, driver: DriverName
) -> None:
    raw = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode()
    async with servers.serving(servers.in_turn(raw)) as port:
        result = await asked(port, 3, driver)
    assert dict(result.codes) == {200: result.n}
    assert result.connections == result.n
    assert result.closed_by_server == result.n


async def test_a_connection_that_idled_out_is_opened_again(driver: DriverName) -> None:
    async with servers.serving(servers.in_turn(OK, OK)) as port:
        level = Level(users=1, requests=5, seconds=30, per_second=20)
        result = await closed(port, level, driver=driver)
    assert dict(result.codes) == {200: result.n}
    assert result.connections >= result.n // 2
    assert result.closed_by_server >= result.connections - 1


async def test_a_reset_on_a_warm_connection_is_an_error(driver: DriverName) -> None:
    async def every_third(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await servers.read_request(reader)
            writer.write(OK)
        await servers.slam(reader, writer)

    async with servers.serving(every_third) as port:
        result = await asked(port, 12, driver)
    assert result.faults["reset"] == pytest.approx(result.n / 3, abs=1)


async def test_head_answers_have_no_body(driver: DriverName) -> None:
    web = servers.always(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    async with servers.serving(web) as port:
        head = preformat("HEAD", "/", {"host": "localhost"})
        result = await asked(port, 3, driver, request=head)
    assert dict(result.codes) == {200: result.n}
    assert web.connections == 1


async def test_a_body_is_sent_whole(driver: DriverName) -> None:
    web, body = servers.always(OK), b"x" * 3_000_000
    async with servers.serving(web) as port:
        post = preformat("POST", "/orders", {"host": "localhost"}, body)
        result = await asked(port, 1, driver, request=post)
    assert dict(result.codes) == {200: result.n}
    assert {(r.method, r.body == body) for r in web.requests} == {("POST", True)}


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
    server: servers.Handler, kind: FailureKind, driver: DriverName
) -> None:
    patience = 0.3 if kind == "timeout" else 5
    async with servers.serving(server) as port:
        result = await asked(port, 2, driver, timeout=patience)
    assert outcomes(result) == {kind}
    assert result.first_fault is not None and result.first_fault.kind == kind


async def test_a_closed_port_refuses(driver: DriverName) -> None:
    async with servers.refusing() as port:
        assert outcomes(await asked(port, 2, driver)) == {"refused"}


async def test_a_body_too_large_is_an_answer(driver: DriverName) -> None:
    async with servers.serving(servers.endless_body) as port:
        assert outcomes(await asked(port, 1, driver)) == {200}


def twice(first: bytes, pause: float, second: bytes) -> servers.Handler:
    """Return a server that answers every request with `first`, and after `pause` seconds again."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await servers.read_request(reader):
            writer.write(first)
            await writer.drain()
            await asyncio.sleep(pause)
            writer.write(second)

    return handler


async def test_a_connection_that_answers_unasked_is_believed_in_nothing(
    driver: DriverName,
) -> None:
    async with servers.serving(twice(DOWN, 0, FORGED)) as port:
        result = await asked(port, 200, driver)
    assert result.faults["protocol"] > 0.8 * result.n  # the last connection may be unconvicted


async def test_bytes_that_come_while_nothing_is_asked_convict(driver: DriverName) -> None:
    async with servers.serving(twice(DOWN, 0.01, FORGED)) as port:
        level = Level(users=1, requests=4, seconds=30, per_second=20)
        result = await closed(port, level, driver=driver)
    assert outcomes(result) <= {"protocol", 500}
    assert result.faults["protocol"] >= result.n - 1


async def test_a_late_second_answer_is_waited_for(driver: DriverName) -> None:
    async def last_word(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            await servers.read_request(reader)
            await asyncio.sleep(0.05)
            writer.write(OK)
        await asyncio.sleep(0.03)
        writer.write(FORGED)
        await reader.read()

    async with servers.serving(last_word) as port:
        result = await asked(port, 1, driver)
    assert outcomes(result) == {"protocol"}


async def test_answers_that_run_ahead_convict_though_each_passes_for_the_next_ones(
    driver: DriverName,
) -> None:
    async with servers.serving(twice(OK, 0.002, OK)) as port:
        result = await asked(port, 100, driver)
    assert outcomes(result) == {"protocol"}


async def test_a_connection_that_we_give_up_was_not_closed_by_the_server(
    driver: DriverName,
) -> None:
    confused = OK.replace(b"\r\n", b"\r\nTransfer-Encoding: chunked\r\n", 1)
    confused = confused.partition(b"\r\n\r\n")[0] + b"\r\n\r\n0\r\n\r\n"
    async with servers.serving(servers.always(confused)) as port:
        result = await asked(port, 5, driver)
    assert outcomes(result) == {200}
    assert result.connections >= 5
    assert result.closed_by_server == 0


async def test_tls_without_a_goodbye_is_a_truncation(driver: DriverName, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await servers.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
        await writer.drain()
        writer.transport.abort()

    async with servers.serving(cut, tls=authority.server()) as port:
        result = await asked(port, 1, driver, endpoint=tls(port, authority.client()))
    assert outcomes(result) == {"reset"}


async def test_a_wanted_body_is_looked_at(driver: DriverName) -> None:
    async with servers.serving(servers.always(servers.response(200, '{"a": {"b": [1]}}'))) as port:
        right = Check(text=b'"a"', fields=((("a", "b", "0"), 1),))
        wrong = Check(fields=((("a", "b", "0"), True),))
        met = await asked(port, 3, driver, check=right)
        missed = await asked(port, 3, driver, check=wrong)
    assert (met.successes, missed.successes) == (met.n, 0)
    assert dict(missed.codes) == {1200: missed.n}
    assert dict(missed.statuses) == {200: missed.n}


async def test_what_a_connection_took_to_stand_is_kept_apart(
    driver: DriverName, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with servers.serving(servers.always(OK), tls=authority.server()) as port:
        result = await asked(port, 3, driver, endpoint=tls(port, authority.client()))
    assert len(result.setups) == 1
    assert 0 < result.setups[0].connect < result.setups[0].secure
    assert result.setups[0].first_byte > 0


def tls(port: int, context: ssl.SSLContext, name: str = "localhost") -> Endpoint:
    return Endpoint(at(port).family, "127.0.0.1", port, context, name)


async def test_over_tls(tmp_path: Path, driver: DriverName) -> None:
    authority = Authority(tmp_path)
    long = servers.response(200, "x" * 200_000)
    async with servers.serving(servers.always(long), tls=authority.server()) as port:
        fine = await asked(port, 3, driver, endpoint=tls(port, authority.client()))
        foreign = tls(port, authority.client(), "example.org")
        assert outcomes(fine) == {200}
        assert outcomes(await asked(port, 1, driver, endpoint=foreign)) == {"tls"}


async def test_a_tls_session_is_taken_up_again(tmp_path: Path, driver: DriverName) -> None:
    authority, reused = Authority(tmp_path), []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reused.append(writer.get_extra_info("ssl_object").session_reused)
        await servers.read_request(reader)
        writer.write(OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        await writer.drain()

    async with servers.serving(once, tls=authority.server()) as port:
        result = await asked(port, 3, driver, endpoint=tls(port, authority.client()))
    assert outcomes(result) == {200}
    assert reused[0] is False
    assert any(reused[1:])


async def test_a_certificate_nobody_vouches_for(tmp_path: Path, driver: DriverName) -> None:
    endpoint = Authority(tmp_path).client()
    async with servers.serving(servers.always(OK), tls=self_signed(tmp_path)) as port:
        result = await asked(port, 2, driver, endpoint=tls(port, endpoint))
    assert outcomes(result) == {"tls"}
    assert result.first_fault is not None and "certificate" in result.first_fault.detail


async def test_tls_that_hangs_times_out(tmp_path: Path, driver: DriverName) -> None:
    client = Authority(tmp_path).client()
    async with servers.serving(servers.silent) as port:
        hung = await asked(port, 1, driver, endpoint=tls(port, client), timeout=0.2)
    async with servers.serving(servers.always(OK)) as port:
        plain = await asked(port, 1, driver, endpoint=tls(port, client), timeout=0.5)
    assert outcomes(hung) == {"timeout"}
    assert outcomes(plain) <= {"tls", "timeout"}
