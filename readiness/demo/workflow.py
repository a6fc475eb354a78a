"""The workflow service: a workflow is started, runs on its own, and can be watched in Redis."""

import asyncio
import json
import uuid
from typing import Any

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
from readiness.demo.refusals import not_found
from readiness.demo.routing import route
from readiness.demo.sessions import Sessions
from readiness.demo.tokens import Claims

STEPS = ("fetch", "transform", "publish")
STEP_SECONDS = 0.05
KEPT_SECONDS = 3600


def app(config: Config) -> Starlette:
    """Build the service. A workflow belongs to who started it; for others there is none."""
    redis = Redis.from_url(config.redis_url, decode_responses=True)
    guard = Guard(config, Sessions(redis))

    async def start(request: Request, caller: Claims) -> Response:
        name = text(await json_object(request), "name")
        workflow = {"id": str(uuid.uuid4()), "name": name, "status": "running", "steps": []}
        key = _key(caller, workflow["id"])
        await redis.set(key, json.dumps(workflow), ex=KEPT_SECONDS)
        running = BackgroundTask(run, key, workflow)
        return JSONResponse(workflow, 202, background=running)

    async def run(key: str, workflow: dict[str, Any]) -> None:
        for number, step in enumerate(STEPS, 1):
            await asyncio.sleep(STEP_SECONDS)
            status = "completed" if number == len(STEPS) else "running"
            workflow |= {"status": status, "steps": [*workflow["steps"], step]}
            # One that was deleted meanwhile stays deleted.
            if not await redis.set(key, json.dumps(workflow), xx=True, keepttl=True):
                return

    async def show(request: Request, caller: Claims) -> Response:
        workflow = await redis.get(_key(caller, request.path_params["id"]))
        if workflow is None:
            raise not_found("workflow")
        return JSONResponse(json.loads(workflow))

    async def remove(request: Request, caller: Claims) -> Response:
        if not await redis.delete(_key(caller, request.path_params["id"])):
            raise not_found("workflow")
        return Response(status_code=204)

    return Starlette(
        routes=[
            *health.routes(config.name),
            route("/api/v1/workflows", POST=guard.callers(start)),
            route(
                "/api/v1/workflows/{id:uuid}",
                GET=guard.callers(show),
                DELETE=guard.callers(remove),
            ),
        ],
        lifespan=while_open(redis),
    )


def _key(owner: Claims, workflow: object) -> str:
    return f"workflow:{owner.user}:{workflow}"
