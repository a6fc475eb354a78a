"""One simulated user's connection, without I/O of its own -> one outcome for each request."""

import ssl
import time
from typing import TYPE_CHECKING, Protocol

from readiness.failure import Failure, ProbeError, classify
from readiness.load.response import Parser
from readiness.load.tally import DESYNC, LATE_NS, VOID, fault_code

if TYPE_CHECKING:
    from readiness.load.crew import Crew

_SKEW_NS = 20_000
"""Bytes stamped earlier than this before their request was sent answer something else."""
_HELD = 1 << 61
"""The moment of sending of what has not been sent yet, later than any answer."""
_TLS_READ = 1 << 14
"""What one record carries at most (RFC 8446, section 5.1): who gets less has all of it."""


class Wire(Protocol):
    """What carries the bytes; it reports to its channel, never from within these calls."""

    def send(self, data: bytes) -> None:
        """Send all of `data`, now or when there is room."""

    def unread(self) -> bool:
        """Whether bytes, or the connection's end, wait to be read that carry no stamp."""

    def close(self) -> None:
        """Close at once; nothing is reported from here on."""


class Channel:
    """Asks for one thing over one connection at a time, opened again whenever it is gone."""

    __slots__ = (
        "_began",
        "_crew",
        "_expects",
        "_free",
        "_held",
        "_known",
        "_parser",
        "_row",
        "_sent",
        "_served",
        "_tls",
        "_wire",
        "busy",
        "freed",
        "grace",
        "intended",
        "lag",
        "line",
    )

    def __init__(self, crew: "Crew") -> None:
        self._crew = crew
        self._known, self._row, self._free = crew.known, crew.recorder.add, crew.model.free
        self._wire: Wire | None = None
        self._tls: _Tls | None = None
        self._parser: Parser | None = None
        self._sent = 0
        self._began = 0
        self._held = 0
        self._served = False
        self._expects = _HELD
        """From when on an answer that is known is the whole truth; nothing is, before a look."""
        self.busy = False
        self.line = 0
        """The number of its current connection, unlike any other's."""
        self.intended = 0
        self.lag = 0
        self.grace = 0
        """Nanoseconds that the request under way is given more; it is not timed then."""
        self.freed = 0
        """When its last answer came, by the best clock there is."""

    def ask(self, ready: int, intended: int = 0) -> None:
        """Send the request. It was meant for `intended` (else now), possible from `ready` on."""
        now = time.monotonic_ns()
        self.busy = True
        self.intended = intended or now
        self.lag = lag = now - ready if now > ready else 0
        if lag > LATE_NS:
            self.grace = lag
        wire = self._wire
        if wire is None:
            self._connect(now)
        elif self._served and self._crew.stamped:
            raw = self._crew.raw
            if self._tls is not None:
                if not (raw := self._sealed(self._tls)):
                    return
                now = time.monotonic_ns()
            self._sent = now
            if not self.grace:
                self._expects = now
            wire.send(raw)
        elif wire.unread():
            self._sent, self._held = _HELD, now  # the wire reports what it is at once
        else:
            self._send()

    def void(self, grace: int = 1) -> None:
        """Do not time the request under way, and give it `grace` nanoseconds more."""
        if self.busy:
            self.grace += grace
            self._expects = _HELD

    def resume(self) -> None:
        """Send the request that was held back for bytes that were none."""
        wire = self._wire
        if self.busy and self._sent == _HELD and wire is not None and not wire.unread():
            self.lag += time.monotonic_ns() - self._held
            self._send()

    def fail(self, failure: Failure, at: int) -> None:
        """End the request under way with a fault, and its connection with it."""
        self.drop()
        if not self.busy:
            return
        if not failure.blames_target:
            self._crew.give_up(ProbeError(failure.kind, failure.detail))
            return
        self._crew.fault(failure)
        sent = at if self._sent in (0, _HELD) else self._sent
        self._finish(fault_code(failure.kind), sent, max(at, sent))
        self._crew.rest(self)

    def drop(self) -> None:
        """Close the connection, if there is one."""
        if self._wire is not None:
            self._wire.close()
            self._wire = self._tls = self._parser = None
            self._crew.closed(self.line)

    @property
    def unread(self) -> bool:
        """Whether something has come that we did not read yet."""
        return self._wire is not None and self._wire.unread()

    @property
    def connected_now(self) -> bool:
        """Whether it has a connection that has served."""
        return self._wire is not None and self._served

    # what the wire reports

    def connected(self, now: int) -> None:
        """The connection stands; TLS begins, or the request goes out."""
        crew = self._crew
        crew.connected(self, now - self._began)
        if crew.endpoint.tls is None:
            self._send()
            return
        self._tls = _Tls(crew.endpoint.tls, crew.endpoint.server_name, crew.session)
        self._shake_hands(b"", now)

    def received(self, data: bytes, at: int) -> None:
        """Bytes came at the moment `at`."""
        if self._tls is not None and not (data := self._decrypt(self._tls, data, at)):
            return
        sent = self._expects
        if at >= sent:
            self._expects = _HELD
            code = self._known.get(data)
            if code is not None:
                self.busy, self.freed = False, at
                self._row((self.intended, sent, at, self.lag, code, self.line))
                self._free(self, at)
                return
        self._take(data, at)

    def ended(self, at: int) -> None:
        """The peer closed its side."""
        if not self.busy:
            self._crew.left_by_server()
            self.drop()
            return
        parser = self._parser
        if parser is not None and self._tls is not None and not self._tls.said_goodbye:
            self.fail(Failure(kind="reset", detail="connection closed without TLS's goodbye"), at)
            return
        if parser is None:
            self._gone(Failure(kind="reset", detail="connection closed without an answer"), at)
            return
        try:
            parser.end()
        except ProbeError as error:
            self.fail(error.failure, at)
        else:
            self._answered(parser, at)

    def broke(self, error: Exception, at: int) -> None:
        """Connecting, sending or receiving failed."""
        failure = classify(error)
        # a reset is the service's word on this request; a broken pipe (Linux says so when the
        # reset follows the peer's goodbye) is a connection that was gone before
        gone = isinstance(error, BrokenPipeError) and self._parser is None
        if self.busy and (gone or self._sent == _HELD):
            self._gone(failure, at)
        elif self.busy:
            self.fail(failure, at)
        else:
            self._crew.left_by_server()
            self.drop()

    # how it goes on

    def _connect(self, now: int) -> None:
        self._began, self._sent, self._served = now, 0, False
        self._expects = _HELD
        first, self.line = not self.line, self._crew.next_line()
        self._wire = self._crew.connect(self, first=first)

    def _send(self) -> None:
        wire, raw = self._wire, self._crew.raw
        assert wire is not None
        if self._tls is not None and not (raw := self._sealed(self._tls)):
            return
        self._sent = time.monotonic_ns()
        wire.send(raw)

    def _sealed(self, tls: "_Tls") -> bytes:
        """Return the request, encrypted; nothing if that failed."""
        try:
            return tls.encrypt(self._crew.raw)
        except ssl.SSLError as error:
            self.fail(classify(error), time.monotonic_ns())
            return b""

    def _take(self, data: bytes, at: int) -> None:
        """Take bytes of an answer."""
        if not self.busy or not 0 < self._sent - _SKEW_NS <= at:
            self._unasked(at)
            return
        whole = self._parser is None
        if whole:
            if not self._served:
                self._crew.first_byte(self, max(at - self._sent, 1))
            code = self._known.get(data)
            if code is not None:
                self._done(code, at)
                return
            self._parser = self._crew.parser()
        self._parse(data, at, whole=whole)

    def _parse(self, data: bytes, at: int, *, whole: bool) -> None:
        parser = self._parser
        assert parser is not None
        try:
            complete = parser.feed(data)
        except ProbeError as error:
            if parser.excess:
                self._unasked(at)
            else:
                self.fail(error.failure, at)
            return
        if complete:
            if whole and parser.keep_alive:
                self._crew.learn(data, parser)
            self._answered(parser, at)

    def _answered(self, parser: Parser, at: int) -> None:
        code = self._crew.code(parser)
        self._parser = None
        if self._tls is not None and not self._served:
            self._crew.session = self._tls.session
        if parser.cut:
            self._crew.cut_bodies += 1
            self.drop()
        elif not parser.keep_alive:
            self._crew.closed_by_server += not parser.confused  # then it is us who close it
            self.drop()
        self._done(code, at)

    def _done(self, code: int, at: int) -> None:
        at = max(at, self._sent)  # within the clocks' skew
        if not self._served:
            self._served = self._crew.answered = True
        self._finish(code, self._sent, at)
        self._free(self, at)

    def _finish(self, code: int, sent: int, at: int) -> None:
        self.busy, self.freed, self._expects = False, at, _HELD
        lag = self.lag
        if self.grace:
            lag, self.grace = VOID, 0
        self._row((self.intended, sent, at, lag, code, self.line))

    def _gone(self, failure: Failure, at: int) -> None:
        """It went away without a word: a connection that has served before is opened again.

        It idled out as we wrote, and every client repeats what it may (RFC 9110, section 9.2.2):
        what was not written yet in any case.
        """
        tls, written = self._tls, self._sent != _HELD
        if self._served:
            self._crew.left_by_server()
        if self._served and (self._crew.repeatable or not written):
            self._crew.retried += written
            self.drop()
            self._connect(at)
        elif tls is not None and not tls.ready:
            self.fail(Failure(kind="tls", detail="connection closed during TLS"), at)
        else:
            self.fail(failure, at)

    def _unasked(self, at: int) -> None:
        """Bytes came that answer no request: nothing this connection said can be believed."""
        if self._crew.clock_stepped():
            self.drop()
            if self.busy:
                self._connect(time.monotonic_ns())
            return
        self._crew.recorder.desynced.add(self.line)
        failure = Failure(kind=DESYNC, detail="bytes after the end of the answer")
        self._crew.fault(failure)
        self.fail(failure, at)

    def _shake_hands(self, data: bytes, at: int) -> None:
        assert self._tls is not None and self._wire is not None
        try:
            ready, out = self._tls.shake_hands(data)
        except ssl.SSLError as error:
            if out := self._tls.pending():
                self._wire.send(out)  # the alert that says why
            self.fail(classify(error), at)
            return
        if out:
            self._wire.send(out)
        if ready:
            self._crew.secured(self, time.monotonic_ns() - self._began)
            self._send()

    def _decrypt(self, tls: "_Tls", data: bytes, at: int) -> bytes:
        """Return what came of an answer; nothing if there is none, or all is said about it."""
        if not tls.ready:
            self._shake_hands(data, at)
            return b""
        try:
            plain, over = tls.decrypt(data)
        except ssl.SSLError as error:
            self.fail(classify(error), at)
            return b""
        if tls.has_more and self._wire is not None:
            self._wire.send(tls.pending())
        if over:
            tls.said_goodbye = True
            self._last_words(plain, at)
            return b""
        return plain

    def _last_words(self, plain: bytes, at: int) -> None:
        """Take what came together with the peer's goodbye."""
        line = self.line
        if plain:
            self._take(plain, at)
        if self.line == line and self._wire is not None:
            self.ended(at)


