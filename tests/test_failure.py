"""Real errors, raised by real sockets, TLS and drivers, and what they are taken for."""

import asyncio
import contextlib
import errno
import os
import re
import resource
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import asyncpg
import h11
import httpx2
import pytest
import redis.asyncio
import redis.exceptions

from readiness.failure import (
    FAILURE_KINDS,
    TARGET_FAULTS,
    Failure,
    FailureKind,
    ProbeError,
    classify,
)
from tests import servers
from tests.certificates import Authority, self_signed

pytestmark = pytest.mark.anyio
SECRET = "hunter2-canary"


async def failing(port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Failure:
    """Talk to a port over asyncio and classify what goes wrong."""
    with pytest.raises((OSError, EOFError)) as caught:
        async with asyncio.timeout(0.2):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
            with contextlib.closing(writer):
                writer.write(b"hello\r\n\r\n")
                await reader.readexactly(1000)
    return classify(caught.value)


async def test_a_port_where_nothing_listens_is_refused() -> None:
    async with servers.refusing() as port:
        failure = await failing(port)
    assert failure == Failure(kind="refused", detail="connection refused")
    assert failure.blames_target


async def test_a_silent_server_is_a_timeout() -> None:
    async with servers.serving(servers.silent) as port:
        assert (await failing(port)).kind == "timeout"


async def test_a_reset_connection_is_a_reset() -> None:
    async with servers.serving(servers.slam) as port:
        assert (await failing(port)).kind == "reset"


async def test_an_answer_that_ends_early_is_a_reset() -> None:
    async with servers.serving(servers.garbage) as port:
        assert await failing(port) == Failure(
            kind="reset", detail="connection closed in the middle of an answer"
        )


async def test_an_unknown_host_is_dns() -> None:
    failure = await failing(80, host="no-such-host.invalid")
    assert failure.kind == "dns"


@pytest.mark.parametrize(
    ("certificate", "detail"),
    [
        (lambda folder, ca: ca.server(days=-3), "certificate has expired"),
        (lambda folder, ca: ca.server("elsewhere.test"), "certificate is for another host name"),
        (lambda folder, ca: self_signed(folder), "certificate is self-signed"),
        (
            lambda folder, ca: Authority(folder).server(),
            "certificate is from an unknown issuer",
        ),
    ],
    ids=["expired", "mismatch", "self-signed", "unknown"],
)
async def test_a_bad_certificate_is_tls_and_says_why(
    tmp_path: Path,
    certificate: Callable[[Path, Authority], ssl.SSLContext],
    detail: str,
) -> None:
    authority = Authority(tmp_path)
    tls = certificate(tmp_path, authority)
    async with servers.serving(servers.silent, tls=tls) as port:
        failure = await failing(port, host="localhost", tls=authority.client())
    assert failure == Failure(kind="tls", detail=detail)


async def test_a_certificate_for_another_ip_is_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with servers.serving(servers.silent, tls=authority.server("127.0.0.2")) as port:
        failure = await failing(port, tls=authority.client())
    assert failure == Failure(kind="tls", detail="certificate is for another IP address")


async def test_plain_http_on_a_tls_port_says_so() -> None:
    async with servers.serving(servers.garbage) as port:
        failure = await failing(port, tls=ssl.create_default_context())
    assert failure == Failure(kind="tls", detail="the port does not speak TLS")


async def test_no_file_descriptor_left_is_ours() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with servers.serving(servers.silent) as port:
        taken: list[int] = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            failure = await failing(port)
        finally:
            for number in taken:
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert failure.kind == "local_limit"
    assert not failure.blames_target


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EHOSTUNREACH, "refused"),
        (errno.ENETUNREACH, "refused"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.EPIPE, "reset"),
        (errno.ECONNABORTED, "reset"),
        (errno.ENFILE, "local_limit"),
        (errno.EADDRNOTAVAIL, "local_limit"),
        (errno.ENOBUFS, "local_limit"),
        (errno.EACCES, "denied"),
        (errno.EIO, "probe_bug"),
    ],
)
async def test_errors_of_the_kernel(number: int, kind: str) -> None:
    assert classify(OSError(number, SECRET)).kind == kind


async def test_every_address_of_a_host_refusing_is_refused() -> None:
    """asyncio joins the messages of several addresses into one OSError without a number."""
    joined = OSError(
        "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), "
        "[Errno 111] Connect call failed ('127.0.0.1', 1)"
    )
    assert classify(joined).kind == "refused"


