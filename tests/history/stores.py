"""A history of each kind for a test: a file, and a database that the tests of Postgres share."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest


def execute(url: str, *statements: str) -> list[Sequence[Any]]:
    """Run each statement by itself; return the rows of the last."""

    async def work() -> list[Sequence[Any]]:
        connection = await asyncpg.connect(url)
        try:
            found = [await connection.fetch(statement) for statement in statements]
            return [tuple(row) for row in found[-1]]
        finally:
            await connection.close()

    return asyncio.run(work())


@pytest.fixture(scope="session")
def team_url(postgres_url: str) -> str:
    """The URL of a database for histories, its superuser's."""
    execute(postgres_url, "CREATE DATABASE team")
    return urlsplit(postgres_url)._replace(path="/team").geturl()


@pytest.fixture
def team(team_url: str) -> str:
    """The same without a history in it."""
    execute(team_url, "DROP SCHEMA IF EXISTS readiness CASCADE")
    return team_url


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What --history says of a new history."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    url: str = request.getfixturevalue("team")
    return url
