"""Flaws of headers, cookies and CORS: what browsers are not told."""

from tests.mutants.call import Call, Reply, page
from tests.mutants.flaw import flaw
from tests.mutants.service import FRIEND, Service

CSP = "Content-Security-Policy"


@flaw("header-content-type-options")
class GuessedTypes(Service):
    """X-Content-Type-Options is not sent."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        sent = super().headers(call, reply)
        del sent["X-Content-Type-Options"]
        return sent


@flaw("header-content-type")
class JsonAsText(Service):
    """JSON is sent as text/plain."""

    def health(self, call: Call) -> Reply:
        return Reply(200, super().health(call).body, "text/plain")


@flaw("header-csp")
class InlineScripts(Service):
    """The Content-Security-Policy of pages allows inline scripts."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        sent = super().headers(call, reply)
        loose = sent[CSP].replace("'self'", "'self' 'unsafe-inline'")
        return sent | {CSP: loose}


@flaw("header-framing")
class FramedPages(Service):
    """Any site may show the pages in a frame."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        sent = super().headers(call, reply)
        html = reply.media_type.startswith("text/html")
        return sent | {CSP: "default-src 'self'"} if html else sent


@flaw("header-referrer-policy")
class TellsPaths(Service):
    """Pages tell other sites the whole address that was left."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        return super().headers(call, reply) | {"Referrer-Policy": "unsafe-url"}


@flaw("header-sri")
class UnpinnedScript(Service):
    """The page loads a script from another site without its hash."""

    def welcome(self) -> str:
        return "Welcome <script src=https://cdn.example/cart.js></script>"

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        sent = super().headers(call, reply)
        return sent | {CSP: sent[CSP].replace("'self'", "'self' https://cdn.example")}


@flaw("header-hsts")
class NoHsts(Service):
    """Strict-Transport-Security is not sent."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        sent = super().headers(call, reply)
        del sent["Strict-Transport-Security"]
        return sent


@flaw("header-hsts")
class HstsForADay(Service):
    """Browsers insist on https for a day alone."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        return super().headers(call, reply) | {"Strict-Transport-Security": "max-age=86400"}


@flaw("version-banner")
class TellsItsVersion(Service):
    """The Server header tells the version of the software."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        return super().headers(call, reply) | {"Server": "nginx/1.18.0"}


@flaw("cookie-secure", "session-cookie")
class CookieOverHttp(Service):
    """The session cookie lacks Secure."""

    cookie_name = "session"

    def cookie_attributes(self) -> str:
        return "Path=/; HttpOnly; SameSite=Lax"


@flaw("cookie-http-only", "session-cookie")
class CookieForScripts(Service):
    """The session cookie lacks HttpOnly."""

    def cookie_attributes(self) -> str:
        return "Path=/; Secure; SameSite=Lax"


@flaw("cookie-same-site", "session-cookie")
class CookieForOtherSites(Service):
    """The session cookie does not say which sites may send it."""

    def cookie_attributes(self) -> str:
        return "Path=/; Secure; HttpOnly"


@flaw("cookie-kept")
class CookieThatBrowsersDrop(Service):
    """A cookie's prefix asks for Path=/, which it has not."""

    def home(self, call: Call) -> Reply:
        theme = "__Host-theme=dark; Path=/shop; Secure; SameSite=Lax"
        return page(self.welcome(), Set_Cookie=theme)


@flaw("cors-credentials")
class TrustsEveryOrigin(Service):
    """Whatever origin asks is allowed together with credentials."""

    def trusts(self, origin: str) -> bool:
        return bool(origin)


@flaw("cors-credentials")
class TrustsNull(Service):
    """The origin `null`, which any sandboxed frame has, is allowed."""

    def trusts(self, origin: str) -> bool:
        return origin in (FRIEND, "null")


@flaw("cors-credentials")
class TrustsByEnding(Service):
    """Origins are compared by how they end."""

    def trusts(self, origin: str) -> bool:
        return origin.endswith(FRIEND.removeprefix("https://"))


@flaw("cors-credentials")
class TrustsByBeginning(Service):
    """Origins are compared by how they begin."""

    def trusts(self, origin: str) -> bool:
        return origin.startswith(FRIEND)


@flaw("cors-vary")
class ForgetsVary(Service):
    """Caches are not told that the allowed origin depends on who asks."""

    def permission(self, call: Call) -> dict[str, str]:
        return {name: v for name, v in super().permission(call).items() if name != "Vary"}

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        return super().headers(call, reply) | {"Cache-Control": "max-age=60"}


@flaw("cors-allowed-origins")
class ForgetsItsFriend(Service):
    """The front end's own origin is not allowed."""

    def trusts(self, origin: str) -> bool:
        return False