async def test_a_machine_without_ipv6_does_not_hide_what_ipv4_answered() -> None:
    no_route, refused = OSError(errno.EADDRNOTAVAIL, ""), ConnectionRefusedError()
    assert classify(ExceptionGroup("both", [no_route, refused])).kind == "refused"
    assert classify(ExceptionGroup("both", [no_route, no_route])).kind == "local_limit"
    joined = OSError("Multiple exceptions: [Errno 99] Cannot assign, [Errno 111] Connect call")
    assert classify(joined).kind == "refused"


async def test_a_missing_module_is_not_installed() -> None:
    with pytest.raises(ImportError) as caught:
        __import__("no_such_module_anywhere")
    failure = classify(caught.value)
    assert failure == Failure(
        kind="not_installed", detail="module no_such_module_anywhere is not installed"
    )


# Drivers, none of which failure.py imports


@pytest.mark.parametrize(
    ("server", "kind"),
    [(servers.silent, "timeout"), (servers.slam, "reset"), (servers.garbage, "protocol")],
    ids=["silent", "slam", "garbage"],
)
async def test_httpx2_errors(server: servers.Handler, kind: str) -> None:
    async with servers.serving(server) as port, httpx2.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx2.HTTPError) as caught:
            await client.get(f"http://127.0.0.1:{port}/?key={SECRET}", timeout=0.2)
    assert classify(caught.value).kind == kind
    assert SECRET not in classify(caught.value).detail


async def test_httpx2_refused_and_expired(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with httpx2.AsyncClient(trust_env=False, verify=authority.client()) as client:
        async with servers.refusing() as port:
            with pytest.raises(httpx2.ConnectError) as refused:
                await client.get(f"http://localhost:{port}/")
        async with servers.serving(servers.silent, tls=authority.server(days=-1)) as port:
            with pytest.raises(httpx2.ConnectError) as expired:
                await client.get(f"https://localhost:{port}/")
    assert classify(refused.value).kind == "refused"
    assert classify(expired.value) == Failure(kind="tls", detail="certificate has expired")


async def test_httpx2_pool_exhaustion_is_ours() -> None:
    limits = httpx2.Limits(max_connections=1)
    async with (
        servers.serving(servers.silent) as port,
        httpx2.AsyncClient(trust_env=False, limits=limits, timeout=0.2) as client,
    ):
        url = f"http://127.0.0.1:{port}/"
        found = await asyncio.gather(client.get(url), client.get(url), return_exceptions=True)
    kinds = {classify(error).kind for error in found if isinstance(error, Exception)}
    assert kinds == {"timeout", "local_limit"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_asyncpg_refused(host: str) -> None:
    async with servers.refusing() as port:
        with pytest.raises(OSError) as caught:
            await asyncpg.connect(host=host, port=port, user="u", password=SECRET, timeout=2)
    assert classify(caught.value) == Failure(kind="refused", detail="connection refused")


async def test_asyncpg_against_a_silent_and_a_slamming_server() -> None:
    async with servers.serving(servers.silent) as port:
        with pytest.raises(TimeoutError) as late:
            await asyncpg.connect(host="127.0.0.1", port=port, user="u", ssl=False, timeout=0.2)
    async with servers.serving(servers.slam) as port:
        with pytest.raises((OSError, asyncpg.PostgresError)) as slammed:
            await asyncpg.connect(host="127.0.0.1", port=port, user="u", ssl=False, timeout=2)
    assert classify(late.value).kind == "timeout"
    assert classify(slammed.value).kind in ("reset", "protocol")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.InvalidPasswordError, "denied"),
        (asyncpg.InvalidAuthorizationSpecificationError, "denied"),
        (asyncpg.InsufficientPrivilegeError, "denied"),
        (asyncpg.TooManyConnectionsError, "refused"),
        (asyncpg.CannotConnectNowError, "refused"),
        (asyncpg.InvalidCatalogNameError, "refused"),
        (asyncpg.ConnectionDoesNotExistError, "protocol"),
        (asyncpg.QueryCanceledError, "timeout"),
        (asyncpg.AdminShutdownError, "reset"),
        (asyncpg.UndefinedTableError, "probe_bug"),
    ],
)
async def test_asyncpg_states(error: type[asyncpg.PostgresError], kind: str) -> None:
    failure = classify(error(SECRET))
    assert failure.kind == kind
    assert error.__name__ in failure.detail
    assert SECRET not in failure.detail


