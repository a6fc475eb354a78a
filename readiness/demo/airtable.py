"""The Airtable gateway: broken, it still holds the API key from before the last rotation."""

import hmac
import json
import secrets

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from readiness.demo import health
from readiness.demo.bodies import json_object
from readiness.demo.callers import bearer
from readiness.demo.config import Config
from readiness.demo.lifespan import while_open
from readiness.demo.refusals import Refused, invalid, not_found, unauthorized
from readiness.demo.routing import Handler, route

BASES = [{"id": "appSales", "name": "Sales"}, {"id": "appSupport", "name": "Support"}]
STALE_KEY = "the-key-before-the-rotation"


def app(config: Config) -> Starlette:
    """Build the gateway with the key it was configured with; its records are in Redis."""
    held = config.airtable_key if config.fixed else STALE_KEY
    redis = Redis.from_url(config.redis_url, decode_responses=True)

    def keyed(handler: Handler) -> Handler:
        async def check(request: Request) -> Response:
            if not bearer(request):
                raise unauthorized("an API key is required")
            if not hmac.compare_digest(bearer(request).encode(), held.encode()):
                reason = "the key differs from the one this gateway was configured with"
                raise Refused(403, {"error": {"type": "INVALID_API_KEY", "message": reason}})
            return await handler(request)

        return check

    async def bases(_: Request) -> Response:
        return JSONResponse({"bases": BASES})

    async def create(request: Request) -> Response:
        base, fields = _base(request), (await json_object(request)).get("fields")
        if not isinstance(fields, dict):
            detail = [invalid("fields", "an object is required", "missing")]
            raise Refused(422, {"detail": detail})
        identity = f"rec{secrets.token_hex(7)}"
        await redis.set(_key(base, identity), json.dumps(fields))
        return JSONResponse({"id": identity, "fields": fields}, 201)

    async def show(request: Request) -> Response:
        identity = request.path_params["id"]
        fields = await redis.get(_key(_base(request), identity))
        if fields is None:
            raise not_found("record")
        return JSONResponse({"id": identity, "fields": json.loads(fields)})

    async def remove(request: Request) -> Response:
        if not await redis.delete(_key(_base(request), request.path_params["id"])):
            raise not_found("record")
        return Response(status_code=204)

    records = "/api/v1/bases/{base}/records"
    return Starlette(
        routes=[
            *health.routes(config.name),
            route("/api/v1/bases", GET=keyed(bases)),
            route(records, POST=keyed(create)),
            route(f"{records}/{{id}}", GET=keyed(show), DELETE=keyed(remove)),
        ],
        lifespan=while_open(redis),
    )


def _base(request: Request) -> str:
    """Return the base that the path names, by its id or its name."""
    named = request.path_params["base"]
    for base in BASES:
        if named in base.values():
            return base["id"]
    raise not_found("base")


def _key(base: str, identity: str) -> str:
    return f"record:{base}:{identity}"
