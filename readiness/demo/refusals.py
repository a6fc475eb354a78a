"""What a handler raises when it refuses, and the JSON that each error becomes."""

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refused(Exception):
    """The request is answered with `status` and `reason`, a sentence or a body of its own."""

    def __init__(
        self,
        status: int,
        reason: str | Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.body = {"error": reason} if isinstance(reason, str) else reason
        self.headers = headers


def unauthorized(reason: str) -> Refused:
    """Refuse a caller who has not shown who they are."""
    return Refused(401, reason, {"WWW-Authenticate": "Bearer"})


def not_found(what: str) -> Refused:
    """Refuse to know `what`: the same whether it is absent or somebody else's."""
    return Refused(404, f"there is no such {what}")


def invalid(field: str, message: str, kind: str) -> dict[str, Any]:
    """Return one entry of the `detail` of a 422."""
    return {"loc": ["body", field], "msg": message, "type": kind}


def answer_in_json(app: Starlette) -> None:
    """Let `app` answer all its errors in JSON, and none with a word of what broke inside."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _broken)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse(error.body, error.status, error.headers)


async def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _broken(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "internal error"}, 500)
