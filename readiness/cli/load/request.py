"""The words of `readiness load` -> one request, how much of it, and that it is allowed."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from readiness.cli.load.amount import Load, amount, bounded_seconds, objective, search
from readiness.cli.load.expect import body_from, expectation, media_type
from readiness.cli.load.permission import permitted
from readiness.document import ConfigurationError
from readiness.document.complaint import suggest
from readiness.inventory import Service, Tier
from readiness.inventory import url as address
from readiness.load.check import Check
from readiness.load.closed import Level
from readiness.load.knee import Objective
from readiness.load.open import Schedule
from readiness.probes._load import READING, LoadSettings

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_MOST_TIMEOUT = 600.0
_MOST_PROCESSES = 64


@dataclass(frozen=True)
class Asked:
    """What the command line asks for, checked word by word."""

    service: Service
    """Of the URL only where it is: scheme, host, port and user."""
    settings: LoadSettings
    body: bytes | None = field(repr=False)
    check: Check
    load: Load
    requests: int | None
    """How many to time, if that was asked for."""
    timeout: float
    allowed: frozenset[Tier]
    objective: Objective | None
    """What the knee is to hold, if it is to be searched."""
    here: bool
    """Whether it is allowed because it is on this machine, which has to be so then."""
    processes: int = 1
    run_id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.settings.asked(self.service)[0]

    @property
    def url(self) -> str:
        """The URL without user, password and query: fit to be shown."""
        path = self.settings.shown(self.service).partition(" ")[2]
        return self.service.address.rstrip("/") + path

    @property
    def connections(self) -> int:
        """Users, or connections at most."""
        return self.load.users if isinstance(self.load, Level) else self.load.in_flight

    @property
    def is_open(self) -> bool:
        """Whether requests start when it is their time, answered or not."""
        return isinstance(self.load, Schedule)

    @property
    def seconds(self) -> float:
        """How long it may take, warming up and last answers left out."""
        return self.load.seconds


def request(
    url: str,
    *,
    connections: int | None = None,
    rate: str | None = None,
    ramp_to: float | None = None,
    constant: bool = False,
    duration: str | None = None,
    knee: str | None = None,
    requests: int | None = None,
    method: str | None = None,
    headers: Sequence[str] = (),
    data: str | None = None,
    expect: Sequence[str] = (),
    timeout: str = "5s",
    processes: int = 1,
    environment: str | None = None,
    allow: Sequence[str] = (),
) -> Asked:
    """Check every word; ConfigurationError says which is wrong, Refused what is not safe."""
    service, path = _split(url)
    verb = _method(method, data is not None)
    if knee is None:
        load = amount(
            connections=connections,
            rate=rate,
            ramp_to=ramp_to,
            constant=constant,
            duration=duration,
            requests=requests,
        )
    elif constant or any(option is not None for option in (connections, rate, ramp_to, requests)):
        raise ConfigurationError("--knee finds rates and connections by itself, at random spacing.")
    elif processes != 1:
        raise ConfigurationError("--knee searches from one process.", fix="Leave --processes out.")
    else:
        load = search(duration)
    host = urlsplit(service.address).hostname or ""
    body = body_from(data, verb)
    tiers, here = permitted(host, verb, environment, allow)
    return Asked(
        service=service,
        settings=_settings(verb, path, headers, body),
        body=body,
        check=expectation(expect, verb),
        load=load,
        requests=requests,
        timeout=bounded_seconds(timeout, "--timeout", _MOST_TIMEOUT),
        allowed=tiers,
        objective=None if knee is None else objective(knee),
        here=here,
        processes=_processes(processes),
    )


def _split(url: str) -> tuple[Service, str]:
    """Return the URL's origin as a service, and its path with the query."""
    if fault := address.fault(url, "http"):
        raise ConfigurationError(f"the URL {fault}.")
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Service(name="target", kind="http", url=SecretStr(origin)), path


def _processes(number: int) -> int:
    if not 1 <= number <= _MOST_PROCESSES:
        raise ConfigurationError(f"--processes must be 1 to {_MOST_PROCESSES}.")
    return number


def _method(method: str | None, has_data: bool) -> str:
    verb = (("POST" if has_data else "GET") if method is None else method).upper()
    if verb not in METHODS:
        raise ConfigurationError("--method is not known.", fix=suggest(verb, METHODS))
    if has_data and verb in READING:
        raise ConfigurationError(f"--data cannot be sent with {verb}.", fix="Use --method POST.")
    return verb


def _settings(verb: str, path: str, headers: Sequence[str], body: bytes | None) -> LoadSettings:
    own: dict[str, Any] = {}
    for header in headers:
        name, colon, value = header.partition(":")
        name = name.strip().lower()
        if not colon or name in own or name in _FRAMING:
            raise ConfigurationError(
                "--header must be 'Name: value', each name once, and no length or encoding of "
                "the body, which are set by this tool."
            )
        own[name] = value.strip()
    if body:
        own.setdefault("content-type", media_type(body))
    try:
        return LoadSettings(request=f"{verb} {path}", headers=own)
    except ValidationError:  # it holds the values, which may be secret
        raise ConfigurationError(
            "--header holds a character that no header may hold.",
            fix="Write one line of Latin-1 text, as in 'Name: value'.",
        ) from None
