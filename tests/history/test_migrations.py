"""Histories of other versions: older ones are brought forward, newer ones refused and untouched."""

import hashlib
import sqlite3
from pathlib import Path

import pytest

from readiness.history import HistoryError, open_history
from readiness.history.file import APPLICATION_ID
from readiness.history.packed import pack
from readiness.history.run import kept
from readiness.history.schema import VERSION
from tests.history.runs import run
from tests.history.stores import execute

FIRST = """
CREATE TABLE criteria (id TEXT PRIMARY KEY, body {bytes} NOT NULL);
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, system TEXT NOT NULL, environment TEXT NOT NULL,
    started_at {moment} NOT NULL, finished_at {moment} NOT NULL, verdict TEXT NOT NULL,
    value INTEGER NOT NULL, upper INTEGER NOT NULL, raw INTEGER NOT NULL,
    coverage DOUBLE PRECISION NOT NULL, exit_code INTEGER NOT NULL, criteria TEXT NOT NULL,
    runner TEXT NOT NULL, tool TEXT NOT NULL, interrupted BOOLEAN NOT NULL,
    partial BOOLEAN NOT NULL, judged_by TEXT NOT NULL REFERENCES criteria
);
CREATE TABLE evidence (run_id TEXT PRIMARY KEY REFERENCES runs, body {bytes} NOT NULL);
CREATE INDEX runs_of_a_system ON runs (system, environment, started_at);
INSERT INTO criteria VALUES ('c', {criteria});
INSERT INTO runs VALUES ('old1', 'shop', 'local', '2026-01-01 00:00:00+00:00',
    '2026-01-01 00:01:00+00:00', 'ready', 91, 95, 91, 0.97, 0, '99c9b55f716b', 'linux-x86_64-2cpu',
    '0.1.0', FALSE, FALSE, 'c');
INSERT INTO evidence VALUES ('old1', {evidence});
"""
"""Schema 1, with a run in it."""


def first(where: str) -> None:
    """Make a history of schema 1."""
    packed = pack(kept(run("old1")))
    parts = {"criteria": packed.criteria.hex(), "evidence": packed.evidence.hex()}
    if "://" not in where:
        blobs = {name: f"x'{value}'" for name, value in parts.items()}
        connection = sqlite3.connect(where)
        connection.executescript(FIRST.format(bytes="BLOB", moment="TEXT", **blobs))
        connection.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1"
        )
        connection.close()
        return
    blobs = {name: rf"'\x{value}'" for name, value in parts.items()}
    statements = FIRST.format(bytes="BYTEA", moment="TIMESTAMPTZ", **blobs).split(";\n")
    execute(
        where,
        "CREATE SCHEMA readiness",
        "SET search_path = readiness",
        "CREATE TABLE schema_version (version INTEGER NOT NULL)",
        "INSERT INTO schema_version VALUES (1)",
        *(s for s in statements if s.strip()),
    )


def test_a_history_of_the_first_schema_is_brought_forward_with_its_runs(where: str) -> None:
    first(where)
    history = open_history(where, {})
    [old] = history.runs()
    assert (old.run_id, old.value, old.branch, old.commit, old.pinned) == (
        *("old1", 91),
        *(None, None, False),
    )
    assert history.get("old1").evidence.run_id == "old1"
    new = history.add(run("new1", revision={"branch": "main"}))
    assert history.pin("old1").pinned
    history.close()
    again = open_history(where, {})
    assert [one.run_id for one in again.runs()] == ["new1", "old1"]
    assert again.find("new1") == new
    again.close()


def test_a_migration_that_fails_leaves_the_history_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    first(str(path))
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE pins (mine)")  # so that the second step cannot make its own
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="not those of a history"):
        open_history(str(path), {})
    assert path.read_bytes() == before


def newer(where: str) -> None:
    history = open_history(where, {})
    history.add(run("a1"))
    history.close()
    if "://" in where:
        execute(where, f"UPDATE readiness.schema_version SET version = {VERSION + 1}")
        return
    connection = sqlite3.connect(where)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()


def test_a_newer_history_is_refused(where: str) -> None:
    newer(where)
    with pytest.raises(HistoryError, match=f"of schema {VERSION + 1}.*knows {VERSION}.*Upgrade"):
        open_history(where, {})


def test_the_bytes_of_a_newer_history_are_untouched(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    newer(str(path))
    path.with_name("h.db-journal").write_bytes(b"the journal of another version")
    before = [
        (p.name, hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
        for p in sorted(tmp_path.iterdir())
    ]
    with pytest.raises(HistoryError, match="Nothing in it was changed"):
        open_history(str(path), {})
    after = [
        (p.name, hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
        for p in sorted(tmp_path.iterdir())
    ]
    assert after == before
    assert len(after) == 2
