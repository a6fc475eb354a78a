"""The URL of a Postgres -> the database of a team's history, every call to it bounded in time.

Each piece of work is one transaction whose settings are its own, so that a pooler may stand
between; those that write take turns.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import asyncpg

from readiness import failure
from readiness.history.database import Fetch, Row, T
from readiness.history.run import HistoryError
from readiness.history.schema import MIGRATIONS, VERSION
from readiness.history.waiting import Waiting
from readiness.inventory import url as urls

CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 30.0
"""What a statement may take, and the wait for others who write before it."""

_IDLE_SECONDS = 5.0
"""After which a connection is not used again: something between may have dropped it silently."""
_SLACK_SECONDS = 5.0
"""What the server gets to end a statement by itself."""
_TRIES = 2
_TYPES = {"bytes": "BYTEA", "moment": "TIMESTAMPTZ"}
_TURN = 0x52444E53
"""The advisory lock of those who write."""
_LIMIT = f"{STATEMENT_SECONDS:g}s"
_SETTINGS = {
    "search_path": "readiness, pg_temp",
    "synchronous_commit": "on",
    "statement_timeout": _LIMIT,
    "lock_timeout": _LIMIT,
    "idle_in_transaction_session_timeout": _LIMIT,
}
_SET = "SELECT " + ", ".join(f"set_config('{k}', '{v}', true)" for k, v in _SETTINGS.items())
_FOUNDATION = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX one_schema_version ON schema_version ((TRUE))",
    "INSERT INTO schema_version VALUES (0)",
)
_HAS_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = 'readiness'"
_HAS_VERSION = (
    "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE nspname = 'readiness' AND relname = 'schema_version'"
)
"""Not by to_regclass(), which does not see what was made while its session waited its turn."""
_WRITTEN = ("runs", "evidence", "criteria", "pins")
_LOST = (
    *(OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError),
    *(asyncpg.AdminShutdownError, asyncpg.CrashShutdownError),
)


class Postgres:
    """The tables in the schema `readiness` of the database at `url`, made if there are none."""

    def __init__(self, url: str) -> None:
        if wrong := urls.fault(url, "postgres"):
            raise HistoryError(f"the URL of the history {wrong}.")
        self._url, self.where = url, urls.public(url)
        self._loop = Waiting()
        self._connection: asyncpg.Connection[Any] | None = None
        self._used = 0.0
        try:
            if self.reading(self._version) < VERSION:
                self.writing(self._migrate)
        except HistoryError:
            self.close()
            raise

    def prepare(self) -> None:
        """See Database."""
        nothing = [f"INSERT INTO {name} SELECT * FROM {name} WHERE FALSE" for name in _WRITTEN]
        self.writing(lambda fetch: [fetch(statement) for statement in nothing])

    def reading(self, work: Callable[[Fetch], T]) -> T:
        """See Database."""
        return self._transaction(f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_SET}", work)

    def writing(self, work: Callable[[Fetch], T]) -> T:
        """See Database."""
        turn = f"SELECT pg_advisory_xact_lock({_TURN})"
        return self._transaction(f"BEGIN READ WRITE; {_SET}; {turn}", work)

    def close(self) -> None:
        """See Database."""
        if not self._loop.is_closed():
            if self._connection is not None:
                with contextlib.suppress(*_LOST, asyncpg.PostgresError):
                    self._loop.wait(self._connection.close(), _SLACK_SECONDS)
            self._drop()
            self._loop.close()

    def _transaction(self, begin: str, work: Callable[[Fetch], T]) -> T:
        with self._explained():
            for left in reversed(range(_TRIES)):
                connection = self._connected()
                try:
                    self._begin(connection, begin)
                    done = work(self._fetch_by(connection))
                    self._await(connection.execute("COMMIT"))
                    return done
                except TimeoutError:
                    self._drop()
                    raise
                except _LOST:
                    self._drop()  # whether or not it was committed: to do it again does no harm
                    if not left:
                        raise
                finally:
                    self._undo()
        raise AssertionError

    def _begin(self, connection: "asyncpg.Connection[Any]", script: str) -> None:
        try:
            self._await(connection.execute(script))
        except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
            raise self._unusable(f"others have kept it locked for {_LIMIT}") from None

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        done = self._loop.wait(work, STATEMENT_SECONDS + _SLACK_SECONDS)
        self._used = time.monotonic()
        return done

    def _connected(self) -> "asyncpg.Connection[Any]":
        known = self._connection
        if known is not None and time.monotonic() - self._used <= _IDLE_SECONDS:
            return known
        self._drop()
        connecting = asyncpg.connect(
            self._url,
            loop=self._loop,
            ssl=_tls(self._url),
            timeout=CONNECT_SECONDS,
            statement_cache_size=0,  # poolers hand the next statement to another session
            server_settings={"application_name": "readiness"},
        )
        made = self._loop.wait(connecting, CONNECT_SECONDS + _SLACK_SECONDS)
        self._connection = made
        return made

    def _fetch_by(self, connection: "asyncpg.Connection[Any]") -> Fetch:
        def fetch(statement: str, *values: Any) -> Sequence[Row]:
            return [tuple(row) for row in self._await(connection.fetch(statement, *values))]

        return fetch

    def _undo(self) -> None:
        """Take back what was begun and not ended, where the connection still serves."""
        connection = self._connection
        if connection is None or not connection.is_in_transaction():
            return
        try:
            self._loop.wait(connection.execute("ROLLBACK"), _SLACK_SECONDS)
        except (*_LOST, asyncpg.PostgresError):
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._loop.wait(asyncio.sleep(0), _SLACK_SECONDS)  # in which the socket is closed
        self._connection = None

    def _version(self, fetch: Fetch) -> int:
        """Return the version of the schema, 0 where there is none; refuse a newer one."""
        if not fetch(_HAS_VERSION):
            return 0
        [[version]] = fetch("SELECT version FROM readiness.schema_version")
        if version > VERSION:
            raise HistoryError(
                f"the history in {self.where} is of schema {version}, and this version of "
                f"readiness knows {VERSION}. Nothing in it was changed.",
                fix="Upgrade readiness, or name another with --history.",
            )
        return int(version)

    def _migrate(self, fetch: Fetch) -> None:
        """Take the schema to the newest version; nobody else does so at the same time."""
        version = self._version(fetch)
        if not fetch(_HAS_SCHEMA):
            fetch("CREATE SCHEMA readiness")  # for which its owner alone needs a grant
        for statement in () if fetch(_HAS_VERSION) else _FOUNDATION:
            fetch(statement)
        for statement in (s for step in MIGRATIONS[version:] for s in step):
            fetch(statement.format(**_TYPES))
        fetch("UPDATE schema_version SET version = $1", VERSION)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what asyncpg raises into a HistoryError without a word of the URL's secrets."""
        try:
            yield
        except (*_LOST, asyncpg.PostgresError) as error:
            raise self._unusable(_reason(error)) from None

    def _unusable(self, why: str) -> HistoryError:
        return HistoryError(
            f"the history in {self.where} cannot be used: {why}.",
            fix="docs/history.md says what it takes.",
        )


def _reason(error: Exception) -> str:
    """Return why, in words that hold nothing of what the driver or the server says."""
    if "rejected SSL upgrade" in str(error):
        return "the server offers no TLS, which the URL demands"
    known = failure.classify(error)
    if known.kind != "probe_bug":
        return known.detail
    code = getattr(error, "sqlstate", None)
    return type(error).__name__ + (f", SQLSTATE {code}" if code else "")


def _tls(url: str) -> ssl.SSLContext | None:
    """Return a context where the system's authorities are to vouch for the server.

    That is `sslmode=verify-full` without a file of authorities; asyncpg makes the context of every
    other mode itself, as libpq does.
    """
    query = dict(parse_qsl(urlsplit(url).query))
    if query.get("sslmode") != "verify-full" or "sslcert" in query:
        return None
    own = "sslrootcert" not in query and Path("~/.postgresql/root.crt").expanduser().exists()
    by_system = query.get("sslrootcert", "system") == "system" and not own
    return ssl.create_default_context() if by_system else None
