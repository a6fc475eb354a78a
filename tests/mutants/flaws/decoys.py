"""What is right and looks odd: nothing may be found wrong with any of these."""

import secrets
from typing import Any

from tests.mutants.accounts import User
from tests.mutants.call import Call, Refused, Reply, page, told
from tests.mutants.flaw import decoy
from tests.mutants.jws import Claims
from tests.mutants.service import Service


@decoy()
class OnePageForUnknownPaths(Service):
    """A page is given for every path that is not known, as single-page applications do."""

    def unknown(self, call: Call) -> Reply:
        known = super().unknown(call)
        return page(f"The shop at {call.last[:40]}") if known.status == 404 else known


@decoy()
class ForEveryOrigin(Service):
    """Every origin may read answers, without credentials."""

    def permission(self, call: Call) -> dict[str, str]:
        return {"Access-Control-Allow-Origin": "*"}


@decoy()
class NameWithoutVersion(Service):
    """The Server header names the software and no version."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        return super().headers(call, reply) | {"Server": "uvicorn"}


@decoy()
class RefusesWithForbidden(Service):
    """Whoever has no good token is told 403."""

    def answer_to(self, refused: Refused) -> Reply:
        reply = super().answer_to(refused)
        return Reply(403, reply.body) if reply.status == 401 else reply


@decoy()
class OneSessionEach(Service):
    """A login ends the session that the user had before."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str, str] = {}

    def session(self, user: User) -> dict[str, Any]:
        before = set(self.sessions)
        self.sessions.discard(self.last.get(user.id, ""))
        given = super().session(user)
        [self.last[user.id]] = self.sessions - before
        return given


@decoy()
class TalksAboutTraces(Service):
    """The page explains what a traceback is."""

    def welcome(self) -> str:
        return "Welcome. A traceback shows the most recent call last, as in shop.py:17"


@decoy()
class FramedByItself(Service):
    """X-Frame-Options takes the place of frame-ancestors."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        sent = super().headers(call, reply)
        csp = sent["Content-Security-Policy"].partition(";")[0]
        return sent | {"Content-Security-Policy": csp, "X-Frame-Options": "DENY"}


@decoy()
class DataWithoutFraming(Service):
    """Data, which no frame can show, says nothing of frames."""

    def headers(self, call: Call, reply: Reply) -> dict[str, str]:
        sent = super().headers(call, reply)
        html = reply.media_type.startswith("text/html")
        return sent if html else sent | {"Content-Security-Policy": "default-src 'none'"}


@decoy()
class CookieForCsrf(Service):
    """The page sets a cookie that its scripts must read."""

    def home(self, call: Call) -> Reply:
        return page(self.welcome(), Set_Cookie="csrftoken=aXbY; Path=/; Secure; SameSite=Lax")


@decoy()
class MetricsForWhoMay(Service):
    """Metrics are asked for a credential."""

    def unknown(self, call: Call) -> Reply:
        if call.path == "/metrics":
            raise Refused(401, "a credential is needed")
        return super().unknown(call)


@decoy()
class RedirectsStrangers(Service):
    """The account page sends strangers to the start page."""

    def account(self, call: Call) -> Reply:
        try:
            return super().account(call)
        except Refused:
            return page("Sign in first", 303, Location="/")


@decoy()
class LocksWithoutAWord(Service):
    """A locked account gets the answer that a wrong password gets."""

    def locked(self) -> Refused:
        return self.unproven(None)


@decoy()
class OpaqueTokens(Service):
    """Access tokens are random words that only the service can read."""

    def access_token(self, user: User, session: str) -> str:
        token = secrets.token_urlsafe(32)
        self.opaque[token] = self.claims(user, session)
        return token

    def __init__(self) -> None:
        super().__init__()
        self.opaque: dict[str, Claims] = {}

    def verified(self, token: str) -> Claims:
        if token not in self.opaque:
            raise Refused(401, "the token is none")
        claims = self.opaque[token]
        self.check_claims(claims)
        self.check_session(claims)
        return claims


@decoy()
class ReuseEndsTheSession(Service):
    """A refresh token that comes again ends the session that it was of (RFC 9700)."""

    def __init__(self) -> None:
        super().__init__()
        self.used: dict[str, str] = {}

    def spent(self, token: str) -> tuple[str, str] | None:
        known = super().spent(token)
        if known:
            self.used[token] = known[1]
        else:
            self.end(self.used.get(token, ""))
        return known


@decoy()
class AnswersHeadWithNotAllowed(Service):
    """Only GET and POST are known; every other method is answered 405."""

    def reply(self, call: Call) -> Reply:
        if call.method in ("HEAD", "OPTIONS", "TRACE"):
            return told({"error": "the method is not known"}, 405)
        return super().reply(call)
