"""Two looks at the groups of some streams -> which are read, what waits, how it grows."""

import asyncio
from collections.abc import Mapping, Sequence

from redis.exceptions import ResponseError

from readiness.probes import Context
from readiness.probes._redis_connection import Session, not_tested
from readiness.probes._redis_streams import MOST_GROUPS, Group, all_groups, idle_ms, pending_ms

_Before = Mapping[tuple[str, str], Group]
"""(stream, group) -> what it was at the first look."""


class GroupLooks:
    """What two looks at the groups of some streams showed."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.missing: list[str] = []
        self.unserved: list[str] = []
        self.unsure: list[str] = []
        self.waited: list[tuple[float, str]] = []
        self.grown: list[float] = []
        self.refused = ""
        self.partial = ""

    @classmethod
    async def taken(
        cls,
        connection: Session,
        streams: Sequence[str],
        *,
        idle: float,
        window: float,
        context: Context,
    ) -> "GroupLooks":
        """Look, wait for the window, look again; silent for longer than `idle` s is gone."""
        looks = cls()
        first = await looks._all(connection, streams)
        if not first or looks.refused:
            return looks
        clock = asyncio.get_running_loop().time
        began = clock()
        await asyncio.sleep(max(0.0, min(window, (context.deadline - clock()) / 4)))
        before = {(one.stream, one.name): one for one in first}
        looks.missing.clear()
        looks.groups = await looks._all(connection, streams)
        looks.grown = _growth(looks.groups, before, clock() - began)
        for group in looks.groups:
            await looks._examine(connection, group, before, idle)
        return looks

    async def _all(self, connection: Session, streams: Sequence[str]) -> list[Group]:
        found: list[Group] = []
        async for stream, groups in all_groups(connection, streams):
            if not isinstance(groups, ResponseError):
                found += groups
            elif "no such key" in str(groups):
                self.missing.append(stream[:40])
            else:
                self.refused = not_tested(groups, "XINFO GROUPS")
        if len(found) > MOST_GROUPS:
            self.partial = f"not tested: more than {MOST_GROUPS} groups; declare fewer streams"
        return found[:MOST_GROUPS]

    async def _examine(
        self,
        connection: Session,
        group: Group,
        before: _Before,
        idle: float,
    ) -> None:
        waited = await pending_ms(connection, group)
        if isinstance(waited, ResponseError):
            self.partial = not_tested(waited, "XPENDING")
        else:
            self.waited.append((waited / 1000, group.title))
        earlier = before.get((group.stream, group.name))
        if group.lag == 0 or earlier is None or earlier.delivered != group.delivered:
            return
        silent = await idle_ms(connection, group)
        if isinstance(silent, ResponseError):
            self.partial = not_tested(silent, "XINFO CONSUMERS")
        elif group.lag is None:
            if silent is None or silent > idle * 1000:
                self.unsure.append(group.title)
        elif silent is None:
            self.unserved.append(f"{group.title}: {group.lag} entries wait, no consumer")
        elif silent > idle * 1000:
            told = f"{group.lag} entries wait, consumers silent for {silent / 1000:.0f} s"
            self.unserved.append(f"{group.title}: {told}")


def _growth(groups: Sequence[Group], before: _Before, seconds: float) -> list[float]:
    """Return by how much each group's lag grew in a second, where it is told."""
    pairs = ((before.get((one.stream, one.name)), one) for one in groups)
    return [
        (now.lag - then.lag) / seconds
        for then, now in pairs
        if then is not None and then.lag is not None and now.lag is not None and seconds > 0
    ]
