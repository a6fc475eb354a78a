"""A running sample system as the tests ask it: its addresses, its users, their logins."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from readiness.demo.catalogue import SERVICES

PASSWORD = "correct horse"


@dataclass(frozen=True)
class System:
    """A running sample system and the variables that point at it."""

    environ: Mapping[str, str]

    def url(self, name: str, path: str = "") -> str:
        return self.environ[SERVICES[name].variable] + path

    def ask(self, method: str, name: str, path: str, **options: Any) -> httpx2.Response:
        return httpx2.request(method, self.url(name, path), timeout=10, **options)

    def get(
        self, name: str, path: str, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        return self.ask("GET", name, path, headers=headers)

    def post(
        self,
        name: str,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send `body` as a JSON object."""
        return self.ask("POST", name, path, headers=headers, json=body)

    def login(self, **fields: str) -> httpx2.Response:
        return self.post("auth", "/auth/login", fields)

    def token(self, who: str) -> dict[str, str]:
        """Return the headers of a fresh login of `who`: USER, OTHER or ADMIN."""
        fields = {"email": f"DEMO_{who}_EMAIL", "password": f"DEMO_{who}_PASSWORD"}
        return bearer(self.login(**{name: self.environ[key] for name, key in fields.items()}))

    def new_user(self) -> dict[str, str]:
        """Register somebody; return what they log in with."""
        fields = {"email": f"{time.time_ns()}@pyairtable.example", "password": PASSWORD}
        assert self.post("auth", "/auth/register", fields).status_code == 201
        return fields

    @property
    def user(self) -> dict[str, str]:
        keys = {"email": "DEMO_USER_EMAIL", "password": "DEMO_USER_PASSWORD"}
        return {field: self.environ[variable] for field, variable in keys.items()}

    @property
    def key(self) -> dict[str, str]:
        return {"X-API-Key": self.environ["PYAIRTABLE_API_KEY"]}

    @property
    def airtable_key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.environ['AIRTABLE_API_KEY']}"}


def bearer(login: httpx2.Response) -> dict[str, str]:
    """Return the headers that the answer to a login gives its owner."""
    assert login.status_code == 200, login.text
    return {"Authorization": f"Bearer {login.json()['access_token']}"}
