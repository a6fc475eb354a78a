"""The file service: files in Postgres, each for its owner alone, and two samples for everyone."""

import hashlib
import uuid

import asyncpg
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from readiness.demo import health
from readiness.demo.callers import Guard
from readiness.demo.config import Config
from readiness.demo.lifespan import while_open
from readiness.demo.refusals import not_found
from readiness.demo.routing import route
from readiness.demo.sessions import Sessions
from readiness.demo.tokens import Claims
from readiness.demo.upload import upload

SAMPLES = [{"name": "forecast.csv", "bytes": 18_204}, {"name": "logo.png", "bytes": 4_711}]
SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    id text PRIMARY KEY, owner text NOT NULL, name text NOT NULL,
    bytes integer NOT NULL, sha256 text NOT NULL, content bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS files_of_owner ON files (owner);
"""
INSERT = "INSERT INTO files VALUES ($1, $2, $3, $4, $5, $6)"
OWNED = "SELECT id, name, bytes, sha256 FROM files WHERE owner = $1 ORDER BY name, id LIMIT 100"
ONE = "SELECT id, name, bytes, sha256 FROM files WHERE id = $1 AND owner = $2"
CONTENT = "SELECT content FROM files WHERE id = $1 AND owner = $2"
DELETE = "DELETE FROM files WHERE id = $1 AND owner = $2"


def app(config: Config) -> Starlette:
    """Build the service. Whose file it is not is told what one is told of no file: 404."""
    pool = asyncpg.create_pool(config.database_url, min_size=1, max_size=5)
    redis = Redis.from_url(config.redis_url, decode_responses=True)
    guard = Guard(config, Sessions(redis))

    async def listing(_: Request, caller: Claims) -> Response:
        rows = await pool.fetch(OWNED, caller.user)
        return JSONResponse({"files": [*map(dict, rows), *SAMPLES]})

    async def keep(request: Request, caller: Claims) -> Response:
        sent = await upload(request, "file")
        digest = hashlib.sha256(sent.content).hexdigest()
        shown = {
            "id": str(uuid.uuid4()),
            "name": sent.name,
            "bytes": len(sent.content),
            "sha256": digest,
        }
        identity, *rest = shown.values()
        await pool.execute(INSERT, identity, caller.user, *rest, sent.content)
        return JSONResponse(shown, 201, {"Location": f"/api/v1/files/{identity}"})

    async def show(request: Request, caller: Claims) -> Response:
        row = await pool.fetchrow(ONE, str(request.path_params["id"]), caller.user)
        if row is None:
            raise not_found("file")
        return JSONResponse(dict(row))

    async def content(request: Request, caller: Claims) -> Response:
        held = await pool.fetchval(CONTENT, str(request.path_params["id"]), caller.user)
        if held is None:
            raise not_found("file")
        # Never the type that the uploader named: a browser must not run what it downloads.
        headers = {"Content-Disposition": "attachment"}
        return Response(held, media_type="application/octet-stream", headers=headers)

    async def remove(request: Request, caller: Claims) -> Response:
        if await pool.execute(DELETE, str(request.path_params["id"]), caller.user) == "DELETE 0":
            raise not_found("file")
        return Response(status_code=204)

    return Starlette(
        routes=[
            *health.routes(config.name),
            route("/api/v1/files", GET=guard.callers(listing), POST=guard.callers(keep)),
            route("/api/v1/files/{id:uuid}", GET=guard.callers(show), DELETE=guard.callers(remove)),
            route("/api/v1/files/{id:uuid}/content", GET=guard.callers(content)),
        ],
        lifespan=while_open(redis, pool, SCHEMA),
    )
