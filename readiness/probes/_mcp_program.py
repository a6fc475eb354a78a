"""An MCP server as a program of this machine: started, asked over its pipes, and always ended.

It is a process group of its own, which is killed as a whole. What it writes to stderr is thrown
away, unread: it may hold anything.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from readiness.failure import ProbeError
from readiness.probes import _mcp_message
from readiness.probes._mcp_message import Message

LINE_LIMIT = 1 << 20
"""Bytes of one message, after which it is not read on."""
INHERITED = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""Variables handed on, none of which holds a secret: those of the official SDK and a few more."""
_CHUNK = 64 << 10
_POLL_SECONDS = 0.02
_TERM_SECONDS = 0.5


class Program:
    """A running server. `noise` counts lines on stdout that are no messages of MCP."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        handed = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.name = PurePath(command[0]).name[:40]
        try:
            self._child = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**handed, **env},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
            )
        except (FileNotFoundError, NotADirectoryError) as error:
            how = f"{self.name}, or the folder to start it in, is not on this machine"
            raise ProbeError("not_installed", how) from error
        assert self._child.stdin and self._child.stdout
        self._in, self._out = self._child.stdin, self._child.stdout
        for pipe in (self._in, self._out):
            os.set_blocking(pipe.fileno(), False)
        self._rest, self._numbers, self.noise = b"", 0, 0

    async def ask(self, method: str, params: Mapping[str, Any], version: str) -> Message:
        """Send a request and wait for its answer; to be bounded by whoever asks."""
        self._numbers += 1
        number = self._numbers
        await self._send(_mcp_message.request(number, method, params, version))
        found: Message | None = None
        while found is None:
            for line in await self._lines():
                message = _mcp_message.read(line)
                if message is None:
                    self.noise += 1
                elif _mcp_message.answers(message, number):
                    found = found or message
        return found

    async def tell(self, method: str) -> None:
        """Send a notification; to be bounded by whoever tells."""
        await self._send(_mcp_message.notification(method))

    async def leave(self, seconds: float) -> bool:
        """Close its stdin; return whether it ends by itself within so many seconds."""
        self._in.close()
        return await self._ended(seconds)

    async def end(self) -> None:
        """End it as a client does: a request to terminate, then by force."""
        if not self._has_ended():
            self._signal(signal.SIGTERM)
            await self._ended(_TERM_SECONDS)

    def kill(self) -> None:
        """Kill whatever is left of it and of what it started, and let go of its pipes."""
        self._signal(signal.SIGKILL)  # before it is reaped, while the number is still its own
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(1)
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()

    async def _send(self, message: Mapping[str, Any]) -> None:
        data = _mcp_message.line(message)
        while data:
            try:
                data = data[os.write(self._in.fileno(), data) :]
            except BlockingIOError:
                await self._ready(self._in.fileno(), write=True)
            except BrokenPipeError:
                raise self._gone() from None

    async def _lines(self) -> list[bytes]:
        """Return the lines that are whole by now; raises ProbeError once it is gone."""
        await asyncio.sleep(0)  # what floods must not keep the clock from ticking
        try:
            data = os.read(self._out.fileno(), _CHUNK)
        except BlockingIOError:
            await self._ready(self._out.fileno(), write=False)
            return []
        if not data:
            raise self._gone()
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT or any(len(line) > LINE_LIMIT for line in lines):
            raise ProbeError("protocol", f"{self.name} wrote a line of more than 1 MiB")
        return [line for line in lines if line.strip()]

    async def _ready(self, fd: int, *, write: bool) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        add, remove = (
            (loop.add_writer, loop.remove_writer)
            if write
            else (loop.add_reader, loop.remove_reader)
        )
        add(fd, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            remove(fd)

    async def _ended(self, seconds: float) -> bool:
        """Wait for its end, reading on: what nobody reads may keep it from ending."""
        ends = asyncio.get_running_loop().time() + seconds
        while not self._has_ended():
            if asyncio.get_running_loop().time() > ends:
                return False
            with contextlib.suppress(OSError):
                os.read(self._out.fileno(), _CHUNK)
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def _has_ended(self) -> bool:
        """Whether it is over; it is not reaped, so that its number stays its own."""
        with contextlib.suppress(ChildProcessError):
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._child.pid, how) is not None
        return True

    def _gone(self) -> ProbeError:
        return ProbeError("protocol", f"{self.name} ended, or closed its pipes, before it answered")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Iterator[Program]:
    """Start a server; whatever happens, nothing of it is left."""
    program = Program(command, folder, env)
    try:
        yield program
    finally:
        program.kill()
