"""The clean service: every route, what each answer carries, and which origins may read it."""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from tests import chains, servers
from tests.mutants import certificates
from tests.mutants.call import Call, Refused, Reply, told
from tests.mutants.provider import Provider
from tests.mutants.site import Site
from tests.mutants.work import Work

Route = Callable[[Call], Reply]
FRIEND = "https://app.shop.example"
"""The one other origin whose scripts may read answers."""


class Service(Work, Provider, Site):
    """A small shop with nothing wrong. A flaw is a subclass that does one thing otherwise."""

    beside: tuple[bytes, int] | None = None
    """What is sent by hand to who offers this version of TLS at most."""

    def tls(self, folder: Path) -> ssl.SSLContext:
        """Return how it speaks TLS; `folder` takes the file of its key."""
        return chains.server(folder, certificates.leaf(), certificates.between())

    def __init__(self) -> None:
        super().__init__()
        self.routes: Mapping[str, Route] = {
            "GET /health": self.health,
            "POST /register": self.register,
            "POST /login": self.login,
            "POST /refresh": self.refresh,
            "POST /logout": self.logout,
            "GET /me": self.me,
            "GET /users": self.list_users,
            "DELETE /users/*": self.delete_user,
            "GET /documents": self.list_documents,
            "POST /documents": self.create_document,
            "GET /documents/*": self.read_document,
            "DELETE /documents/*": self.delete,
            "POST /files": self.upload,
            "GET /files/*": self.download,
            "DELETE /files/*": self.delete,
            "POST /workflows": self.start_workflow,
            "GET /workflows/*": self.read_workflow,
            "DELETE /workflows/*": self.delete,
            "POST /sagas": self.start_saga,
            "GET /sagas/*": self.read_saga,
            "DELETE /sagas/*": self.delete,
            "GET /": self.home,
            "GET /app.js": self.script,
            "POST /sign-in": self.sign_in,
            "GET /account": self.account,
            "POST /sign-out": self.sign_out,
            "GET /.well-known/openid-configuration": self.discovery,
            "GET /jwks.json": self.keys,
            "POST /id-token": self.id_token,
            "GET /userinfo": self.userinfo,
            "GET /openapi.json": self.openapi,
        }

    def answer(self, request: servers.Request) -> bytes:
        """Answer one request: what `tests.servers.Web` is given."""
        call = Call(request)
        try:
            reply = self.reply(call)
        except Refused as refused:
            reply = self.answer_to(refused)
        whole = reply.with_headers({**self.permission(call), **self.headers(call, reply)})
        return whole.raw(call.method)

    def reply(self, call: Call) -> Reply:
        method = "GET" if call.method == "HEAD" else call.method
        if method == "OPTIONS":
            return Reply(204)
        for path in (call.path, f"{call.path.rpartition('/')[0]}/*"):
            if route := self.routes.get(f"{method} {path}"):
                return route(call)
        return self.unknown(call)

    def answer_to(self, refused: Refused) -> Reply:
        return refused.reply

    def unknown(self, call: Call) -> Reply:
        if call.method not in ("GET", "HEAD", "POST", "DELETE"):
            return told({"error": "the method is not known"}, 405, Allow="GET, HEAD, POST, DELETE")
        return told({"error": "there is nothing here"}, 404)

    def health(self, call: Call) -> Reply:
        return told({"status": "ok"})

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        """Return what every answer carries."""
        html = reply.media_type.startswith("text/html")
        sources = "'self'" if html else "'none'"
        return {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": f"default-src {sources}; frame-ancestors 'none'",
            "Strict-Transport-Security": "max-age=31536000",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "Server": "shop",
        }

    def permission(self, call: Call) -> dict[str, str]:
        """Return which origin may read the answer."""
        origin = call.header("origin")
        if not self.trusts(origin):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
        }

    def trusts(self, origin: str) -> bool:
        return origin == FRIEND

    def openapi(self, call: Call) -> Reply:
        """Describe what can be read; what names no security is for everyone."""
        secured = {"security": [{"token": []}], "responses": {"200": {"description": "yours"}}}
        open_ = {"security": [], "responses": {"200": {"description": "for everyone"}}}
        bearer = {"type": "http", "scheme": "bearer"}
        return told(
            {
                "openapi": "3.1.0",
                "info": {"title": "Shop", "version": "1"},
                "components": {"securitySchemes": {"token": bearer}},
                "paths": {
                    "/health": {"get": open_},
                    "/me": {"get": secured},
                    "/users": {"get": secured},
                    "/documents": {"get": secured},
                },
            }
        )
