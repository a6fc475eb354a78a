"""What a sample service keeps things in -> open from its start to its end."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import asyncpg
from redis.asyncio import Redis
from starlette.applications import Starlette

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def while_open(redis: Redis, pool: asyncpg.Pool | None = None, schema: str = "") -> Lifespan:
    """Return the lifespan that holds both open; `schema` is the SQL that makes its tables."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with pool or nullcontext(), redis:
            if pool:
                await pool.execute(schema)
            yield

    return lifespan
