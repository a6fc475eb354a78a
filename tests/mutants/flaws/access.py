"""Flaws of who gets in: strangers, other users, other roles, and those who should."""

import json
from collections.abc import Mapping
from typing import Any

from tests.mutants.accounts import User
from tests.mutants.call import Call, Refused, Reply, page, told
from tests.mutants.flaw import flaw
from tests.mutants.jws import Claims
from tests.mutants.service import Service
from tests.mutants.work import Thing

TOKENLESS = ("access_matrix", "http_access", "jwt", "session")
NO_LOGIN = (*TOKENLESS, "brute_force")
STUCK = ("journey-succeeds", "journey-leaves-nothing")
"""Nobody gets through, and without a token nothing can be cleaned up."""


@flaw("anonymous-refused", "openapi-security-kept")
class DocumentsForStrangers(Service):
    """The list of documents is given to strangers."""

    def list_documents(self, call: Call) -> Reply:
        return super().list_documents(call) if call.bearer else told([])


@flaw("matrix-anonymous-refused", "openapi-security-kept")
class UsersForStrangers(Service):
    """The list of users is given to strangers."""

    def list_users(self, call: Call) -> Reply:
        if call.bearer:
            return super().list_users(call)
        return told([{"id": user.id} for user in self.users.values()])


@flaw("matrix-roles-refused")
class UsersForUsers(Service):
    """The list of users is given to users who are no administrators."""

    def list_users(self, call: Call) -> Reply:
        self.who(call)
        return told([{"id": user.id} for user in self.users.values()])


@flaw("matrix-roles-allowed", untestable=("access_matrix",))
class UsersForNobody(Service):
    """The list of users is refused to administrators too."""

    def list_users(self, call: Call) -> Reply:
        self.who(call)
        raise Refused(403, "only an administrator may do this")


@flaw("objects-isolated")
class ThingsForEveryUser(Service):
    """Whoever has logged in reads what belongs to others, if they know its name."""

    def may_see(self, user: str, thing: Thing) -> bool:
        return True


@flaw("objects-isolated")
class FilesForStrangers(Service):
    """Files are given to whoever knows their name."""

    def download(self, call: Call) -> Reply:
        thing = self.things.get(call.last)
        if thing is None:
            raise Refused(404, "there is no such thing")
        return Reply(200, thing.data, "application/octet-stream")


@flaw("openapi-security-kept")
class DocumentedButOpen(Service):
    """An operation that the documentation secures is open."""

    def openapi(self, call: Call) -> Reply:
        whole = json.loads(super().openapi(call).body)
        whole["paths"]["/app.js"] = whole["paths"]["/me"]
        return told(whole)


@flaw(
    *("anonymous-refused", "matrix-anonymous-refused", "openapi-security-kept"),
    *("forged-refused", "session-refresh-reuse", "journey-succeeds"),
    untestable=("access_matrix", "jwt"),
)
class RefusesWithOk(Service):
    """Whoever is refused is told so with the status 200."""

    def answer_to(self, refused: Refused) -> Reply:
        reply = super().answer_to(refused)
        return Reply(200, reply.body) if reply.status == 401 else reply


@flaw("login-accepted", *STUCK, untestable=NO_LOGIN)
class LoginBreaks(Service):
    """The login answers 500."""

    def login(self, call: Call) -> Reply:
        raise Refused(500, "internal error")


@flaw("login-accepted", *STUCK, untestable=NO_LOGIN)
class LoginByAnotherField(Service):
    """The login asks for another field than the documented one."""

    def login(self, call: Call) -> Reply:
        if "username" not in call.data:
            raise Refused(422, "username is required")
        return told(self.log_in(call.data["username"], call.data.get("password")))


@flaw("login-accepted", *STUCK, untestable=NO_LOGIN)
class TokenUnderAnotherName(Service):
    """The login hands the token out under another name than the documented one."""

    def log_in(self, email: object, password: object) -> dict[str, Any]:
        tokens = super().log_in(email, password)
        return {"jwt": tokens.pop("access_token"), **tokens}


@flaw("credential-accepted", "matrix-roles-allowed", *STUCK, untestable=TOKENLESS)
class RefusesEveryToken(Service):
    """Every token is refused, good ones too."""

    def verified(self, token: str) -> Claims:
        raise Refused(401, "the token's signature is wrong")


@flaw("credential-accepted", "matrix-roles-allowed", *STUCK, untestable=TOKENLESS)
class TokensBornExpired(Service):
    """Access tokens have expired when they are handed out."""

    def claims(self, user: User, session: str) -> Mapping[str, Any]:
        was = super().claims(user, session)
        return {**was, "iat": was["iat"] - 7200, "exp": was["exp"] - 7200}


@flaw(
    *("health-ready", "public-answers", "matrix-roles-allowed"),
    untestable=("http_headers", "http_health"),
)
class HealthBehindLogin(Service):
    """The health path asks for a token."""

    def health(self, call: Call) -> Reply:
        self.who(call)
        return super().health(call)


DOWN = ("health-ready", "public-answers", "login-accepted", "journey-succeeds", "page-answers")
"""What fails wherever nothing works."""
NOTHING = ("http_cors", "http_headers", "http_health", "oidc_discovery", "web_page")
"""Probes for which answers that are no success are all that is."""


@flaw(
    *(*DOWN, "matrix-roles-allowed", "oidc-discovery"),
    untestable=(*NO_LOGIN, *NOTHING),
)
class NotFoundForEverything(Service):
    """Everything is answered 404."""

    def reply(self, call: Call) -> Reply:
        return told({"error": "there is nothing here"}, 404)


@flaw(
    *("health-structured", "login-accepted", "journey-succeeds", "oidc-discovery"),
    *("anonymous-refused", "matrix-anonymous-refused"),
    untestable=(*NO_LOGIN, "http_health", "journey", "oidc_discovery"),
)
class OnePageForEverything(Service):
    """Everything is answered 200 with the same page."""

    def reply(self, call: Call) -> Reply:
        return page("Welcome to the shop")


@flaw(
    *DOWN,
    untestable=(*NO_LOGIN, *NOTHING, "http_exposure", "journey"),
)
class BreaksOnEverything(Service):
    """Everything is answered 500."""

    def reply(self, call: Call) -> Reply:
        return told({"error": "internal error"}, 500)
