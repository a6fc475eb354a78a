"""The saga service: steps that are undone in reverse when one fails, recorded in Postgres."""

import asyncio
import uuid

import asyncpg
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from readiness.demo import health
from readiness.demo.bodies import json_object, text
from readiness.demo.callers import Guard
from readiness.demo.config import Config
from readiness.demo.lifespan import while_open
from readiness.demo.refusals import Refused, invalid, not_found
from readiness.demo.routing import route
from readiness.demo.sessions import Sessions
from readiness.demo.tokens import Claims

STEPS = ("reserve", "charge", "ship")
STEP_SECONDS = 0.03
SCHEMA = """
CREATE TABLE IF NOT EXISTS sagas (
    id text PRIMARY KEY, owner text NOT NULL, name text NOT NULL, fail_at text,
    status text NOT NULL DEFAULT 'running',
    steps text[] NOT NULL DEFAULT '{}', compensations text[] NOT NULL DEFAULT '{}'
);
"""
SHOWN = "id, name, status, fail_at, steps, compensations"
INSERT = f"INSERT INTO sagas (id, owner, name, fail_at) VALUES ($1, $2, $3, $4) RETURNING {SHOWN}"
ONE = f"SELECT {SHOWN} FROM sagas WHERE id = $1 AND owner = $2"
DELETE = "DELETE FROM sagas WHERE id = $1 AND owner = $2"
DONE = "UPDATE sagas SET steps = array_append(steps, $2) WHERE id = $1"
UNDONE = "UPDATE sagas SET compensations = array_append(compensations, $2) WHERE id = $1"
STATUS = "UPDATE sagas SET status = $2 WHERE id = $1"


def app(config: Config) -> Starlette:
    """Build the service. A saga belongs to who started it; for others there is none."""
    pool = asyncpg.create_pool(config.database_url, min_size=1, max_size=5)
    redis = Redis.from_url(config.redis_url, decode_responses=True)
    guard = Guard(config, Sessions(redis))

    async def start(request: Request, caller: Claims) -> Response:
        body = await json_object(request)
        name, fail_at, saga = text(body, "name"), body.get("fail_at"), str(uuid.uuid4())
        if fail_at not in (None, *STEPS):
            detail = [invalid("fail_at", f"one of {', '.join(STEPS)} is required", "step")]
            raise Refused(422, {"detail": detail})
        [row] = await pool.fetch(INSERT, saga, caller.user, name, fail_at)
        return JSONResponse(dict(row), 202, background=BackgroundTask(run, saga, fail_at))

    async def run(saga: str, fail_at: str | None) -> None:
        done: list[str] = []
        for step in STEPS:
            await asyncio.sleep(STEP_SECONDS)
            if step == fail_at:
                await compensate(saga, done)
                return
            await pool.execute(DONE, saga, step)
            done.append(step)
        await pool.execute(STATUS, saga, "completed")

    async def compensate(saga: str, done: list[str]) -> None:
        await pool.execute(STATUS, saga, "compensating")
        for step in reversed(done):
            await asyncio.sleep(STEP_SECONDS)
            await pool.execute(UNDONE, saga, step)
        await pool.execute(STATUS, saga, "compensated")

    async def show(request: Request, caller: Claims) -> Response:
        row = await pool.fetchrow(ONE, str(request.path_params["id"]), caller.user)
        if row is None:
            raise not_found("saga")
        return JSONResponse(dict(row))

    async def remove(request: Request, caller: Claims) -> Response:
        identity = str(request.path_params["id"])
        if await pool.execute(DELETE, identity, caller.user) == "DELETE 0":
            raise not_found("saga")
        return Response(status_code=204)

    return Starlette(
        routes=[
            *health.routes(config.name),
            route("/api/v1/sagas", POST=guard.callers(start)),
            route("/api/v1/sagas/{id:uuid}", GET=guard.callers(show), DELETE=guard.callers(remove)),
        ],
        lifespan=while_open(redis, pool, SCHEMA),
    )
