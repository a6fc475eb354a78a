"""Who gets at a Redis or Valkey: strangers without a password, dangerous commands, plain text."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._few import few
from readiness.probes._redis_connection import MISCONF, SHOWN, Session, not_tested, session
from readiness.probes._redis_info import fact

TIER: Tier = "observe"
KINDS = frozenset({"redis"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "networked": "true or false: other machines can speak with it (bind, protected-mode)",
    "protected_mode": "true or false: without a password it turns other machines away",
    "authentication_required": "true or false: a PING before the login was refused",
    "dangerous_commands_closed": "true or false: the user may run no command of the dangerous ones",
    "remote": "true or false: our connection leads to an address that is not loopback",
    "encrypted": "true or false: our connection is protected by TLS",
}

_DANGEROUS: Sequence[tuple[str, ...]] = (
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "SET", "maxmemory", "0"),
    ("KEYS", "*"),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "NO", "ONE"),
    ("ACL", "SETUSER", "readiness"),
    ("SWAPDB", "0", "1"),
    ("MONITOR",),
    ("SAVE",),
)
"""Never sent: ACL DRYRUN says whether they would be permitted."""
_SWITCHED = {
    "enable-debug-command": ("DEBUG", "SLEEP", "0"),
    "enable-module-command": ("MODULE", "LOAD", "readiness"),
}
"""Setting without which a command is refused to everybody -> that command."""
_OF_A_STRANGER = (("GET", "readiness"), ("SET", "readiness", "1"), ("INFO",), *_DANGEROUS)


class Settings(ProbeSettings):
    """Whose rights to look at."""

    user: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="The application's user, where the URL's is another."
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """PING before the login, then read settings and ask ACL DRYRUN; no such command is run."""
    url = service.url.get_secret_value()
    async with session(url, context, as_stranger_first=True) as connection:
        remote = not _loopback(connection.peer)
        found: Values = {"remote": remote, "encrypted": connection.encrypted}
        if not remote:
            found["remote_because"] = "our connection stays on this machine"
        found |= await _authentication(connection)
        found |= await _networked(connection, remote, found.get("authentication_required"))
        return found | await _closed(connection, settings.user or connection.user)


def _loopback(address: str) -> bool:
    address = address.lstrip("-")
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address == "localhost"
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


async def _authentication(connection: Session) -> Values:
    """Tell what the server answered to a PING before the login."""
    reply = connection.stranger
    if isinstance(reply, AuthenticationError):
        return {"authentication_required": True}
    if isinstance(reply, NoPermissionError):
        return await _restricted(connection)
    if reply != "PONG" and not str(reply).startswith(MISCONF):
        return {"authentication_required_because": not_tested(reply, "PING before the login")}
    if await _by_certificate(connection):
        return {"authentication_required": True}
    return fact("authentication_required", False, "PING was answered without a login")


async def _by_certificate(connection: Session) -> bool:
    """Whether it speaks TLS alone, and with nobody who has no certificate of its authority."""
    if not connection.encrypted or await connection.setting("tls-auth-clients") != "yes":
        return False
    return await connection.setting("port") == "0"


async def _restricted(connection: Session) -> Values:
    """Tell what a stranger may do who is let in, but not as far as PING."""
    allowed = await _permitted(connection, "default", _OF_A_STRANGER)
    if not isinstance(allowed, list):
        return {"authentication_required_because": allowed}
    because = f"without a login, {few(allowed, between=', ')} would be run"
    return fact("authentication_required", not allowed, because)


async def _networked(connection: Session, remote: bool, authenticated: object) -> Values:
    protected = await connection.setting("protected-mode")
    found: Values = {"protected_mode": protected == "yes"} if isinstance(protected, str) else {}
    if remote:
        return found | {"networked": True}
    bound = await connection.setting("bind")
    if not isinstance(bound, str):
        return found | {"networked_because": not_tested(bound, "CONFIG GET bind")}
    if bound and all(map(_loopback, bound.split())):
        return found | fact("networked", False, "it listens on loopback alone")
    if protected == "yes" and authenticated is False:
        because = "without a password, protected mode turns other machines away"
        return found | fact("networked", False, because)
    return found | {"networked": True}


async def _closed(connection: Session, user: str) -> Values:
    commands = list(_DANGEROUS)
    for setting, command in _SWITCHED.items():
        if await connection.setting(setting) == "yes":
            commands.append(command)
    allowed = await _permitted(connection, user, commands)
    if not isinstance(allowed, list):
        return {"dangerous_commands_closed_because": allowed}
    because = f"{user[:40]} may run {few(allowed, 5, between=', ')}"
    return fact("dangerous_commands_closed", not allowed, because)


async def _permitted(
    connection: Session, user: str, commands: Sequence[tuple[str, ...]]
) -> list[str] | str:
    """Return the names of `commands` that `user` may run, or why that cannot be told."""
    allowed = []
    for command in commands:
        reply = await connection.ask("ACL", "DRYRUN", user, *command)
        if reply == "OK":
            allowed.append(_name(command))
        elif isinstance(reply, ResponseError) and "not found" not in str(reply):
            return _untold(reply)
        elif isinstance(reply, ResponseError) and "User" in str(reply)[:SHOWN]:
            return not_tested(reply, "ACL DRYRUN")
    return allowed


def _untold(reply: Any) -> str:
    if "unknown" in str(reply).lower():
        return "not tested: this server has no ACL DRYRUN; Redis 7, Valkey and later have"
    return not_tested(reply, "ACL DRYRUN")


def _name(command: tuple[str, ...]) -> str:
    return " ".join(command[:2]) if command[0] in ("CONFIG", "ACL", "MODULE") else command[0]
