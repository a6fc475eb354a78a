"""The Airtable gateway: broken, it still holds the API key from before the last rotation."""

import hmac

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from readiness.demo import health
from readiness.demo.config import Config
from readiness.demo.tokens import bearer, unauthorized

BASES = [{"id": "appSales", "name": "Sales"}, {"id": "appSupport", "name": "Support"}]
STALE_KEY = "the-key-before-the-rotation"


def app(config: Config) -> Starlette:
    """Build the gateway with the key it was configured with."""
    held = config.airtable_key if config.fixed else STALE_KEY

    async def bases(request: Request) -> Response:
        if not bearer(request):
            return unauthorized("an API key is required")
        if not hmac.compare_digest(bearer(request).encode(), held.encode()):
            reason = "the key differs from the one this gateway was configured with"
            return JSONResponse({"error": {"type": "INVALID_API_KEY", "message": reason}}, 403)
        return JSONResponse({"bases": BASES})

    return Starlette(routes=[*health.routes(config.name), Route("/api/v1/bases", bases)])
