"""The URL of a Redis or Valkey -> one connection that can send nothing but what only reads."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, SSLConnection, parse_url
from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    NoPermissionError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from readiness.failure import ProbeError
from readiness.probes import Context
from readiness.probes._connection import dial, within
from readiness.probes._redis_parser import BoundedParser

ALLOWED: Mapping[str, frozenset[str]] = {
    "ACL": frozenset({"DRYRUN"}),
    "AUTH": frozenset(),
    "CLUSTER": frozenset({"INFO"}),
    "CONFIG": frozenset({"GET"}),
    "INFO": frozenset(),
    "LATENCY": frozenset({"LATEST"}),
    "PING": frozenset(),
    "SCAN": frozenset(),
    "SELECT": frozenset(),
    "SLOWLOG": frozenset({"GET"}),
    "XINFO": frozenset({"GROUPS", "CONSUMERS"}),
    "XPENDING": frozenset(),
}
"""Every command that a probe may send, with its subcommands where it has any. ACL DRYRUN asks
whether a command would be permitted, and runs nothing."""

SHOWN = 100
"""The most characters of a server's text that are repeated."""
MISCONF = "MISCONF"
"""How the error begins that PING is answered with while writes are refused for a failing disk."""
MOST_COUNT = 1000
"""The most that one SCAN, XPENDING or SLOWLOG GET may ask for."""
_LONGEST_SETTING = 1000


@dataclass
class Session:
    """One connection, logged in. Its replies are text, whole numbers, None and lists of them."""

    _connection: "_Connection"
    _context: Context
    connect_ms: float = 0.0
    peer: str = ""
    """The numeric IP address that the connection leads to."""
    encrypted: bool = False
    user: str = "default"
    """The name that the URL logs in with."""
    database: int = 0
    """The number of the database that the URL names; others are not selected."""
    stranger: Any = None
    """What PING was answered before the login, an error included; None where it was not asked."""
    _settings: dict[str, Any] = field(default_factory=dict)

    async def exchange(self, *command: str) -> Any:
        """Send one command and return its reply, bounded by whoever calls; errors are raised."""
        await self._connection.send_command(*command)
        return await self._connection.read_response(disconnect_on_error=False)

    async def ask(self, *command: str) -> Any:
        """Return the reply, or the ResponseError: managed servers withhold commands."""
        with within(self._context):
            try:
                return await self.exchange(*command)
            except ResponseError as error:
                return error

    async def setting(self, name: str) -> str | ResponseError | None:
        """Return a setting of the server, None if it has none of that name, or the refusal."""
        if name not in self._settings:
            reply = await self.ask("CONFIG", "GET", name)
            pair = isinstance(reply, list) and len(reply) == 2
            refused = isinstance(reply, ResponseError)
            found = str(reply[1])[:_LONGEST_SETTING] if pair else None
            self._settings[name] = reply if refused else found
        return self._settings[name]  # type: ignore[no-any-return]


def not_tested(reply: object, command: str) -> str:
    """Say why `reply` to `command` tells nothing, and what to grant where that would mend it."""
    if isinstance(reply, NoPermissionError):
        grant = "|".join(command.lower().split()[:2])
        return f"not tested: {command} is not permitted to us; grant +{grant}"
    return f"not tested: {command} was answered: {str(reply)[:SHOWN]}"


@contextlib.asynccontextmanager
async def session(
    url: str, context: Context, *, as_stranger_first: bool = False
) -> AsyncIterator[Session]:
    """Yield the one connection to `url`, logged in; it is closed whatever happens.

    `as_stranger_first` sends a PING before the login, to see whether anybody is answered.
    """
    connection = _Connection(url, context)
    try:
        with _explained():
            opened = await _opened(connection, context, as_stranger_first)
            yield opened
    finally:
        await connection.disconnect(nowait=True)


