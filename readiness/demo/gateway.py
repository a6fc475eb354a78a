"""The API gateway: every request holds one connection of a bounded pool for its whole time."""

import asyncpg
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from readiness.demo.callers import Guard
from readiness.demo.catalogue import SERVICES
from readiness.demo.config import Config
from readiness.demo.health import lasting, live, report
from readiness.demo.lifespan import while_open
from readiness.demo.sessions import Sessions
from readiness.demo.tokens import Claims

POOL_SIZE_BROKEN = 5
POOL_SIZE_FIXED = 50
POOL_MS = 1.5
"""What taking a connection from the pool and handing it back adds to a request."""
WAIT_SECONDS = 0.25
"""How long a request queues for a connection before it is told 503.

Of 50 users who ask at once, 5 are served at 0, 53, 106, 159 and 212 ms each, and the other 25
give up at 250 ms: half of them succeed, and still do when a turn takes 50 or 62 ms. The same holds
as they go on asking. Of 10 users 5 wait for one turn, and all succeed.
"""

SCHEMA = """
CREATE TABLE IF NOT EXISTS workspaces (id serial PRIMARY KEY, name text UNIQUE NOT NULL);
INSERT INTO workspaces (name) VALUES ('Sales'), ('Support') ON CONFLICT DO NOTHING;
"""


def app(config: Config) -> Starlette:
    """Build the gateway."""
    size = POOL_SIZE_FIXED if config.fixed else POOL_SIZE_BROKEN
    pool = asyncpg.create_pool(config.database_url, min_size=size, max_size=size)
    redis = Redis.from_url(config.redis_url, decode_responses=True)
    guard = Guard(config, Sessions(redis))

    async def query(sql: str) -> list[asyncpg.Record]:
        holding = lasting((SERVICES[config.name].delay_ms or 0) - POOL_MS)
        async with pool.acquire(timeout=WAIT_SECONDS) as connection, holding:
            return await connection.fetch(sql)

    async def health(_: Request) -> Response:
        await query("SELECT 1")
        return report(config.name)

    async def workspaces(_: Request, __: Claims) -> Response:
        rows = await query("SELECT id, name FROM workspaces ORDER BY id")
        return JSONResponse([dict(row) for row in rows])

    async def exhausted(_: Request, __: Exception) -> Response:
        waited = f"no database connection within {WAIT_SECONDS * 1000:.0f} ms"
        return report(config.name, f"{waited}: all {size} of the pool are in use")

    return Starlette(
        routes=[
            Route("/api/health", health),
            live(config.name),
            Route("/api/v1/workspaces", guard.callers(workspaces)),
        ],
        exception_handlers={TimeoutError: exhausted},
        lifespan=while_open(redis, pool, SCHEMA),
    )
