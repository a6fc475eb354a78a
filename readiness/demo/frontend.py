"""The web frontend: a front page, and one that shows what the API gateway knows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from readiness.demo.catalogue import SERVICES
from readiness.demo.config import Config
from readiness.demo.health import lasting

GATEWAY_SECONDS = 5.0
LAYOUT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
{body}
</body>
</html>
"""
FRONT = LAYOUT.format(
    title="PyAirtable",
    body="""<h1>PyAirtable</h1>
<p>Sign in to see your workspaces.</p>
<form method="post" action="/login">
<label>Email <input name="email" type="email" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Sign in</button>
</form>""",
)
FAILED = LAYOUT.format(
    title="Workspaces: not available",
    body="<h1>Workspaces</h1>\n<p>They cannot be shown at the moment. Please try again.</p>",
)


def app(config: Config) -> Starlette:
    """Build the frontend, which asks the gateway with the system's API key."""
    gateway = httpx2.AsyncClient(
        base_url=config.gateway_url,
        headers={"X-API-Key": config.api_key},
        timeout=GATEWAY_SECONDS,
        trust_env=False,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with gateway:
            yield

    async def page(_: Request) -> Response:
        async with lasting(SERVICES[config.name].delay_ms or 0):
            return HTMLResponse(FRONT)

    async def workspaces(_: Request) -> Response:
        try:
            answer = await gateway.get("/api/v1/workspaces")
            names = [str(workspace["name"]) for workspace in answer.raise_for_status().json()]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):  # down, or not what it was
            return HTMLResponse(FAILED, 502)
        return HTMLResponse(listed(names))

    return Starlette(
        routes=[Route("/", page), Route("/workspaces", workspaces)],
        lifespan=lifespan,
    )


def listed(names: list[str]) -> str:
    """Return the page that lists workspaces by `names`, of which nothing acts as markup."""
    items = "\n".join(f"<li>{escape(name)}</li>" for name in names)
    return LAYOUT.format(title="Workspaces", body=f"<h1>Workspaces</h1>\n<ul>\n{items}\n</ul>")