async def _opened(connection: "_Connection", context: Context, as_stranger_first: bool) -> Session:
    with within(context) as watch:
        watch.begin("connect and login")
        began = time.perf_counter()
        await connection.connect()  # type: ignore[no-untyped-call]
        opened = Session(connection, context, encrypted=connection.tls, peer=connection.peer())
        opened.user, opened.database = connection.login[0] or "default", connection.database
        if as_stranger_first:
            opened.stranger = await _as_stranger(opened)
        await _login(opened, *connection.login)
        opened.connect_ms = (time.perf_counter() - began) * 1000
    return opened


async def _as_stranger(opened: Session) -> Any:
    try:
        return await opened.exchange("PING")
    except ResponseError as error:
        return error
    except AuthenticationError as error:
        return error


async def _login(opened: Session, username: str | None, password: str | None) -> None:
    if username is None and password is None:
        return
    try:
        await opened.exchange("AUTH", *([username] if username else []), password or "")
    except AuthenticationWrongNumberOfArgsError:  # Redis before 6 has no users
        await opened.exchange("AUTH", password or "")


def _vet(words: tuple[Any, ...]) -> None:
    """Raise ProbeError for a command that is not on the list, or asks for more than is bounded."""
    command, *rest = [str(word).upper() for word in words]
    known = ALLOWED.get(command)
    if known is None or (known and (not rest or rest[0] not in known)):
        raise ProbeError("probe_bug", f"{command[:SHOWN]} is not on the list of what only reads")
    bounds = {"SCAN": rest[-1:], "XPENDING": rest[4:5], "SLOWLOG": rest[1:2]}.get(command, [])
    if command == "SCAN" and rest[1:3] != ["TYPE", "STREAM"]:
        raise ProbeError("probe_bug", "SCAN may look for streams alone")
    if any(not bound.isdecimal() or int(bound) > MOST_COUNT for bound in bounds):
        raise ProbeError("probe_bug", f"{command} must not ask for more than {MOST_COUNT}")


class _Connection(AbstractConnection):
    """One connection, by our own resolver and TLS context, that says and retries nothing itself."""

    def __init__(self, url: str, context: Context) -> None:
        options: dict[str, Any] = dict(parse_url(url))
        self._options, self._context = options, context
        self._host, self._port = options.get("host", "localhost"), options.get("port", 6379)
        self.tls = urlsplit(url).scheme == "rediss"
        self.login = options.get("username"), options.get("password")
        self.database = int(options.get("db") or 0)
        super().__init__(
            socket_timeout=None,
            socket_connect_timeout=None,
            encoding_errors="replace",
            decode_responses=True,
            parser_class=BoundedParser,
            driver_info=None,  # or it introduces itself with two commands
            protocol=2,
        )

    async def send_command(self, *args: Any, **kwargs: Any) -> None:
        _vet(args)
        await super().send_command(*args, **kwargs)

    def peer(self) -> str:
        """Return the numeric IP address at the other end."""
        assert self._writer is not None, "asked of an open connection"
        return str(self._writer.get_extra_info("peername")[0])

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return []

    def _host_error(self) -> str:
        return "the server"

    async def _connect(self) -> None:
        connection = await dial(await self._context.resolve(self._host, self._port))
        self._reader, self._writer = await asyncio.open_connection(
            sock=connection,
            ssl=self._tls_context() if self.tls else None,
            server_hostname=self._host if self.tls else None,
        )

    def _tls_context(self) -> Any:
        options = {key: value for key, value in self._options.items() if key.startswith("ssl_")}
        return SSLConnection(**options).ssl_context.get() if options else self._context.tls()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Name the errors that only the server's text tells apart."""
    try:
        yield
    except NoPermissionError:
        raise
    except ResponseError as error:
        if str(error).startswith("DENIED"):
            raise ProbeError("refused", "protected mode turns other machines away") from error
        raise ProbeError("protocol", f"the server answered: {str(error)[:SHOWN]}") from error
    except RedisConnectionError as error:
        if "max number of clients" in str(error):
            raise ProbeError("refused", "the server has no client connection left") from error
        raise
