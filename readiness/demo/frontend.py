"""The web frontend: one page, with the title and the text that services.yaml expects."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from readiness.demo.catalogue import SERVICES
from readiness.demo.config import Config
from readiness.demo.health import lasting

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>PyAirtable</title></head>
<body>
<h1>PyAirtable</h1>
<p>Sign in to see your workspaces.</p>
<form method="post" action="/login">
<label>Email <input name="email" type="email" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Sign in</button>
</form>
</body>
</html>
"""


def app(config: Config) -> Starlette:
    """Build the frontend."""

    async def page(_: Request) -> Response:
        async with lasting(SERVICES[config.name].delay_ms or 0):
            return HTMLResponse(PAGE)

    return Starlette(routes=[Route("/", page)])
