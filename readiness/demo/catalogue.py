"""The sample services: how each is found, how long each takes, and which are down when broken."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SampleService:
    """One HTTP process of the sample system."""

    variable: str
    """The variable of services.yaml that holds its URL."""
    app: str
    """The module in this folder whose `app(config)` builds it."""
    delay_ms: float | None = None
    """How long its health (or front) page takes as a client on this machine sees it."""
    health: str = "/health"
    path: str = ""
    """What follows the port in its URL."""
    up_when_broken: bool = True
    asks_gateway: bool = False
    """Whether it must be told where the API gateway answers, and so starts after it."""


SERVICES: Mapping[str, SampleService] = {
    "mcp-server": SampleService("MCP_SERVER_URL", "mcp_server", path="/mcp"),
    "api-gateway": SampleService("API_GATEWAY_URL", "gateway", 53, "/api/health"),
    "auth": SampleService("AUTH_URL", "auth", 17),
    "airtable-gateway": SampleService("AIRTABLE_GATEWAY_URL", "airtable", 16),
    "file-service": SampleService("FILE_SERVICE_URL", "files", 23),
    "saga-service": SampleService("SAGA_SERVICE_URL", "saga", 12),
    "workflow-service": SampleService("WORKFLOW_SERVICE_URL", "workflow", 13),
    "frontend": SampleService("FRONTEND_URL", "frontend", 12, "/", asks_gateway=True),
    "notification-service": SampleService(
        "NOTIFICATION_SERVICE_URL", "plain", 14, up_when_broken=False
    ),
    "user-service": SampleService("USER_SERVICE_URL", "plain", 15, up_when_broken=False),
}
"""By name as in services.yaml; the slowest to start comes first."""
