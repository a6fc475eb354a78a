"""How long declared queries of the user take in a read-only session of a Postgres."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import asyncpg
from pydantic import AfterValidator, Field, SecretStr

from readiness.estimate import Estimate
from readiness.inventory import Service, Tier
from readiness.inventory.duration import Duration
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._few import few
from readiness.probes._postgres_session import Connection, apart, session
from readiness.probes._sampling import sample

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "answered": "true or false: every declared query was answered",
    "refused": "true or false: the server refused some as writing or not permitted to our role",
    "targets_declared": "true or false: some query has a target",
    "slowest_of_target": "ratio: p95 of the query that comes nearest to its target, of that target",
    "queries.*.p50_ms": "ms: median of that query, parsing and fetching included",
    "queries.*.p95_ms": "ms: 95th percentile of the same",
    "queries.*.looks": "count: how often these samples were looked at, to end if they decide",
    "queries.*.rows": "count: rows of its last answer",
}

_MOST_SAMPLES = 200
_MARGIN = 1.0
"""Seconds beyond the server's statement_timeout, so that the server is who ends a statement."""
_CONTROL = re.compile(
    r"\s*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE|SET|RESET|DISCARD)\b",
    re.IGNORECASE,
)
_NOT_PERMITTED = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.NoActiveSQLTransactionError,
)
_PLAIN_WORDS = frozenset({"25006", "42501", "42P01", "42703", "3F000", "57014"})
"""SQLSTATEs whose message names objects, and quotes no value of the statement."""
_SHOWN = 100


def _one_query(sql: SecretStr) -> SecretStr:
    if _CONTROL.match(sql.get_secret_value()):
        raise ValueError("must be a query. Leave transactions and settings to the probe")
    return sql


class Query(ProbeSettings):
    """One query, and how long its p95 may take."""

    sql: Annotated[SecretStr, AfterValidator(_one_query)] = Field(
        min_length=1, description="one statement that reads, with an answer of 4 MiB at most"
    )
    target: Annotated[Duration, Field(gt=0, le=600)] | None = Field(
        None, description="what its p95 should stay within, as in 50ms"
    )
    samples: int | None = Field(
        None, ge=1, le=200, description="how often it is run, the service's samples if absent"
    )


class Settings(ProbeSettings):
    """The queries by name."""

    queries: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")], Query] = (
        Field(min_length=1, max_length=50, description="name -> `{sql: ..., target: 50ms}`")
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Run each query again and again, one after the other, in a read-only transaction."""
    values: Values = {}
    targets = sum(query.target is not None for query in settings.queries.values())
    failed: list[str] = []
    refused: list[str] = []
    async with session(service.url.get_secret_value(), context) as (connection, _):
        for at, (name, query) in enumerate(settings.queries.items()):
            mine = _judged(query, targets, _share(context, len(settings.queries) - at))
            found, error = await _timed(query, connection, mine)
            values |= {f"queries.{name}.{metric}": value for metric, value in found.items()}
            if error:
                told = refused if isinstance(error, _NOT_PERMITTED) else failed
                told.append(f"{name}: {_what(error)}")
    return values | _answered(failed, refused) | _of_target(settings, values)


def _share(context: Context, left: int) -> Context:
    """Lend one of `left` queries its share of the time; `sample` takes half of what it is lent."""
    now = asyncio.get_running_loop().time()
    return replace(
        context,
        timeout=context.timeout + _MARGIN,
        deadline=now + 2 * (context.deadline - now) / (left + 1),
    )


async def _timed(
    query: Query, connection: Connection, context: Context
) -> tuple[Values, asyncpg.PostgresError | None]:
    rows = 0
    sql, n = query.sql.get_secret_value(), query.samples or min(context.samples, _MOST_SAMPLES)

    async def exchange() -> None:
        nonlocal rows
        connection.wire.received = 0
        rows = len(await connection.fetch(sql))

    values: Values = {}
    errors: list[asyncpg.PostgresError] = []
    try:
        async with apart(connection, context):
            values = await sample(exchange, n, context)
            values["rows"] = rows
    except* asyncpg.PostgresError as group:
        errors = [error for error in _leaves(group) if isinstance(error, asyncpg.PostgresError)]
    return values, errors[0] if errors else None


def _judged(query: Query, targets: int, context: Context) -> Context:
    """Lend what judges the query's own p95; no more is asked where its samples are written."""
    bounds = context.limits.get("slowest_of_target")
    limits = {}
    if bounds and query.target:
        target, limit = (1000 * query.target * bound for bound in bounds)
        limits = {"p95_ms": (target, limit)}
    # one check judges all queries with a target: what it may miss is parted among them
    looks = replace(context.looks, checks=context.looks.checks * max(1, targets))
    until = 0.0 if query.samples else context.until
    return replace(context, limits=limits, looks=looks, until=until)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


def _what(error: asyncpg.PostgresError) -> str:
    """Name the error; the server's words only where they cannot quote the statement's values."""
    state = str(error.sqlstate)
    if state not in _PLAIN_WORDS:
        return f"{type(error).__name__.removesuffix('Error')} ({state})"
    words = "".join(c for c in str(error.args[0]).splitlines()[0] if c.isprintable())
    return f"{words[:_SHOWN]} ({state})"


def _answered(failed: list[str], refused: list[str]) -> Values:
    values: Values = {"refused": bool(refused)}
    if refused:
        values["refused_because"] = few(refused)
    if failed:
        return values | {"answered": False, "answered_because": few(failed)}
    if refused:
        return values | {"answered_because": f"not tested: {few(refused)}"}
    return values | {"answered": True}


def _of_target(settings: Settings, values: Values) -> Values:
    """Return the p95 of the query nearest to its target, of that target, with its interval."""
    targets = {
        name: 1000 * query.target for name, query in settings.queries.items() if query.target
    }
    if not targets:
        return {"targets_declared": False}
    ratios: dict[str, Estimate] = {}
    for name, target in targets.items():
        p95 = values.get(f"queries.{name}.p95_ms")
        if not isinstance(p95, Estimate) or p95.value is None:
            because = values.get(f"queries.{name}.p95_ms_because", "it was not answered")
            why = f"not tested: {name}: {because}"
            return {"targets_declared": True, "slowest_of_target_because": why}
        assert p95.low is not None and p95.high is not None, "given together"
        ratios[name] = Estimate(
            value=p95.value / target, low=p95.low / target, high=p95.high / target, n=p95.n
        )
    # of the greatest of several, the greatest ends are an interval: none hides what is surely slow
    worst = Estimate(
        value=max(e.value or 0 for e in ratios.values()),
        low=max(e.low or 0 for e in ratios.values()),
        high=max(e.high or 0 for e in ratios.values()),
        n=min(e.n for e in ratios.values()),
    )
    beyond = (
        f"{name}: p95 {(e.value or 0) * targets[name]:.1f} ms of {targets[name]:g} ms"
        for name, e in sorted(ratios.items(), key=lambda item: -(item[1].high or 0))
        if (e.high or 0) > 1
    )
    values = {"targets_declared": True, "slowest_of_target": worst}
    return values | {"slowest_of_target_because": told} if (told := few(beyond)) else values
