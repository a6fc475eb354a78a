"""One connection -> the streams there are, their consumer groups, and what these have yet to do."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from readiness.probes import Context
from readiness.probes._redis_connection import MOST_COUNT, Session

MOST_STREAMS = 20
MOST_GROUPS = 50
_MOST_SCANS = 100
_MOST_CONSUMERS = 1000
_OLDEST = 100
_NAME = 40


@dataclass(frozen=True)
class Group:
    """One consumer group at one moment. None is what the server does not tell."""

    stream: str
    name: str
    consumers: int
    pending: int
    delivered: str
    lag: int | None

    @property
    def title(self) -> str:
        """Its stream and its name, short and on one line."""
        parts = (part[:_NAME] for part in (self.stream, self.name))
        return "/".join(part if part.isprintable() else ascii(part) for part in parts)


async def scanned(connection: Session, context: Context) -> tuple[list[str], bool] | ResponseError:
    """Return names of streams, and whether every key was looked at; or the refusal of SCAN.

    It ends early after so many rounds, or streams, or a quarter of the time to the deadline.
    """
    clock = asyncio.get_running_loop().time
    give_up = clock() + (context.deadline - clock()) / 4
    names: dict[str, None] = {}
    cursor = "0"
    for _ in range(_MOST_SCANS):
        reply = await connection.ask("SCAN", cursor, "TYPE", "stream", "COUNT", str(MOST_COUNT))
        if isinstance(reply, ResponseError):
            return reply
        cursor, found = _page(reply)
        names |= dict.fromkeys(found)
        if cursor == "0":
            return sorted(names)[:MOST_STREAMS], len(names) <= MOST_STREAMS
        if len(names) > MOST_STREAMS or clock() > give_up:
            break
    return sorted(names)[:MOST_STREAMS], False


def _page(reply: Any) -> tuple[str, list[str]]:
    if isinstance(reply, list) and len(reply) == 2 and isinstance(reply[1], list):
        return str(reply[0]), [str(name) for name in reply[1]]
    return "0", []


async def groups(connection: Session, stream: str) -> list[Group] | ResponseError:
    """Return the groups of a stream, or the refusal."""
    reply = await connection.ask("XINFO", "GROUPS", stream)
    if isinstance(reply, ResponseError):
        return reply
    return [_group(stream, _mapping(one)) for one in reply] if isinstance(reply, list) else []


def _mapping(flat: Any) -> Mapping[str, Any]:
    """Return what RESP2 gives as [name, value, name, value]."""
    if not isinstance(flat, list):
        return {}
    return {str(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def _group(stream: str, told: Mapping[str, Any]) -> Group:
    lag = told.get("lag")
    return Group(
        stream=stream,
        name=str(told.get("name", "?")),
        consumers=_whole(told.get("consumers")),
        pending=_whole(told.get("pending")),
        delivered=str(told.get("last-delivered-id", "")),
        lag=max(0, lag) if isinstance(lag, int) else None,
    )


def _whole(value: Any) -> int:
    return max(0, value) if isinstance(value, int) else 0


async def pending_ms(connection: Session, group: Group) -> int | ResponseError:
    """Return for how long the longest of the oldest pending entries has waited, 0 for none."""
    if not group.pending:
        return 0
    reply = await connection.ask("XPENDING", group.stream, group.name, "-", "+", str(_OLDEST))
    if isinstance(reply, ResponseError):
        return reply
    rows = reply if isinstance(reply, list) else []
    return max(
        (_whole(row[2]) for row in rows if isinstance(row, list) and len(row) > 2), default=0
    )


async def idle_ms(connection: Session, group: Group) -> int | ResponseError | None:
    """Return for how long none of the group's consumers has asked, None where it has none."""
    if not group.consumers:
        return None
    if group.consumers > _MOST_CONSUMERS:
        return ResponseError(f"a group of more than {_MOST_CONSUMERS} consumers")
    reply = await connection.ask("XINFO", "CONSUMERS", group.stream, group.name)
    if isinstance(reply, ResponseError):
        return reply
    told: Sequence[Mapping[str, Any]] = [_mapping(one) for one in reply or ()]
    return min((_whole(one.get("idle")) for one in told), default=None)


async def all_groups(
    connection: Session, streams: Sequence[str]
) -> AsyncIterator[tuple[str, list[Group] | ResponseError]]:
    """Yield each stream with its groups, or with the refusal."""
    for stream in streams:
        yield stream, await groups(connection, stream)
