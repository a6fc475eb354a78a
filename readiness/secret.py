"""What a user wrote for a service -> the strings in it that must never be shown."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, unquote, urlsplit

SECRET_KEYS = frozenset(
    {
        *("headers", "header", "cookies", "cookie", "authorization"),
        *("json", "form", "body", "data"),
        *("credential", "login", "password", "token", "secret", "api_key", "signing_key"),
    }
)
"""Keys of probe settings (in lower case) under which every text counts as a secret."""

SHORTEST = 4
"""Characters below which a text is too common to be searched for and masked."""

HEADER_NAME = r"Authorization|Cookie|X-[A-Za-z-]{1,40}"
"""Names of headers that are shown, since they look like nothing else."""

_LONGEST = 4096
_REFERENCE = re.compile(r"\{\{[^{}]*\}\}")
_SECRET_NAME = re.compile(
    r"pass|pw|secret|token|key|code|pin|otp|auth|cookie|credential|session|signature",
    re.IGNORECASE,
)
_PLAIN_WORDS = re.compile(r"[A-Za-z_.,@/ -]{0,32}|[0-9]{1,6}|[\w*]+/[\w.+*-]+")
"""Words, small numbers and media types."""

_REQUEST = re.compile(r"(?P<path>(?:[A-Z]+ )?/[^\s?]*)\?(?P<query>\S*)")
"""A request or a path that has a query."""

_PUBLIC_VALUES = {
    "path": ".*",
    "request": ".*",
    "method": ".*",
    "scheme": "Bearer|Basic|Token|Digest",
    "header": HEADER_NAME,
    "token": r"\$[.\[].*",
    "accept": r"[\w*]+/[\w.+*-]+",
    "content-type": r"[\w*]+/[\w.+*-]+(;\s*charset=[\w-]+)?",
}
"""Keys whose values, if they look like this, are none even below a secret key: a JSON path."""


def of_url(parts: SplitResult) -> Iterator[str]:
    """Yield what is secret in a URL: user, password, both as HTTP sends them, query, fragment."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    yield from (parts.username or "", parts.password or "", user, password)
    if user or password:
        yield base64.b64encode(f"{user}:{password}".encode()).decode()
    yield from (parts.query, parts.fragment)
    for key, value in parse_qsl(parts.query):
        if key != "sslmode":  # its values are ordinary words, found in many a sentence
            yield value


def of_settings(settings: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield every text below the secret keys of `settings`, and the secrets inside of it."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if secret and _is_public(str(key).lower(), value):
                yield from _queried(value)
                continue
            if not secret and _is_url(key, value):
                yield from of_url(_parts(value))
                continue
            yield from of_settings(value, secret=secret or str(key).lower() in SECRET_KEYS)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from of_settings(value, secret=secret)
    elif secret and isinstance(settings, str | int | float) and not isinstance(settings, bool):
        yield str(settings)
        yield from _inside(str(settings))
    elif isinstance(settings, str):
        yield from _queried(settings)


def of_body(data: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield what must not be shown of the headers and body that a step of a journey sends.

    That is every text but plain words (`draft`, `Sales`), which are found in any report, unless
    their key names a secret; and of a text with `{{references}}` what stands between them.
    """
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from of_body(value, secret=secret or bool(_SECRET_NAME.search(str(key))))
    elif isinstance(data, list | tuple):
        for value in data:
            yield from of_body(value, secret=secret)
    elif isinstance(data, str | int | float) and not isinstance(data, bool):
        texts = _REFERENCE.split(str(data))
        secret = secret and len(texts) == 1  # else the whole is one, and `Bearer ` is none
        for text in texts:
            if len(text) <= _LONGEST and (secret or not _PLAIN_WORDS.fullmatch(text)):
                yield from (text, *_inside(text))


def of_references(data: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield the texts with `{{references}}` in what a step sends whose key names a secret."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from of_references(value, secret=secret or bool(_SECRET_NAME.search(str(key))))
    elif isinstance(data, list | tuple):
        for value in data:
            yield from of_references(value, secret=secret)
    elif secret and isinstance(data, str) and _REFERENCE.search(data):
        yield data


def _login(token: str) -> Iterator[str]:
    """Yield `user:password`, the user and the password of HTTP's basic authentication."""
    try:
        login = base64.b64decode(token + "==").decode()
    except ValueError:
        return
    user, _, password = login.partition(":")
    if user and password:
        yield from (login, user, password)


def public_texts(settings: Any) -> Iterator[str]:
    """Yield the texts of `settings` that are no secrets, such as paths without their query."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if _is_url(key, value):
                yield _parts(value).hostname or ""
            elif str(key).lower() not in SECRET_KEYS:
                yield from public_texts(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from public_texts(value)
    elif isinstance(settings, str):
        yield _REQUEST.sub(lambda request: request["path"], settings)


def spellings(secrets: Iterable[str]) -> Iterator[str]:
    """Yield each of `secrets` long enough to be searched for, and its encoded forms."""
    for secret in secrets:
        if len(secret) >= SHORTEST:
            yield from (secret, quote(secret, safe=""), quote_plus(secret))
            yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])


def _is_public(key: str, value: Any) -> bool:
    pattern = _PUBLIC_VALUES.get(key)
    return pattern is not None and isinstance(value, str) and bool(re.fullmatch(pattern, value))


def _is_url(key: Any, value: Any) -> bool:
    """Whether it is where another service is: the setting `url`."""
    return str(key).lower() == "url" and isinstance(value, str)


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # such as brackets with no address in them: all of it is a secret then
        return SplitResult("", "", "", url, "")


def _queried(text: str) -> Iterator[str]:
    """Yield the query of a request or path and what in it is too long to be a common word."""
    request = _REQUEST.fullmatch(text)
    if request:
        values = (value for _, value in parse_qsl(request["query"]))
        yield from (s for s in (request["query"], *values) if len(s) >= 2 * SHORTEST)


def _inside(text: str) -> Iterator[str]:
    """Yield the secrets a text carries: the token of a header, the fields of a body."""
    scheme, _, token = text.rpartition(" ")
    if len(token) >= 2 * SHORTEST:
        yield token
    if scheme.strip().lower() == "basic":
        yield from _login(token)
    for part in re.split(r"[;&]", text):
        _, equals, value = part.partition("=")
        if equals and value:
            yield from (value, unquote(value.replace("+", " ")))
    if text.lstrip()[:1] in ("{", "["):
        try:
            yield from of_settings(json.loads(text), secret=True)
        except (ValueError, RecursionError):
            return
