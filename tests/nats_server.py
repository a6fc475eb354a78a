"""A real NATS server on free ports, and as much of a client as brings it into a state."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

SECONDS = 20.0
_PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")

needs_nats = pytest.mark.skipif(_PROGRAM is None, reason="nats-server is not installed")


@dataclass(frozen=True)
class Nats:
    """A server that runs: the URL of its monitoring and the port of its clients."""

    url: str
    port: int

    def client(self) -> "Client":
        """Connect as a client."""
        return Client(self.port)


@contextlib.contextmanager
def running(folder: Path, settings: str = "", host: str = "127.0.0.1") -> Iterator[Nats]:
    """Start a server with `settings` (lines of its configuration); it ends with the context."""
    assert _PROGRAM
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nats.conf"
    configuration.write_text(
        f'listen: "{host}:-1"\nhttp: "127.0.0.1:-1"\nports_file_dir: "{folder}"\n{settings}\n'
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([_PROGRAM, "-c", configuration], stdout=log, stderr=log)
    try:
        ports = _ports(folder / f"nats-server_{process.pid}.ports", process)
        at = urlsplit(ports["nats"][0]).port
        assert at
        yield Nats(ports["monitoring"][0].replace("0.0.0.0", "127.0.0.1"), at)
    finally:
        process.kill()
        process.wait()


def _ports(file: Path, process: "subprocess.Popen[bytes]") -> Any:
    def told() -> Any:
        assert process.poll() is None, (file.parent / "log").read_text()
        with contextlib.suppress(OSError, ValueError):
            return json.loads(file.read_text())
        return None

    return until(told)


def until(told: Callable[[], Any]) -> Any:
    """Return what `told` tells once that is something."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := told():
            return found
        time.sleep(0.01)
    raise TimeoutError(f"nothing within {SECONDS:g} s")


class Client:
    """Speaks NATS' protocol as far as it is needed here."""

    def __init__(self, port: int) -> None:
        """Connect, and wait until the server has taken note."""
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._lines = self.socket.makefile("rb")
        assert self._lines.readline().startswith(b"INFO ")
        self.send(b'CONNECT {"verbose":false,"name":"laggard"}\r\nPING\r\n')
        self.ponged()

    def send(self, data: bytes) -> None:
        """Send what is written."""
        self.socket.sendall(data)

    def ponged(self) -> None:
        """Wait for the answer to a PING, and so for all that was sent before."""
        while (line := self._lines.readline()) != b"PONG\r\n":
            assert line and not line.startswith(b"-ERR"), line

    def asked(self, subject: str, body: Any) -> Any:
        """Return the answer of JetStream's API."""
        data = json.dumps(body).encode()
        self.send(b"SUB told 1\r\nPUB $JS.API.%s told %d\r\n" % (subject.encode(), len(data)))
        self.send(data + b"\r\n")
        while not (line := self._lines.readline()).startswith(b"MSG "):
            assert line and not line.startswith(b"-ERR"), line
        answer = json.loads(self._lines.read(int(line.split()[-1])))
        assert "error" not in answer, answer
        self._lines.readline()
        return answer

    def publish(self, subject: str, times: int, size: int = 1) -> None:
        """Publish messages of one size, and wait until the server has them all."""
        one = b"PUB %s %d\r\n%s\r\n" % (subject.encode(), size, b"x" * size)
        self.send(one * times + b"PING\r\n")
        self.ponged()

    def close(self) -> None:
        """Leave."""
        self._lines.close()
        self.socket.close()
