"""A session with a Postgres -> rows of its catalogue, or why a part of them was not read.

What a probe may not read, or what takes too long, costs it that part's metrics and no others.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import asyncpg

from readiness.failure import ProbeError
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._postgres_session import Connection

NOT_TESTED = "not tested: "
MOST_NAMED = 20
"""Rows that a statement returns at most: enough to name the worst, whatever there are."""
_SHOWN, _LONGEST_NAME = 3, 130
_SHARE = 0.8
"""Of the time for one exchange, what one statement may take: the server gives up before we do,
and says so."""

USERS = r"n.nspname <> 'information_schema' AND n.nspname !~ '^(pg_|_timescaledb)'"
"""Schemas that hold what users made."""

OWN = f"""{USERS} AND NOT EXISTS (
    SELECT FROM pg_depend e
    WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')"""
"""Of these, the relations `c` that no extension brought."""

_REASONS: Sequence[tuple[type[asyncpg.PostgresError], str]] = (
    (asyncpg.InsufficientPrivilegeError, "permission denied: grant the role pg_monitor"),
    (asyncpg.QueryCanceledError, "the catalogue was not read in time: allow a longer timeout"),
    (asyncpg.LockNotAvailableError, "what it reads was locked all the time"),
    (asyncpg.UndefinedTableError, "this server has no such view: it is too old"),
    (asyncpg.UndefinedColumnError, "this server has no such column: it is too old"),
    (asyncpg.UndefinedFunctionError, "this server has no such function: it is too old"),
    (asyncpg.FeatureNotSupportedError, "this server does not support it"),
)


class Unread(ProbeError):
    """What was to be read could not be; the message says why, and what to do about it."""

    def __init__(self, why: str) -> None:
        super().__init__("denied", why)


class Reader:
    """Reads one session's catalogue, each statement within the context's time."""

    def __init__(self, connection: Connection, context: Context) -> None:
        self.connection, self.context = connection, context
        self.major: int = connection.get_server_version().major
        self._prepared = False

    async def rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Return the rows of one statement; Unread if the server withholds them."""
        await self._prepare()
        nested = self.connection.is_in_transaction()
        if nested:  # behind a pooler: an error must not cost the whole transaction
            await self._execute("SAVEPOINT readiness")
        try:
            with within(self.context):
                return await self.connection.fetch(statement, *arguments)
        except asyncpg.PostgresError as error:
            reason = next((why for kind, why in _REASONS if isinstance(error, kind)), None)
            if reason is None:
                raise
            if nested:
                await self._execute("ROLLBACK TO SAVEPOINT readiness")
            raise Unread(reason) from error

    async def row(self, statement: str, *arguments: Any) -> asyncpg.Record:
        """Return the only row of one statement; Unread if the server withholds it."""
        return (await self.rows(statement, *arguments))[0]

    async def part(self, metrics: Collection[str], read: Callable[[], Awaitable[Values]]) -> Values:
        """Return what `read` returns, or of each of `metrics` why it was not read."""
        try:
            return await read()
        except Unread as error:
            return {f"{metric}_because": f"{NOT_TESTED}{error}" for metric in metrics}

    async def _prepare(self) -> None:
        """Have the server give up first, and not compile what it reads once."""
        if not self._prepared:
            limit = max(1, int(self.context.timeout * _SHARE * 1000))
            await self._execute(f"SET statement_timeout = {limit}; SET jit = off")
            self._prepared = True

    async def _execute(self, statement: str) -> None:
        with within(self.context):
            await self.connection.execute(statement)


def shown(name: object) -> str:
    """Return a name from the server in one line of bounded length: it may hold anything."""
    return re.sub(
        r"[^ -~\u00a1-\U0010ffff]|[\u200b-\u200f\u2028-\u202e\u2060-\u2069]", "?", str(name)
    )[:_LONGEST_NAME]


def culprits(rows: Sequence[Any], total: int | None = None) -> str:
    """Name the first few of `rows` by their `name`, and how many more there are in `total`."""
    names = [shown(row["name"]) for row in rows[:_SHOWN]]
    more = (len(rows) if total is None else total) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def counted(metric: str, rows: Sequence[Any]) -> Values:
    """Return how many there are by the rows' `total`, and who they are."""
    if not rows:
        return {metric: 0}
    total = int(rows[0]["total"])
    return {metric: total, f"{metric}_because": culprits(rows, total)}


def none_of(fact: str, metric: str, rows: Sequence[Any]) -> Values:
    """Return `counted`, and the fact that there are none, with who they are where it is false."""
    values = {fact: not rows, **counted(metric, rows)}
    return values | ({f"{fact}_because": values[f"{metric}_because"]} if rows else {})
