"""Flaws of sessions: how they end, are renewed, and are kept."""

from tests.mutants.accounts import User
from tests.mutants.call import Call, Refused, Reply
from tests.mutants.flaw import flaw
from tests.mutants.service import Service


@flaw("session-logout")
class LogoutDoesNothing(Service):
    """The access token is good for the interface after its logout too."""

    def end(self, session: str) -> None:
        pass


@flaw("session-logout")
class SignOutForgetsTheBrowserAlone(Service):
    """Signing out takes the cookie from the browser and leaves the session alive."""

    def end_visit(self, visit: str) -> None:
        pass


@flaw("session-refresh-rotates")
class RefreshTokenStays(Service):
    """A refresh gives the refresh token back as it was."""

    def spent(self, token: str) -> tuple[str, str] | None:
        return self.refreshable.get(token)

    def renewed(self, call: Call, user: str, session: str) -> str:
        return str(call.data["refresh_token"])


@flaw("session-refresh-reuse")
class RefreshTokenTwice(Service):
    """A refresh token is good again after it was used."""

    def spent(self, token: str) -> tuple[str, str] | None:
        return self.refreshable.get(token)


@flaw("session-fixation")
class KeepsTheSessionItGave(Service):
    """Signing in keeps the session that the start page began, which an attacker may have read."""

    def visit_of(self, call: Call, user: str) -> str:
        brought = call.cookie(self.cookie_name)
        if brought not in self.visits:
            return super().visit_of(call, user)
        self.visits[brought] = user
        return brought


@flaw("session-fixation")
class TakesAnySession(Service):
    """Any session that the browser brings along is taken, and kept when someone signs in."""

    def home(self, call: Call) -> Reply:
        if brought := call.cookie(self.cookie_name):
            self.visits.setdefault(brought, None)
        return super().home(call)

    def visit_of(self, call: Call, user: str) -> str:
        brought = call.cookie(self.cookie_name)
        self.visits[brought] = user
        return brought


@flaw("session-cookie")
class SignedInCookieForScripts(Service):
    """The cookie of who has signed in lacks HttpOnly."""

    def sign_in(self, call: Call) -> Reply:
        reply = super().sign_in(call)
        cookie = reply.headers["Set-Cookie"].replace("HttpOnly; ", "")
        return Reply(reply.status, reply.body, headers={**reply.headers, "Set-Cookie": cookie})


@flaw("session-cookie-lifetime")
class SignedInForAYear(Service):
    """The cookie of who has signed in is kept for a year."""

    def cookie(self, value: str) -> str:
        return f"{super().cookie(value)}; Max-Age=31536000"


@flaw("login-wrong-refused", untestable=("brute_force",))
class AnyPassword(Service):
    """Any password opens an account."""

    def proven(self, email: object, password: object) -> User:
        user = self.user_of(email)
        return user or super().proven(email, password)


@flaw("brute-force-limited")
class GuessesWithoutEnd(Service):
    """Passwords may be guessed without end."""

    def is_locked(self, account: str) -> bool:
        return False


@flaw("brute-force-retry-after")
class LockedForNobodyKnows(Service):
    """Who has guessed too often is not told when to come back."""

    def locked(self) -> Refused:
        return Refused(429, "too many attempts")


@flaw("login-no-enumeration")
class TellsWhoIsThere(Service):
    """The login tells an account that is not there from a wrong password."""

    def unproven(self, user: User | None) -> Refused:
        return Refused(401, "wrong password" if user else "no such account")


@flaw("login-no-enumeration")
class TellsWhoIsThereByStatus(Service):
    """The login answers 404 for an account that is not there."""

    def unproven(self, user: User | None) -> Refused:
        return Refused(401 if user else 404, "wrong email or password")
