"""All channels of one run and what they share: the request, the clocks, the caps -> a Result."""

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from readiness.failure import Failure, FailureKind, ProbeError
from readiness.load.channel import Channel, Wire
from readiness.load.check import LIMITED, Check
from readiness.load.clock import Clock
from readiness.load.guard import Guard
from readiness.load.recorder import Recorder
from readiness.load.request import Endpoint, Request
from readiness.load.response import Parser
from readiness.load.tally import fault_code

SWEEP_NS = 10_000_000
"""How often time-outs, clocks and caps are looked at."""
_REST_NS = 10_000_000
"""A user who was refused does not ask again at once."""
_SPARE_NS = 50_000
_LINGER_NS = 250_000_000
_MUCH_USED = 5
"""Requests per connection: so many mostly show what came before the request after it."""
_MANY = 8
_DELAYED_ACK_NS = 50_000_000
"""What a server holds back until we acknowledge what came before (RFC 896) comes within this."""
_KNOWN = 64
_KNOWN_BYTES = 4096
_SETUPS = 10_000

TIMEOUT: FailureKind = "timeout"


class Model(Protocol):
    """Who asks when."""

    def begin(self, crew: "Crew", now: int) -> None:
        """Take charge of the crew's channels."""

    def free(self, channel: Channel, at: int) -> None:
        """Decide what a channel does that has been free since the moment `at`."""

    def tick(self, now: int) -> int:
        """Do what is due; return the moment of the next call, at the latest."""

    def sweep(self, now: int) -> None:
        """Do what need not be done at once."""

    def think(self, now: int) -> None:
        """Do what takes time, for which nobody is kept waiting."""

    def stop(self, now: int) -> None:
        """Ask for nothing more."""

    def abandon(self, now: int) -> int:
        """Forget what is due and not asked yet; return how many requests that is."""

    rests: bool
    """Whether a channel that has failed pauses before it asks again."""
    closed: int
    """When timing ended; 0 if it did not yet."""
    lingers: bool
    """Whether to wait behind the last answer for what nobody asked for."""

    @property
    def over(self) -> bool:
        """Whether nothing more will be asked and nothing is awaited."""


class Served(Protocol):
    """What a driver serves: one crew, or two whose requests go out in step."""

    polled_ns: int
    """All that came before this moment has been read."""

    @property
    def offset_ns(self) -> int:
        """What to take from a wall-clock stamp to get the monotonic moment."""

    @property
    def over(self) -> bool:
        """Whether the driver's work is done."""

    def begin(self, now: int) -> None:
        """Let whoever asks take charge of the channels."""

    def tick(self, now: int) -> int:
        """Do what is due; return the moment of the next call, at the latest."""

    def spare(self, now: int, wake: int) -> None:
        """Do what can wait, if there is time for it until the moment `wake`."""

    def close(self) -> None:
        """Close every connection."""


class Driver(Protocol):
    """What turns the sockets' events into calls of the channels."""

    clock: str
    """Whose stamps are on the answers: `kernel` or `process`."""
    stall_ns: int
    """A silence of our own process from which on its stamps cannot be trusted."""

    def connect(self, endpoint: Endpoint, channel: Channel) -> Wire | None:
        """Begin to connect; what comes of it is reported to the channel later."""

    def run(self, crew: Served) -> None:
        """Serve the crew until its model is over."""

    @property
    def idle_ns(self) -> int:
        """Processor time spent on waiting."""


@dataclass(frozen=True)
class Setup:
    """What one connection took before its first answer, in nanoseconds."""

    connect: int
    secure: int
    """Connect and TLS handshake together; 0 without TLS."""
    first_byte: int
    """From the first request's write to the first bytes of its answer."""


