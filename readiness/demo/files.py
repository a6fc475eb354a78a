"""The file service: a listing for those who may see it."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from readiness.demo import health
from readiness.demo.config import Config
from readiness.demo.tokens import guarded

FILES = [{"name": "forecast.csv", "bytes": 18_204}, {"name": "logo.png", "bytes": 4_711}]


def app(config: Config) -> Starlette:
    """Build the service."""

    async def listing(_: Request) -> Response:
        return JSONResponse({"files": FILES})

    return Starlette(
        routes=[
            *health.routes(config.name),
            Route("/api/v1/files", guarded(listing, config)),
        ]
    )
