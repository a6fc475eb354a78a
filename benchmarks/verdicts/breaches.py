"""Ten ways in which one thing of the sample system is broken, and the check that must say so."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Breach:
    """One fault of one service, assessed with the part of the system that it takes to see it."""

    service: str
    check: str
    what: str
    services: tuple[str, ...]
    journeys: tuple[str, ...] = ()
    subject: str = ""
    """Where the check finds it, if that is not the service."""

    @property
    def found_at(self) -> str:
        return self.subject or self.service


_STORES = ("postgres", "redis")

BREACHES: Mapping[str, Breach] = {
    "unhealthy": Breach("user-service", "health-ready", "health answers 503", ("user-service",)),
    "slow": Breach(
        "api-gateway",
        "latency-p95",
        "p95 is 25 % beyond its limit (375 ms for 300)",
        ("api-gateway",),
    ),
    "errors": Breach(
        "saga-service",
        "success-rate",
        "6.25 % of answers are 500, 25 % more than the 5 % that the limit allows",
        ("saga-service",),
    ),
    "crowd": Breach(
        "api-gateway",
        "concurrency-success",
        "half of 50 users are turned away: the pool has 5 connections",
        ("api-gateway", "postgres"),
    ),
    "open": Breach("file-service", "anonymous-refused", "strangers get in", ("file-service",)),
    "stale-key": Breach(
        "airtable-gateway",
        "credential-accepted",
        "the right key is refused",
        ("airtable-gateway",),
    ),
    "any-key": Breach(
        "airtable-gateway", "forged-refused", "a forged key is accepted", ("airtable-gateway",)
    ),
    "login": Breach("auth", "login-accepted", "the documented login is refused", ("auth",)),
    "logout": Breach(
        "auth",
        "journey-succeeds",
        "a session outlives its logout",
        ("auth",),
        ("session",),
        "session",
    ),
    "corrupt": Breach(
        "file-service",
        "journey-succeeds",
        "a download differs from its upload by one byte",
        ("file-service",),
        ("files",),
        "files",
    ),
}