class Crew:
    """The shared state of one run; lives in the thread that runs it."""

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        check: Check,
        model: Model,
        driver: Driver,
        *,
        timeout: float,
        deadline_ns: int,
        channels: int,
        watch: "Callable[[Crew], None] | None" = None,
    ) -> None:
        self.endpoint, self.raw, self.model = endpoint, request.raw, model
        self.timeout_ns, self.deadline_ns = round(timeout * 1e9), deadline_ns
        self.check, self.recorder, self.clock = check, Recorder(check, self.timeout_ns), Clock()
        self.guard = Guard(channels, check)
        self.stamped = driver.clock == "kernel"
        self.known: dict[bytes, int] = {}
        self.session: ssl.SSLSession | None = None
        self.connections = self.closed_by_server = self.asked_to_wait = self.cut_off = 0
        self.cut_bodies = 0
        self.stalled = self.retried = 0
        self.first_fault: Failure | None = None
        self.aborted = ""
        """Why the run ended before its time; empty if it did not."""
        self.error: ProbeError | None = None
        self.stopping = False
        """Set from outside to end the run at once."""
        self.polled_ns = time.monotonic_ns()
        """All that came before this moment has been read."""
        self.channels = [Channel(self) for _ in range(channels)]
        self.used: list[Channel] = []
        """Those that have been asked for anything."""
        self._head, self._keep = request.head, check.reads_body
        self.repeatable = request.repeatable
        self._driver, self._watch = driver, watch
        self._setups: dict[int, list[int]] = {}
        self._lines = 0
        self._resting: list[tuple[int, Channel]] = []
        self._swept_ns = self.polled_ns
        self._since: list[tuple[int, int]] = []
        self._until: tuple[int, int] | None = None
        self._lingers = 0
        self.answered = False
        """Whether any request has had an answer."""

    # what channels ask for

    def parser(self) -> Parser:
        """Return what reads the next answer."""
        return Parser(head=self._head, keep=self._keep)

    def code(self, parser: Parser) -> int:
        """Return the outcome of a whole answer."""
        status = parser.status
        if parser.retry_after and status in (LIMITED, 503):
            self.asked_to_wait += 1
        return self.check.code(status, parser.body) if self._keep else status

    def learn(self, data: bytes, parser: Parser) -> None:
        """Remember what an answer that came in one piece means: a server repeats itself."""
        if len(data) <= _KNOWN_BYTES and not parser.retry_after:
            if len(self.known) >= _KNOWN:
                self.known.clear()
            self.known[data] = self.code(parser)

    def connect(self, channel: Channel, *, first: bool) -> Wire | None:
        """Begin a connection for a channel, its first or another."""
        if first:
            self.used.append(channel)
        return self._driver.connect(self.endpoint, channel)

    def next_line(self) -> int:
        """Return a number for a new connection."""
        self._lines += 1
        self.recorder.live.add(self._lines)
        return self._lines

    def closed(self, line: int) -> None:
        """Take down that a connection is no more: it can no longer be convicted of anything."""
        self.recorder.forget(line)

    def left_by_server(self) -> None:
        """Take down that the server closed a connection; from now on each is looked at first."""
        self.closed_by_server += 1
        self.stamped = False

    def connected(self, channel: Channel, took: int) -> None:
        """Take down how long a connection took to stand."""
        self.connections += 1
        if len(self._setups) < _SETUPS:
            self._setups[channel.line] = [took, 0, 0]

    def secured(self, channel: Channel, took: int) -> None:
        """Take down how long it took with its TLS handshake."""
        if channel.line in self._setups:
            self._setups[channel.line][1] = took

    def first_byte(self, channel: Channel, took: int) -> None:
        """Take down how long a connection's first answer took to begin."""
        if channel.line in self._setups:
            self._setups[channel.line][2] = took

    def setups(self) -> Sequence[Setup]:
        """Return what each connection took that got an answer."""
        return [Setup(*row) for row in self._setups.values() if row[2]]

    def opened(self, now: int) -> None:
        """Begin to time: requests, and our own use of the processor."""
        self.recorder.open_window(now)
        self.watch_processor(now)

    def watch_processor(self, now: int) -> None:
        """Reckon our own use of the processor from now on, too."""
        self._since.append((self._busy_ns(), now))

    def leave_processor(self) -> None:
        """Reckon our own use of the processor until now: what follows is waiting and closing."""
        if not self._until:
            self._until = self._busy_ns(), time.monotonic_ns()

    @property
    def cpu(self) -> float:
        """Share of one processor that the run, or its timed part, took at most without waiting."""
        busy, wall = self._until or (self._busy_ns(), time.monotonic_ns())
        return max(((busy - b) / max(1, wall - w) for b, w in self._since), default=0.0)

    def _busy_ns(self) -> int:
        return time.thread_time_ns() - self._driver.idle_ns

    def leave_silence(self, now: int, seconds: float) -> None:
        """Ask for nothing more where so long only failures came: nobody is there to warm up for."""
        if not self.answered and self.recorder.n and now - self._since[0][1] > seconds * 1e9:
            self.model.stop(now)

    def fault(self, failure: Failure) -> None:
        """Remember the first fault, with its detail."""
        self.first_fault = self.first_fault or failure

    def rest(self, channel: Channel) -> None:
        """Let a channel that has failed go on, after a moment if nothing else paces it."""
        if self.model.rests:
            self._resting.append((time.monotonic_ns() + _REST_NS, channel))
        else:
            self.model.free(channel, time.monotonic_ns())

    def give_up(self, error: ProbeError) -> None:
        """End the run: something is wrong on our side."""
        self.error = self.error or error
        self.stopping = True

    def clock_stepped(self) -> bool:
        """Whether the wall clock was set since the last look; voids what that touches."""
        if not self.clock.stepped():
            return False
        self.recorder.void_recent()
        for channel in self.used:
            channel.void()
        return True

    # what the driver calls

    @property
    def offset_ns(self) -> int:
        """Part of Served."""
        return self.clock.offset_ns

    def begin(self, now: int) -> None:
        """Part of Served."""
        self.model.begin(self, now)

    def tick(self, now: int) -> int:
        """Do what is due; return the moment of the next call, at the latest."""
        if now - self._swept_ns >= SWEEP_NS:
            self._sweep(now)
        return min(self.model.tick(now), self._swept_ns + SWEEP_NS)

    def spare(self, now: int, wake: int) -> None:
        """Do what can wait, if there is time for it until the moment `wake`."""
        if wake - now > _SPARE_NS:
            self.recorder.catch_up()

    @property
    def over(self) -> bool:
        """Whether the driver's work is done.

        What nobody asked for may come as late as an answer would, so that idle connections are
        kept for as long as one takes.
        """
        if self.stopping:
            return True
        if not self.model.closed or not self.model.over or self._resting:
            return False
        now = time.monotonic_ns()
        self.leave_processor()
        self._lingers = self._lingers or now + self._patience()
        return now >= min(self._lingers, self.deadline_ns)

    def _patience(self) -> int:
        """Return how long to wait for it.

        An extra answer may have been taken for that to the next request, and so on to the last,
        whose own is then still to come. Of many channels most watch for it while the slowest is
        awaited; few are given the time that most answers took, or that a delayed ACK takes.
        """
        newest = sorted(self.recorder.last())
        if not newest or not self.model.lingers or not any(c.connected_now for c in self.used):
            return 0
        if self.recorder.n < _MUCH_USED * max(1, self.connections):
            return min(_LINGER_NS, newest[-1] * 3 // 2)
        if len(self.channels) >= _MANY:
            return 0
        return min(_LINGER_NS, max(_DELAYED_ACK_NS, newest[len(newest) * 19 // 20] * 5 // 4))

    def _sweep(self, now: int) -> None:
        gap = now - self._swept_ns - SWEEP_NS
        self.clock_stepped()
        if gap > self._driver.stall_ns:
            self._stalled(gap)
        for channel in self.used:
            if channel.busy:
                expires = channel.intended + self.timeout_ns + channel.grace
                if expires <= self.polled_ns and not channel.unread:
                    channel.fail(Failure(kind=TIMEOUT, detail="no answer in time"), expires)
        self._swept_ns = now
        self._revive(now)
        if now >= self.deadline_ns:
            self._cut(now)
        self.model.sweep(now)
        because = self.guard.alarm(self.recorder.newest(), self.asked_to_wait)
        if because and not self.aborted:
            self.aborted = because
            self.model.stop(now)
            self.cut_off += self.model.abandon(now)
        if self._watch:
            self._watch(self)
        self.recorder.turn()
        self.model.think(now)

    def _stalled(self, gap: int) -> None:
        """Excuse what waited while our process, or the whole machine, stood still."""
        self.stalled += 1
        self.recorder.void_recent()
        for channel in self.used:
            channel.void(gap)

    def _revive(self, now: int) -> None:
        due = [channel for moment, channel in self._resting if moment <= now]
        self._resting = [(moment, channel) for moment, channel in self._resting if moment > now]
        for channel in due:
            self.model.free(channel, now)
        for channel in self.used:
            channel.resume()

    def _cut(self, now: int) -> None:
        """The run's time is up: what is under way is nobody's fault."""
        self.model.stop(now)
        self.cut_off += self.model.abandon(now)
        self.cut_off += sum(channel.busy for channel in self.used)
        self.stopping = True

    def expire(self, intended: int) -> None:
        """Take down a request that found no free connection until it was too late."""
        at = intended + self.timeout_ns
        self.fault(Failure(kind=TIMEOUT, detail="no turn in time"))
        self.recorder.add((intended, at, at, 0, fault_code(TIMEOUT), 0))

    def finish(self) -> None:
        """Show and add up what came since the last sweep; nothing more will."""
        self.stopping = True
        if self._watch:
            self._watch(self)
        self.recorder.finish()

    def close(self) -> None:
        """Close every connection."""
        self.leave_processor()
        for channel in self.used:
            channel.drop()
