"""The MCP server: three tools over a small table, by the official SDK on streamable HTTP."""

from mcp.server import MCPServer
from mcp_types import ToolAnnotations
from pydantic import BaseModel
from starlette.applications import Starlette

from readiness.demo.config import Config


class Deal(BaseModel):
    """One record of the only table."""

    customer: str
    stage: str
    euros: int


DEALS = (
    Deal(customer="Acme", stage="won", euros=12_000),
    Deal(customer="Globex", stage="open", euros=8_500),
    Deal(customer="Initech", stage="open", euros=3_200),
)

READS = ToolAnnotations(read_only_hint=True)

server = MCPServer("PyAirtable", version="2.0", log_level="WARNING")


@server.tool(annotations=READS)
def list_tables() -> list[str]:
    """List the tables that can be read."""
    return ["deals"]


@server.tool(annotations=READS)
def list_records(stage: str | None = None) -> list[Deal]:
    """List deals, all of them or those at one stage."""
    return [deal for deal in DEALS if stage in (None, deal.stage)]


@server.tool(annotations=READS)
def sum_euros(stage: str) -> int:
    """Add up the value of the deals at one stage."""
    return sum(deal.euros for deal in DEALS if deal.stage == stage)


def app(_: Config) -> Starlette:
    """Build the server; it keeps no session, so any process could answer any request."""
    return server.streamable_http_app(stateless_http=True, json_response=True)
