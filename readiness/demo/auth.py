"""Registration, login and sessions: users in Postgres, sessions in Redis, signed tokens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from readiness.demo import health
from readiness.demo.accounts import SCHEMA, Accounts
from readiness.demo.bodies import texts
from readiness.demo.callers import Guard
from readiness.demo.config import Config
from readiness.demo.lockout import Lockout
from readiness.demo.refusals import Refused, invalid, unauthorized
from readiness.demo.routing import route
from readiness.demo.sessions import Sessions
from readiness.demo.tokens import ACCESS_SECONDS, Claims, issue

SHORTEST_PASSWORD = 8


def app(config: Config) -> Starlette:
    """Build the service. Broken, its login demands a `username` that no document mentions."""
    pool = asyncpg.create_pool(config.database_url, min_size=1, max_size=5)
    redis = Redis.from_url(config.redis_url, decode_responses=True)
    accounts, sessions, lockout = Accounts(pool), Sessions(redis), Lockout(redis)
    guard = Guard(config, sessions)
    login_fields = ("email" if config.fixed else "username", "password")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with pool, redis:
            await pool.execute(SCHEMA)
            await accounts.add(config.email, config.password)
            await accounts.add(config.other_email, config.other_password)
            await accounts.add(config.admin_email, config.admin_password, "admin")
            yield

    async def register(request: Request) -> Response:
        given = await texts(request, ("email", "password"))
        _demand_usable(**given)
        account = await accounts.add(**given)
        if account is None:
            raise Refused(409, "this email is registered already")
        return JSONResponse(account.shown(), 201)

    async def login(request: Request) -> Response:
        email, password = (await texts(request, login_fields)).values()
        await lockout.demand_open(email)
        account = await accounts.with_password(email, password)
        if account is None:
            await lockout.count(email)
            raise unauthorized("email or password is wrong")
        await lockout.forget(email)
        return granted(*await sessions.open(account.id, account.role))

    async def refresh(request: Request) -> Response:
        given = await texts(request, ("refresh_token",))
        renewed = await sessions.rotate(given["refresh_token"])
        if renewed is None:
            raise unauthorized("the refresh token is not valid, or was used before")
        return granted(*renewed)

    async def logout(_: Request, caller: Claims) -> Response:
        await sessions.end(caller.session)
        return Response(status_code=204)

    async def me(_: Request, caller: Claims) -> Response:
        account = await accounts.find(caller.user)
        if account is None:
            raise unauthorized("this user is gone")
        return JSONResponse(account.shown())

    async def leave(_: Request, caller: Claims) -> Response:
        await accounts.remove(caller.user)
        await sessions.end_all(caller.user)
        return Response(status_code=204)

    async def users(_: Request, caller: Claims) -> Response:
        if caller.role != "admin":
            raise Refused(403, "only an admin may see all users")
        return JSONResponse({"users": [account.shown() for account in await accounts.every()]})

    def granted(claims: Claims, refresh_token: str) -> Response:
        return JSONResponse(
            {
                "access_token": issue(claims, config.signing_secret),
                "refresh_token": refresh_token,
                "token_type": "bearer",
                "expires_in": ACCESS_SECONDS,
            }
        )

    return Starlette(
        routes=[
            *health.routes(config.name, lambda: pool.fetchval("SELECT 1"), redis.ping),
            route("/auth/register", POST=register),
            route("/auth/login", POST=login),
            route("/auth/refresh", POST=refresh),
            route("/auth/logout", POST=guard.users(logout)),
            route("/auth/me", GET=guard.users(me), DELETE=guard.users(leave)),
            route("/auth/users", GET=guard.users(users)),
        ],
        lifespan=lifespan,
    )


def _demand_usable(email: str, password: str) -> None:
    """Refuse what is no address, and a password that is too short (NIST SP 800-63B)."""
    wrong = []
    if not 0 < email.find("@") < len(email) - 1:
        wrong.append(invalid("email", "an email address is required", "email"))
    if len(password) < SHORTEST_PASSWORD:
        message = f"at least {SHORTEST_PASSWORD} characters are required"
        wrong.append(invalid("password", message, "too_short"))
    if wrong:
        raise Refused(422, {"detail": wrong})
