"""A real RabbitMQ of one node with its management API, as Debian installs it."""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SECONDS = 90.0
_FOLDER = Path("/usr/lib/rabbitmq/bin")
_EPMD = shutil.which("epmd")

needs_rabbitmq = pytest.mark.skipif(
    not (_FOLDER / "rabbitmq-server").exists() or _EPMD is None,
    reason="rabbitmq-server is not installed",
)


@dataclass(frozen=True)
class RabbitMQ:
    """A broker that runs, and the environment that its tools need."""

    port: int
    environ: Mapping[str, str]

    def url(self, user: str = "guest:guest") -> str:
        """Return the URL of its management API for a user."""
        return f"http://{user}@127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the management API as administrator."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": "Basic " + base64.b64encode(b"guest:guest").decode(),
            },
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.loads(answer.read() or b"null")

    def control(self, *words: str) -> None:
        """Run rabbitmqctl."""
        command = [str(_FOLDER / "rabbitmqctl"), *words]
        subprocess.run(command, env=self.environ, check=True, capture_output=True, timeout=SECONDS)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[RabbitMQ]:
    """Start a broker, which takes ten seconds; it ends with the context."""
    assert _EPMD
    amqp, management, distribution, mapper = _free_ports(4)
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\n"
        f"management.tcp.port = {management}\ncollect_statistics_interval = 200\n"
    )
    (folder / "plugins").write_text("[rabbitmq_management].")
    environ = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ALLOW_INPUT": "1",  # or it is the child of a shell, and outlives it
        "RABBITMQ_NODENAME": "probe@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "out").open("wb"))
        for command in ([_EPMD], [str(_FOLDER / "rabbitmq-server")]):
            process = subprocess.Popen(
                command, env=environ, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
            stack.callback(_stop, process)
        broker = RabbitMQ(management, environ)
        _wait(broker, process, folder / "out")
        yield broker


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.kill()  # what it stored is thrown away
    process.communicate()


def _wait(broker: RabbitMQ, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + SECONDS
    while True:
        assert process.poll() is None and time.monotonic() < end, log.read_text()
        with contextlib.suppress(OSError):
            if "mem_used" in broker.call("GET", "nodes")[0]:  # its statistics come last
                return
        time.sleep(0.2)


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(n)]
        return [one.getsockname()[1] for one in held]