class _Tls:
    """TLS over memory buffers: the same for whatever wire carries it."""

    __slots__ = ("_in", "_out", "_tls", "ready", "said_goodbye")

    def __init__(
        self, context: ssl.SSLContext, name: str | None, session: ssl.SSLSession | None
    ) -> None:
        context.options |= ssl.OP_NO_RENEGOTIATION
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name, session=session)
        self.ready = self.said_goodbye = False

    @property
    def session(self) -> ssl.SSLSession | None:
        """What saves the next connection half of the handshake."""
        return self._tls.session

    @property
    def has_more(self) -> bool:
        """Whether something must be sent."""
        return self._out.pending > 0

    def pending(self) -> bytes:
        """Return what must be sent."""
        return self._out.read()

    def shake_hands(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes of the handshake; return whether it is done, and what to send."""
        self._in.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False, self._out.read()
        self.ready = True
        return True, self._out.read()

    def encrypt(self, data: bytes) -> bytes:
        """Return what carries `data` over the wire."""
        self._tls.write(data)
        return self._out.read()

    def decrypt(self, data: bytes) -> tuple[bytes, bool]:
        """Take bytes from the wire; return what they carry, and whether the peer said goodbye."""
        self._in.write(data)
        plain = b""
        try:
            while True:
                piece = self._tls.read(_TLS_READ)
                if not piece:
                    return plain, True
                plain = plain + piece if plain else piece
                if len(piece) < _TLS_READ and not self._in.pending:
                    return plain, False
        except ssl.SSLWantReadError:
            return plain, False
        except ssl.SSLZeroReturnError:
            return plain, True
