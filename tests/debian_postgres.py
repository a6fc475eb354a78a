"""Debian's Postgres and PgBouncer, for what the wheel's lacks; tests without them are skipped."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from readiness.demo import postgres, store

_ROOT = Path("/usr/lib/postgresql")
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_HBA = """
host all postgres 127.0.0.1/32 scram-sha-256
host all by_trust 127.0.0.1/32 trust
host all by_md5 127.0.0.1/32 md5
host all by_password 127.0.0.1/32 password
host all nobody 203.0.113.0/24 trust
host all all all scram-sha-256
"""
"""Roles of three names log in otherwise than the rest, and one rule is too wide."""
SECRET = "s3cret-of-tests"


def installed() -> list[Path]:
    """Return the installed servers' programs, the newest last."""
    return sorted(_ROOT.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))


def programs() -> Path:
    """Return the folder of the newest installed server's programs, or skip the test."""
    if not (found := installed()):
        pytest.skip("Debian's postgresql is not installed")
    return found[-1].parent


@contextlib.contextmanager
def running(settings: Mapping[str, str] | None = None, seconds: float = 30.0) -> Iterator[str]:
    """Yield the URL of a fresh server's superuser `postgres`, whose password is SECRET.

    It collects statistics of statements and keeps prepared transactions, if not told otherwise.
    """
    there, account = programs(), postgres._account()
    with tempfile.TemporaryDirectory(prefix="readiness-debian-") as name:
        folder = Path(name)
        data = postgres._initialise(there, folder, account, SECRET, seconds)
        (data / "pg_hba.conf").write_text(_HBA)
        options = {
            **_FAST,
            "listen_addresses": "*",
            "unix_socket_directories": "",
            "autovacuum": "off",
            "shared_buffers": "16MB",
            "shared_preload_libraries": "pg_stat_statements",
            "max_prepared_transactions": "5",
            **(settings or {}),
        }

        def program(port: int) -> list[str]:
            switches = [f"--{key}={value}" for key, value in {**options, "port": port}.items()]
            return [str(there / "postgres"), "-D", str(data), *switches]

        def ready(_: int, port: int) -> bool:
            return postgres._is_up(data) and postgres._answers(port)

        with store.serving(program, ready, folder, account=account, seconds=seconds) as port:
            yield f"postgresql://postgres:{SECRET}@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def bouncer(url: str, settings: str = "") -> Iterator[str]:
    """Yield `url` by way of a PgBouncer that pools transactions, or skip the test."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if not found:
        pytest.skip("pgbouncer is not installed")
    there, account = urlsplit(url), postgres._account()
    with tempfile.TemporaryDirectory(prefix="readiness-pgbouncer-") as name:
        folder = Path(name)
        users, ini = folder / "users", folder / "ini"
        users.write_text(f'"{there.username}" "{there.password}"\n')
        os.chown(folder, *account)

        def program(port: int) -> list[str]:
            ini.write_text(
                f"[databases]\n* = host={there.hostname} port={there.port}\n[pgbouncer]\n"
                f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
                f"auth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\n"
                f"{settings}\n"
            )
            return [found, str(ini)]

        def ready(_: int, port: int) -> bool:
            with socket.create_connection(("127.0.0.1", port), store.ANSWER_SECONDS):
                return True

        with store.serving(program, ready, folder, account=account, seconds=10) as port:
            yield there._replace(
                netloc=f"{there.username}:{there.password}@127.0.0.1:{port}"
            ).geturl()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection of a client, ended without ceremony however busy it is."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "shop"})
    try:
        yield connection
    finally:
        connection.terminate()


@contextlib.asynccontextmanager
async def database(
    admin: str, *rights: str, monitor: bool = True, role: str = ""
) -> AsyncIterator[str]:
    """Yield the URL of a new database and of a new role that owns it; drop both in the end.

    `rights` are attributes (`BYPASSRLS`); `monitor` grants pg_monitor.
    """
    name = role or f"app_{uuid.uuid4().hex[:12]}"
    async with connected(admin) as owner:
        await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}' {' '.join(rights)}")
        if monitor:
            await owner.execute(f"GRANT pg_monitor TO {name}")
        await owner.execute(f"CREATE DATABASE {name} OWNER {name}")
        try:
            place = urlsplit(admin).netloc.rpartition("@")[2]
            yield f"postgresql://{name}:{SECRET}@{place}/{name}"
        finally:
            await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await owner.execute(f"DROP OWNED BY {name}")
            await owner.execute(f"DROP ROLE {name}")


@contextlib.contextmanager
def kept_database(admin: str, *rights: str, monitor: bool = True) -> Iterator[str]:
    """Yield what `database` does, for many tests that leave it as it was."""
    with asyncio.Runner() as runner:
        held = database(admin, *rights, monitor=monitor)
        url = runner.run(held.__aenter__())
        try:
            yield url
        finally:
            runner.run(held.__aexit__(None, None, None))


def as_role(url: str, role: str, password: str = SECRET) -> str:
    """Return `url` for another role."""
    place = urlsplit(url).netloc.rpartition("@")[2]
    return urlsplit(url)._replace(netloc=f"{role}:{password}@{place}").geturl()


def in_database(url: str, of: str) -> str:
    """Return `url` for the database that the URL `of` names."""
    return urlsplit(url)._replace(path=urlsplit(of).path).geturl()


async def until(connection: asyncpg.Connection, condition: str, *arguments: object) -> None:
    """Wait until an SQL condition holds; the server tells nobody when."""
    async with asyncio.timeout(20):
        while not await connection.fetchval(f"SELECT {condition}", *arguments):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def outward_address() -> str:
    """Return an address of this machine that is no loopback, or skip the test."""
    outward = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with contextlib.closing(outward), contextlib.suppress(OSError):
        outward.connect(("192.0.2.1", 9))  # sends nothing
        address: str = outward.getsockname()[0]
        if not re.match(r"127\.|0\.", address):
            return address
    pytest.skip("this machine has no address but loopback")
