"""Fixtures of every test."""

from collections.abc import Iterator

import pytest

from readiness.demo import postgres, valkey

PASSWORD = "s3c/ret @word"


@pytest.fixture
def anyio_backend() -> str:
    """Run `async def` tests marked `anyio` on asyncio, the only loop this tool uses."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real Postgres, its superuser's password PASSWORD, shared by the tests."""
    with postgres.running(password=PASSWORD) as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The URL of a real Valkey without password and without a limit, shared by the tests."""
    with valkey.running() as url:
        yield url
