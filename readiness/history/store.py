"""Runs -> the tables of a database, and back: one set of statements for SQLite and Postgres."""

from collections.abc import Collection, Sequence
from typing import Any

from pydantic import ValidationError

from readiness.assessment import Assessment
from readiness.history.database import Database, Fetch, Row
from readiness.history.packed import pack, unpack
from readiness.history.run import HistoryError, Kept, Packed, Run, kept
from readiness.history.schema import COLUMNS

_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_SELECT = (
    f"SELECT {', '.join(f'runs.{name}' for name in _NAMES.split(', '))}, pins.run_id IS NOT NULL"
    " FROM runs LEFT JOIN pins ON pins.run_id = runs.run_id"
)
_INSERT = (
    f'INSERT INTO runs ({_NAMES}, "judged_by")'
    f" VALUES ({', '.join(f'${n + 1}' for n in range(len(COLUMNS) + 1))})"
)
_PARTS = (
    "SELECT evidence.body, criteria.body FROM runs"
    " JOIN evidence ON evidence.run_id = runs.run_id"
    " JOIN criteria ON criteria.id = runs.judged_by WHERE runs.run_id = $1"
)
_NAMED = 3
"""How many runs an ambiguous name is told to mean."""


class Store:
    """A history in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def where(self) -> str:
        """See History."""
        return self._database.where

    def prepare(self) -> None:
        """See History."""
        self._database.prepare()

    def add(self, assessment: Assessment) -> Run:
        """See History."""
        one = kept(assessment)
        self.take([pack(one)])
        return one.run

    def take(self, runs: Sequence[Packed]) -> int:
        """See History."""
        return self._database.writing(lambda fetch: sum(_insert(one, fetch) for one in runs))

    def runs(
        self,
        system: str | None = None,
        environment: str | None = None,
        branch: str | None = None,
        limit: int | None = None,
        complete: bool = False,
    ) -> Sequence[Run]:
        """See History."""
        asked = {"system": system, "environment": environment, "branch": branch}
        wanted = {name: value for name, value in asked.items() if value is not None}
        where = [f'runs."{name}" = ${n}' for n, name in enumerate(wanted, 1)]
        where += ["NOT interrupted AND NOT partial"] * complete
        statement = (
            _SELECT
            + (f" WHERE {' AND '.join(where)}" if where else "")
            + " ORDER BY started_at DESC, runs.run_id DESC"
            + (f" LIMIT {limit:d}" if limit is not None else "")
        )
        rows = self._database.reading(lambda fetch: fetch(statement, *wanted.values()))
        return [_run(row) for row in rows]

    def find(self, run: str) -> Run:
        """See History."""
        return self._database.reading(lambda fetch: self._found(run, fetch))

    def get(self, run: str) -> Kept:
        """See History."""

        def read(fetch: Fetch) -> tuple[Run, Row]:
            found = self._found(run, fetch)
            parts = fetch(_PARTS, found.run_id)
            return found, parts[0] if parts else (b"", b"")

        found, (packed_evidence, packed_criteria) = self._database.reading(read)
        return unpack(found, packed_evidence, packed_criteria)

    def pin(self, run: str, pinned: bool = True) -> Run:
        """See History."""

        def write(fetch: Fetch) -> Run:
            found = self._found(run, fetch)
            if not pinned:
                fetch("DELETE FROM pins WHERE run_id = $1", found.run_id)
            else:
                _pin(found, fetch, "DO UPDATE SET run_id = excluded.run_id")
            return found.model_copy(update={"pinned": pinned})

        return self._database.writing(write)

    def remove(self, runs: Collection[str]) -> int:
        """See History."""

        def write(fetch: Fetch) -> int:
            there = fetch("SELECT run_id FROM runs WHERE run_id NOT IN (SELECT run_id FROM pins)")
            gone = {row[0] for row in there} & set(runs)
            for run in gone:
                fetch("DELETE FROM evidence WHERE run_id = $1", run)
                fetch("DELETE FROM runs WHERE run_id = $1", run)
            fetch("DELETE FROM criteria WHERE id NOT IN (SELECT judged_by FROM runs)")
            return len(gone)

        return self._database.writing(write)

    def close(self) -> None:
        """See History."""
        self._database.close()

    def _found(self, run: str, fetch: Fetch) -> Run:
        rows = fetch(
            f"{_SELECT} WHERE substr(runs.run_id, 1, length(CAST($1 AS TEXT))) = $1"
            f" ORDER BY length(runs.run_id), started_at DESC LIMIT {_NAMED}",
            run,
        )
        found = [_run(row) for row in rows]
        if found and (len(found) == 1 or found[0].run_id == run):
            return found[0]
        if found and run:
            ids = ", ".join(one.run_id for one in found)
            raise HistoryError(
                f"'{run}' begins the ids of several runs ({ids}).", fix="Write more of the id."
            )
        raise HistoryError(
            f"there is no run '{run}' in {self.where}.", fix="`readiness history` lists them."
        )


def _run(row: Row) -> Run:
    *values, pinned = row
    try:
        return Run.model_validate(dict(zip(COLUMNS, values, strict=True), pinned=bool(pinned)))
    except ValidationError:
        raise HistoryError(
            f"the row of run {values[0]} is not of this version of readiness.",
            fix="Use the version that wrote it.",
        ) from None


def _insert(one: Packed, fetch: Fetch) -> bool:
    """Add a run, unless it is there already; return whether it was not."""
    run = one.run
    if fetch("SELECT 1 FROM runs WHERE run_id = $1", run.run_id):
        return False
    fetch(
        "INSERT INTO criteria VALUES ($1, $2) ON CONFLICT DO NOTHING", one.judged_by, one.criteria
    )
    values: list[Any] = [getattr(run, name) for name in COLUMNS]
    fetch(_INSERT, *values, one.judged_by)
    fetch("INSERT INTO evidence VALUES ($1, $2)", run.run_id, one.evidence)
    if run.pinned:
        _pin(run, fetch, "DO NOTHING")
    _read_back(one, fetch)
    return True


def _read_back(one: Packed, fetch: Fetch) -> None:
    """Make sure that a run is there: a trigger or a rule of the database may have swallowed it."""
    run = one.run
    rows = fetch(f"{_SELECT} WHERE runs.run_id = $1", run.run_id)
    same = [row for row in rows if _run(row).model_copy(update={"pinned": run.pinned}) == run]
    if not same or [bytes(body) for body, _ in fetch(_PARTS, run.run_id)] != [one.evidence]:
        raise HistoryError(
            f"the database did not keep run {run.run_id} as it was written.",
            fix="Take away its triggers and rules, or name another with --history.",
        )


def _pin(run: Run, fetch: Fetch, conflict: str) -> None:
    fetch(
        f"INSERT INTO pins VALUES ($1, $2, $3) ON CONFLICT (system, environment) {conflict}",
        *(run.system, run.environment, run.run_id),
    )
