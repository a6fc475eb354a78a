"""One sample service as a process: configuration on stdin, its port on stdout, gone at EOF."""

import asyncio
import gc
import importlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Callable
from socket import socket
from typing import cast

import uvicorn

from readiness.demo import refusals, security_headers
from readiness.demo.catalogue import SERVICES
from readiness.demo.config import Config

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class Announced(uvicorn.Server):
    """A server that says its port once it answers, and stops when its parent is gone."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start, then print the port that the kernel chose."""
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what was imported is not looked through again, which takes 30 ms
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)  # noqa: T201
            threading.Thread(target=self.stop_at_end_of_input, daemon=True).start()

    def stop_at_end_of_input(self) -> None:
        """Wait until the parent closes our stdin, which its death does too."""
        while os.read(sys.stdin.fileno(), 1024):
            pass
        self.should_exit = True


async def serve(config: Config) -> None:
    """Run the service that `config` names until stdin ends."""
    module = importlib.import_module(f"readiness.demo.{SERVICES[config.name].app}")
    app = module.app(config)
    refusals.answer_in_json(app)
    options = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=1,
        headers=security_headers.of(config),
        server_header=False,
    )
    await Announced(options).serve()


def loop_factory() -> LoopFactory | None:
    """Return what makes uvloop's loops, where it is installed: they take less of the machine."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    return cast(LoopFactory, importlib.import_module("uvloop").new_event_loop)


def main() -> None:
    """Import first, then wait for the line of configuration: the databases start meanwhile."""
    importlib.import_module(f"readiness.demo.{SERVICES[sys.argv[1]].app}")
    line = sys.stdin.readline()
    if line:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve(Config(**json.loads(line))))


if __name__ == "__main__":
    main()
