"""Registration, login and sessions: users in Postgres, sessions in Redis, signed tokens."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from readiness.demo import health
from readiness.demo.config import Config
from readiness.demo.tokens import bearer, sign, unauthorized, verify

SESSION_SECONDS = 3600
SCHEMA = """
CREATE TABLE IF NOT EXISTS users (email text PRIMARY KEY, salt bytea, password bytea);
"""
INSERT = "INSERT INTO users VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING email"


def app(config: Config) -> Starlette:
    """Build the service. Broken, its login demands a `username` that no document mentions."""
    pool = asyncpg.create_pool(config.database_url, min_size=1, max_size=5)
    sessions = Redis.from_url(config.redis_url)
    login_fields = ("email" if config.fixed else "username", "password")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with pool, sessions:
            await pool.execute(SCHEMA)
            await store(config.email, config.password)
            yield

    async def store(email: str, password: str) -> bool:
        salt = secrets.token_bytes(16)
        return await pool.fetchval(INSERT, email, salt, await _hash(password, salt)) is not None

    async def register(request: Request) -> Response:
        fields, refusal = await _fields(request, ("email", "password"))
        if refusal:
            return refusal
        if not await store(fields["email"], fields["password"]):
            return JSONResponse({"error": "this email is registered already"}, 409)
        return JSONResponse({"email": fields["email"]}, 201)

    async def login(request: Request) -> Response:
        fields, refusal = await _fields(request, login_fields)
        if refusal:
            return refusal
        email = fields[login_fields[0]]
        row = await pool.fetchrow("SELECT salt, password FROM users WHERE email = $1", email)
        if row is None or not hmac.compare_digest(
            row["password"], await _hash(fields["password"], row["salt"])
        ):
            return unauthorized("email or password is wrong")
        session = secrets.token_urlsafe(16)
        await sessions.setex(f"session:{session}", SESSION_SECONDS, email)
        claims = {"sub": email, "sid": session, "exp": time.time() + SESSION_SECONDS}
        token = sign(claims, config.signing_secret)
        return JSONResponse({"access_token": token, "token_type": "bearer"})

    async def me(request: Request) -> Response:
        claims = verify(bearer(request), config.signing_secret)
        if claims is None or not await sessions.exists(f"session:{claims['sid']}"):
            return unauthorized("a token of a live session is required")
        return JSONResponse({"email": claims["sub"]})

    return Starlette(
        routes=[
            *health.routes(config.name, lambda: pool.fetchval("SELECT 1"), sessions.ping),
            Route("/auth/register", register, methods=["POST"]),
            Route("/auth/login", login, methods=["POST"]),
            Route("/auth/me", me),
        ],
        lifespan=lifespan,
    )


async def _fields(
    request: Request, names: tuple[str, ...]
) -> tuple[dict[str, str], Response | None]:
    """Return the text fields `names` of the JSON body, or the refusal that names what is wrong."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        body = None
    given = body if isinstance(body, dict) else {}
    missing = [name for name in names if not isinstance(given.get(name), str)]
    if not missing:
        return {name: given[name] for name in names}, None
    detail = [{"loc": ["body", m], "msg": "field required", "type": "missing"} for m in missing]
    return {}, JSONResponse({"detail": detail}, 422)


async def _hash(password: str, salt: bytes) -> bytes:
    return await asyncio.to_thread(hashlib.scrypt, password.encode(), salt=salt, n=2**12, r=8, p=1)
