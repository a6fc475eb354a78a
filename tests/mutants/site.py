"""The part of the service that people see: a page, a login by form, a session in a cookie."""

import secrets

from tests.mutants.accounts import Accounts
from tests.mutants.call import Call, Refused, Reply, page


class Site(Accounts):
    """A page for everyone, which begins a session, and one for who has logged in."""

    cookie_name = "__Host-session"

    def __init__(self) -> None:
        super().__init__()
        self.visits: dict[str, str | None] = {}
        """Session -> the user that has logged in within it, if one has"""

    def home(self, call: Call) -> Reply:
        known = call.cookie(self.cookie_name) in self.visits
        cookie = {} if known else {"Set_Cookie": self.cookie(self.new_visit())}
        return page(self.welcome(), 200, **cookie)

    def welcome(self) -> str:
        return "Welcome to the shop <script src=/app.js></script>"

    def script(self, call: Call) -> Reply:
        return Reply(200, b"'use strict';", "text/javascript; charset=utf-8")

    def new_visit(self, user: str | None = None) -> str:
        visit = secrets.token_urlsafe(24)
        self.visits[visit] = user
        return visit

    def cookie(self, value: str) -> str:
        return f"{self.cookie_name}={value}; {self.cookie_attributes()}"

    def cookie_attributes(self) -> str:
        return "Path=/; Secure; HttpOnly; SameSite=Lax"

    def sign_in(self, call: Call) -> Reply:
        user = self.proven(call.form.get("email"), call.form.get("password"))
        visit = self.visit_of(call, user.id)
        return page("Signed in", 303, Location="/account", Set_Cookie=self.cookie(visit))

    def visit_of(self, call: Call, user: str) -> str:
        """Return the session of who has just logged in: a new one, which nobody else knows."""
        self.visits.pop(call.cookie(self.cookie_name), None)
        return self.new_visit(user)

    def account(self, call: Call) -> Reply:
        user = self.visits.get(call.cookie(self.cookie_name))
        if user is None:
            raise Refused(401, "sign in first")
        return page(f"Signed in as {self.users[user].email}")

    def sign_out(self, call: Call) -> Reply:
        self.end_visit(call.cookie(self.cookie_name))
        gone = f"{self.cookie_name}=; {self.cookie_attributes()}; Max-Age=0"
        return page("Signed out", 303, Location="/", Set_Cookie=gone)

    def end_visit(self, visit: str) -> None:
        self.visits.pop(visit, None)
