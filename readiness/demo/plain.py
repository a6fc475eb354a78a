"""A service of which the sample system needs no more than its health."""

from starlette.applications import Starlette

from readiness.demo import health
from readiness.demo.config import Config


def app(config: Config) -> Starlette:
    """Build the service."""
    return Starlette(routes=health.routes(config.name))
