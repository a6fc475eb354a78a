"""Who is calling: the user of a live session, or the system itself by its API key."""

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from readiness.demo.config import Config
from readiness.demo.refusals import unauthorized
from readiness.demo.routing import Handler
from readiness.demo.sessions import Sessions
from readiness.demo.tokens import Claims, verify

SYSTEM = Claims(user="system", session="", role="system")
"""What the API key speaks for."""
Guarded = Callable[[Request, Claims], Awaitable[Response]]


def bearer(request: Request) -> str:
    """Return the bearer token that `request` carries, or the empty string."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


class Guard:
    """Lets nobody through to a handler whom it does not know."""

    def __init__(self, config: Config, sessions: Sessions) -> None:
        self._config = config
        self._sessions = sessions

    def users(self, handler: Guarded) -> Handler:
        """Answer 401 unless the request carries a token of a live session."""

        async def check(request: Request) -> Response:
            claims = await self._user(request)
            if claims is None:
                raise unauthorized("a token of a live session is required")
            return await handler(request, claims)

        return check

    def callers(self, handler: Guarded) -> Handler:
        """Answer 401 unless the request carries such a token or the system's API key."""

        async def check(request: Request) -> Response:
            claims = SYSTEM if self._has_key(request) else await self._user(request)
            if claims is None:
                raise unauthorized("a valid token or API key is required")
            return await handler(request, claims)

        return check

    def _has_key(self, request: Request) -> bool:
        key = request.headers.get("x-api-key", "")
        return hmac.compare_digest(key.encode(), self._config.api_key.encode())

    async def _user(self, request: Request) -> Claims | None:
        claims = verify(bearer(request), self._config.signing_secret)
        return claims if claims and await self._sessions.is_live(claims.session) else None
