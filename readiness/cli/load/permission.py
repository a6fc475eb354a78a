"""Host, method and the words of the command line -> the tiers of traffic a load may use."""

import ipaddress
from collections.abc import Sequence

from readiness import safety
from readiness.cli.option import member
from readiness.inventory import Environment, System, Tier
from readiness.probes._load import READING
from readiness.safety import Refused


def permitted(
    host: str, method: str, environment: str | None, allow: Sequence[str]
) -> tuple[frozenset[Tier], bool]:
    """Return the tiers this run may use, and whether that holds for this machine alone.

    Raises Refused for load on another machine that no environment was named for, for more than
    the environment bears, and for requests that change something on another machine.
    """
    tiers: tuple[Tier, ...] = tuple(
        member(tier, Tier, "--allow") for word in allow for tier in word.split(",")
    )
    named: Environment | None = (
        member(environment, Environment, "--environment") if environment else None
    )
    if is_loopback(host) and named != "production":
        return frozenset({"observe", "load", "write"}), True
    if named is None:
        raise Refused(
            f"{host} is not this machine: say what it is with --environment test, staging or "
            "another."
        )
    allowed = safety.allowed_tiers(System(name=host, environment=named), tiers, named)
    if "load" not in allowed:
        raise Refused(f"load on production needs --allow load: {host} serves real users.")
    if method not in READING and "write" not in allowed:
        raise Refused(f"{method} may change something on {host}: it needs --allow write.")
    return allowed, False


def is_loopback(host: str) -> bool:
    """Whether `host` is named or numbered as this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
