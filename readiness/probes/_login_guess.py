"""A login and another account or password -> the same request with these in their places."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from readiness.inventory import Login

_PASSWORD = re.compile(r"pass|pwd|secret|pin\b", re.IGNORECASE)
_ACCOUNT = re.compile(r"user|mail|login|account|name|phone", re.IGNORECASE)
Path = tuple[str, ...]


@dataclass(frozen=True)
class Fields:
    """Where in a login's body the account and the password are."""

    account: Path
    password: Path


def fields(login: Login, account: str | None, password: str | None) -> Fields | str:
    """Find the two by their keys, which may be given, else by what keys are commonly called.

    Returns why they cannot be told, if so.
    """
    texts = dict(_texts(_data(login), ()))
    found = []
    for what, key, likely in (("account", account, _ACCOUNT), ("password", password, _PASSWORD)):
        fit = [p for p in texts if (p[-1] == key if key else likely.search(p[-1]))]
        if what == "account" and not key:
            fit = [p for p in fit if not _PASSWORD.search(p[-1])]
        if len(fit) != 1:
            many = "more than one field" if fit else "no field"
            return f"{many} of the login's body may be the {what}; name it by `{what}_field:`"
        found.append(fit[0])
    return Fields(found[0], found[1])


def value_at(login: Login, path: Path) -> str:
    """Return the text at `path` of a login's body."""
    value = _data(login)
    for key in path:
        value = value[key]
    return str(value)


def body(login: Login, changes: Mapping[Path, str]) -> tuple[str, bytes]:
    """Return media type and bytes of a login's body with other texts in it."""
    data = _data(login)
    for path, text in changes.items():
        data = _with(data, path, text)
    if login.form is not None:
        return "application/x-www-form-urlencoded", urlencode(data).encode()
    return "application/json", json.dumps(data).encode()


def _data(login: Login) -> Any:
    if login.form is not None:
        return {key: value.get_secret_value() for key, value in login.form.items()}
    return login.payload.get_secret_value() if login.payload else {}


def _texts(data: Any, at: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text below the keys of objects; those in lists are no one's password."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _texts(value, (*at, key))
        elif isinstance(value, str):
            yield (*at, key), value


def _with(data: Mapping[str, Any], path: Path, text: str) -> dict[str, Any]:
    key, *rest = path
    return {**data, key: _with(data[key], tuple(rest), text) if rest else text}
