"""Probes that want to be under way -> how many are, in all and at each origin, and who lapses."""

import asyncio
from collections import defaultdict, deque

from readiness.inventory import Service, Subject
from readiness.inventory.url import split

AT_ONCE = 8
"""Probes under way together, and of those that bear company, at one origin."""


class Slots:
    """Permits to be under way: `at_once` in all, AT_ONCE at each origin.

    Who keeps one for longer than `patience` seconds gives it back and goes on without, as one of
    at most `most`. `settled` is set when `expected` permits have been given back.
    """

    def __init__(self, expected: int, at_once: int, most: int, patience: float) -> None:
        self.all, self.most = asyncio.Semaphore(at_once), asyncio.Semaphore(most)
        self.origins = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(AT_ONCE))
        self._patience, self._left = patience, expected
        self._held: deque[_Slot] = deque()
        self._lapsing = False
        self.settled = asyncio.Event()
        self.given_back(0)

    def one(self, service: Subject) -> "_Slot":
        """Return a context within which one may be under way at `service`."""
        return _Slot(self, service)

    def hold(self, slot: "_Slot") -> None:
        """Begin to lose patience with a slot."""
        slot.until = asyncio.get_running_loop().time() + self._patience
        self._held.append(slot)
        if not self._lapsing:
            self._lapse()

    def given_back(self, n: int = 1) -> None:
        """Count permits that were given back."""
        self._left -= n
        if self._left <= 0:
            self.settled.set()

    def _lapse(self) -> None:
        """Take back what is held for too long: one timer for all, since thousands cost."""
        loop, held = asyncio.get_running_loop(), self._held
        while held and (held[0].given_back or held[0].until <= loop.time()):
            held.popleft().give_back()
        self._lapsing = bool(held)
        if held:
            loop.call_at(held[0].until, self._lapse)


class _Slot:
    """One permit, held within its context."""

    def __init__(self, slots: Slots, service: Subject) -> None:
        self._slots, self._permits = slots, (slots.origins[_origin(service)], slots.all, slots.most)
        self.until = 0.0
        self.given_back = False

    async def __aenter__(self) -> None:
        held = 0
        try:
            for permit in self._permits:
                await permit.acquire()
                held += 1
        except asyncio.CancelledError:
            for permit in self._permits[:held]:
                permit.release()
            raise
        self._slots.hold(self)

    async def __aexit__(self, *_: object) -> None:
        self.give_back()
        self._slots.most.release()

    def give_back(self) -> None:
        """Give back all but the place among the most that there may be, once."""
        if not self.given_back:
            self.given_back = True
            origin, everywhere, _ = self._permits
            origin.release()
            everywhere.release()
            self._slots.given_back()


def _origin(service: Subject) -> str:
    """Return scheme, host and port; it is compared, never shown."""
    if not isinstance(service, Service):
        return service.name
    parts = split(service.url.get_secret_value())
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
