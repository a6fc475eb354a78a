"""Probes that log in as somebody, or ask one store -> who must wait for whom."""

import asyncio
import contextlib
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Collection

from readiness.inventory import NOBODY, Inventory, Journey, Login, Subject
from readiness.probes import ProbeSettings

_STORES = ("postgres", "redis")
"""Kinds whose connections are few: all probes of one take turns, so that they hold one."""


class Turns:
    """Lets those take turns that share somebody: two logins of one may end each other's session."""

    def __init__(self) -> None:
        self._locks = defaultdict[str, asyncio.Lock](asyncio.Lock)

    @contextlib.asynccontextmanager
    async def of(self, names: Collection[str]) -> AsyncIterator[None]:
        """Hold all `names`, taken in one order by everybody, so that nobody waits in a circle."""
        async with contextlib.AsyncExitStack() as held:
            for name in sorted(set(names)):
                await held.enter_async_context(self._locks[name])
            yield


def shared(subject: Subject, settings: ProbeSettings, inventory: Inventory) -> frozenset[str]:
    """Return the journeys walked, whom a probe with these settings logs in as, and its store."""
    named = [(name, what) for _, name, _, what in settings.named(inventory)]
    walked = {name for name, what in named if what == "journey"}
    if isinstance(subject, Journey):
        walked.add(subject.name)
    asked = {name for name, what in named if what == "identity"}
    for journey in inventory.journeys:
        if journey.name in walked:
            asked |= {one.identity or "" for one in journey.steps} | {journey.identity or ""}
    within = [inventory.identities[name] for name in asked & inventory.identities.keys()]
    deeper = {one.identity or "" for who in within for one in who.steps}
    logins = {_account(who.service, who.login) for who in within if who.login}
    if settings.own_login:
        logins.add(_account(subject.name, settings.own_login))
    store = {f"store {subject.name}"} if subject.kind in _STORES else set()
    return frozenset(walked | asked | deeper | logins | store) - {"", NOBODY}


def _account(service: str | None, login: Login) -> str:
    """Return what is the same for two logins of one account: a digest, since it is of secrets."""
    return f"{service} {hashlib.sha256(login.body[1]).hexdigest()}"