@pytest.mark.parametrize(
    ("server", "kind"),
    [(servers.silent, "timeout"), (servers.slam, "reset"), (servers.garbage, "protocol")],
    ids=["silent", "slam", "garbage"],
)
async def test_redis_errors(server: servers.Handler, kind: str) -> None:
    async with servers.serving(server) as port:
        failure = await redis_failure(f"redis://127.0.0.1:{port}")
    assert failure.kind == kind


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_redis_refused(host: str) -> None:
    async with servers.refusing() as port:
        assert (await redis_failure(f"redis://:{SECRET}@{host}:{port}")).kind == "refused"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"-WRONGPASS invalid username-password pair\r\n", "denied"),
        (b"-NOAUTH Authentication required.\r\n", "denied"),
        (b"-NOPERM this user has no permissions\r\n", "denied"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "refused"),
    ],
)
async def test_redis_refusals(said: bytes, kind: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while commands := await reader.read(65536):
            writer.write(said * len(re.findall(rb"^\*\d+\r$", commands, re.MULTILINE)))

    async with servers.serving(refuse) as port:
        assert (await redis_failure(f"redis://127.0.0.1:{port}")).kind == kind


async def redis_failure(url: str) -> Failure:
    client = redis.asyncio.Redis.from_url(url, socket_timeout=0.3, retry=None, protocol=2)
    try:
        with pytest.raises(redis.exceptions.RedisError) as caught:
            await client.ping()
    finally:
        await client.aclose()
    return classify(caught.value)


async def test_h11_remote_is_theirs_and_local_is_ours() -> None:
    assert classify(h11.RemoteProtocolError(SECRET)).kind == "protocol"
    assert classify(h11.LocalProtocolError(SECRET)).kind == "probe_bug"


# Whose fault it is


@pytest.mark.parametrize(
    "mistake", [KeyError, TypeError, AttributeError, IndexError, ValueError, AssertionError]
)
async def test_a_mistake_inside_a_timeout_handler_is_ours(mistake: type[Exception]) -> None:
    def stray() -> None:
        try:
            raise TimeoutError
        except TimeoutError:
            raise mistake(SECRET)  # noqa: B904

    with pytest.raises(mistake) as caught:
        stray()
    failure = classify(caught.value)
    assert failure.kind == "probe_bug"
    assert failure.detail.startswith(f"{mistake.__name__} at tests/test_failure.py:")
    assert SECRET not in failure.detail


async def test_a_mistake_that_a_driver_wrapped_is_ours() -> None:
    with pytest.raises(redis.exceptions.ConnectionError) as caught:
        try:
            raise TypeError(SECRET)
        except TypeError as mistake:
            raise redis.exceptions.ConnectionError(SECRET) from mistake
    assert classify(caught.value).kind == "probe_bug"


async def test_a_probe_error_is_taken_at_its_word() -> None:
    known = ProbeError("denied", "the token has no scope")
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("wrapped") from known
    assert classify(known) == known.failure
    assert classify(caught.value) == known.failure
    assert classify(ExceptionGroup("g", [TimeoutError(), known])) == known.failure


async def test_a_mistake_while_handling_a_probe_error_is_ours() -> None:
    with pytest.raises(KeyError) as caught:
        try:
            raise ProbeError("timeout", "late")
        except ProbeError:
            raise KeyError("stray")  # noqa: B904
    assert classify(caught.value).kind == "probe_bug"


async def test_a_task_group_is_seen_through() -> None:
    async def late() -> None:
        raise TimeoutError

    async def stray() -> None:
        raise KeyError(SECRET)

    with pytest.raises(ExceptionGroup) as one:
        async with asyncio.TaskGroup() as group:
            group.create_task(late())
    with pytest.raises(ExceptionGroup) as both:
        async with asyncio.TaskGroup() as group:
            group.create_task(late())
            group.create_task(stray())
    assert classify(one.value).kind == "timeout"
    assert classify(both.value).kind == "probe_bug"


async def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = RuntimeErrorish(), RuntimeErrorish()
    first.__cause__, second.__cause__ = second, first
    assert classify(first) == Failure(kind="probe_bug", detail="RuntimeErrorish")


class RuntimeErrorish(Exception):
    """An exception nobody knows."""


@pytest.mark.parametrize("kind", FAILURE_KINDS)
async def test_blame_is_settled_for_every_kind(kind: FailureKind) -> None:
    assert Failure(kind=kind, detail="").blames_target == (kind in TARGET_FAULTS)


async def test_a_name_server_that_is_silent_is_named() -> None:
    assert classify(socket.gaierror(socket.EAI_AGAIN, SECRET)) == Failure(
        kind="dns", detail="the name server gave no answer"
    )
