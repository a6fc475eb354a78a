"""The part of the service that knows who someone is: accounts, tokens, sessions."""

import itertools
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.mutants import jws
from tests.mutants.call import Call, Refused, Reply, told
from tests.mutants.jws import Claims, Jws

AUDIENCE = "shop-api"
PASSWORDS = {
    "ann@shop.example": "mild-otter-49-lamp",
    "bob@shop.example": "grey-heron-17-desk",
    "boss@shop.example": "tall-birch-82-kite",
    "spare@shop.example": "dull-crane-35-boot",
}
ADMIN = "boss@shop.example"
ATTEMPTS = 5
"""Wrong passwords after which an account is locked for a while."""


@dataclass(frozen=True)
class User:
    id: str
    email: str
    password: str
    role: str


class Accounts:
    """Registration, login with lockout, access tokens (HS256), rotating refresh tokens."""

    lifetime = 900
    """Seconds that an access token is good for."""

    def __init__(self) -> None:
        self.origin = ""
        self.secret = self.new_secret()
        self.numbers = itertools.count(1)
        self.users: dict[str, User] = {}
        self.failures: Counter[str] = Counter()
        self.sessions: set[str] = set()
        self.refreshable: dict[str, tuple[str, str]] = {}
        """Refresh token -> (user's id, session)"""
        for email, password in PASSWORDS.items():
            self.add_user(email, password, "admin" if email == ADMIN else "user")

    def new_secret(self) -> bytes:
        return secrets.token_urlsafe(32).encode()

    def add_user(self, email: str, password: str, role: str = "user") -> User:
        user = User(f"u{next(self.numbers)}", email, password, role)
        self.users[user.id] = user
        return user

    def user_of(self, email: object) -> User | None:
        return next((user for user in self.users.values() if user.email == email), None)

    def register(self, call: Call) -> Reply:
        email, password = call.data.get("email"), call.data.get("password")
        if not isinstance(email, str) or not isinstance(password, str) or len(password) < 8:
            raise Refused(422, "email and a password of 8 characters are needed")
        if self.user_of(email):
            raise Refused(409, "the email is taken")
        return told({"id": self.add_user(email, password).id}, 201)

    def login(self, call: Call) -> Reply:
        return told(self.log_in(call.data.get("email"), call.data.get("password")))

    def log_in(self, email: object, password: object) -> dict[str, Any]:
        """Return the tokens of a new session."""
        return self.session(self.proven(email, password))

    def proven(self, email: object, password: object) -> User:
        """Return whose password it is; Refused if nobody's, or after too many attempts."""
        name = str(email)
        if self.is_locked(name):
            raise self.locked()
        user = self.user_of(email)
        if user is None or user.password != password:
            self.failures[name] += 1
            raise self.unproven(user)
        self.failures[name] = 0
        return user

    def is_locked(self, account: str) -> bool:
        return self.failures[account] >= ATTEMPTS

    def locked(self) -> Refused:
        return Refused(429, "too many attempts", Retry_After="60")

    def unproven(self, user: User | None) -> Refused:
        return Refused(401, "wrong email or password")

    def session(self, user: User) -> dict[str, Any]:
        session = secrets.token_hex(8)
        self.sessions.add(session)
        refresh = self.new_refresh_token(user.id, session)
        access = self.access_token(user, session)
        return {"access_token": access, "refresh_token": refresh, "token_type": "Bearer"}

    def new_refresh_token(self, user: str, session: str) -> str:
        token = secrets.token_urlsafe(24)
        self.refreshable[token] = user, session
        return token

    def access_token(self, user: User, session: str) -> str:
        return jws.signed(self.claims(user, session), self.secret)

    def claims(self, user: User, session: str) -> Claims:
        now = int(time.time())
        return {
            "iss": self.origin,
            "aud": AUDIENCE,
            "sub": user.id,
            "role": user.role,
            "sid": session,
            "iat": now,
            "exp": now + self.lifetime,
        }

    def refresh(self, call: Call) -> Reply:
        known = self.spent(str(call.data.get("refresh_token")))
        if known is None or known[1] not in self.sessions or known[0] not in self.users:
            raise Refused(401, "the refresh token is not good any more")
        user, session = known
        access = self.access_token(self.users[user], session)
        return told({"access_token": access, "refresh_token": self.renewed(call, user, session)})

    def spent(self, token: str) -> tuple[str, str] | None:
        """Return whose refresh token it is, which is good once."""
        return self.refreshable.pop(token, None)

    def renewed(self, call: Call, user: str, session: str) -> str:
        """Return the refresh token that takes the place of the one in `call`."""
        return self.new_refresh_token(user, session)

    def logout(self, call: Call) -> Reply:
        self.end(str(self.who(call)["sid"]))
        return Reply(204)

    def end(self, session: str) -> None:
        self.sessions.discard(session)

    def who(self, call: Call) -> Claims:
        """Return the claims of whoever asks; Refused without a good token."""
        if call.bearer is None:
            raise Refused(401, "a token is needed", WWW_Authenticate="Bearer")
        return self.verified(call.bearer)

    def verified(self, token: str) -> Claims:
        """Return the claims of a token whose signature, claims and session are good."""
        try:
            found = jws.read(token)
        except ValueError:
            raise Refused(401, "the token is none") from None
        if not self.understood(found) or not self.signature_holds(found):
            raise Refused(401, "the token's signature is wrong")
        self.check_claims(found.claims)
        self.check_session(found.claims)
        return found.claims

    def understood(self, token: Jws) -> bool:
        """Whether it demands no extension, of which this service knows none (RFC 7515)."""
        return "crit" not in token.header

    def signature_holds(self, token: Jws) -> bool:
        return token.algorithm == "HS256" and jws.by_hmac(token, self.secret)

    def check_claims(self, claims: Claims, audience: str = AUDIENCE) -> None:
        """Refuse what is out of its time, of another issuer, or for someone else."""
        self.check_time(claims, time.time())
        if claims.get("iss") != self.origin:
            raise Refused(401, "the token is of another issuer")
        if claims.get("aud") != audience:
            raise Refused(401, "the token is for another audience")

    def check_time(self, claims: Claims, now: float) -> None:
        if now >= self.end_of(claims) or now < claims.get("nbf", 0):
            raise Refused(401, "the token is out of its time")

    def end_of(self, claims: Claims) -> float:
        """Return the time after which a token is no longer good; without one it never is."""
        return float(claims.get("exp", 0))

    def check_session(self, claims: Claims) -> None:
        if claims.get("sid") not in self.sessions or claims.get("sub") not in self.users:
            raise Refused(401, "the session is over")

    def me(self, call: Call) -> Reply:
        user = self.users[self.who(call)["sub"]]
        return told({"id": user.id, "email": user.email, "role": user.role})

    def list_users(self, call: Call) -> Reply:
        self.check_admin(self.who(call))
        return told([{"id": user.id, "email": user.email} for user in self.users.values()])

    def check_admin(self, who: Claims) -> None:
        if who["role"] != "admin":
            raise Refused(403, "only an administrator may do this")

    def delete_user(self, call: Call) -> Reply:
        who = self.who(call)
        if who["sub"] != call.last:
            self.check_admin(who)
        if self.users.pop(call.last, None) is None:
            raise Refused(404, "there is no such user")
        return Reply(204)
