"""What the collector would lend a probe, for tests against real local servers."""

import asyncio
import functools
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from readiness.demo import postgres
from readiness.inventory import Inventory, System
from readiness.ledger import Ledger
from readiness.load.caps import Budget
from readiness.probes import Address, Context
from tests.replicated import REALISTIC


@pytest.fixture
def concealed() -> list[str]:
    """Collect what a probe asked to have masked."""
    return []


@pytest.fixture
def context(concealed: list[str]) -> Context:
    """Lend everything: all tiers, 20 samples, 5 s per exchange, a minute in all.

    Tests that need less take `dataclasses.replace(context, timeout=0.2)`.
    """
    return Context(
        deadline=time.monotonic() + 60,  # asyncio's own loop time is time.monotonic()
        timeout=5.0,
        samples=20,
        limits={},
        allowed=frozenset({"observe", "load", "write", "intrusive"}),
        run_id="test",
        tls=functools.cache(ssl.create_default_context),
        resolve=resolve,
        budget=Budget(),
        trials={},
        conceal=concealed.append,
        inventory=Inventory(version=1, system=System(name="test"), services=()),
        ledger=Ledger(None, "test"),
        folder=Path(),
        previous={},
    )


@pytest.fixture
def here(context: Context, tmp_path: Path) -> Context:
    """Lend a folder of the test's own."""
    return replace(context, folder=tmp_path)


async def resolve(host: str, port: int) -> Sequence[Address]:
    """Resolve with the system's own getaddrinfo."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(address[0]), port) for family, _, _, _, address in found]


@pytest.fixture(scope="session")
def realistic_postgres() -> Iterator[str]:
    """The URL of a real Postgres with autovacuum on, which can be replicated; shared by tests."""
    with postgres.running(settings=REALISTIC) as url:
        yield url
