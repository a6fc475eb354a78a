"""The tables of a history, the same in SQLite and Postgres, and the steps from each version on.

What a later version of this program needs is a further entry of MIGRATIONS; none is ever changed.
"""

from readiness.history.run import Run

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE criteria (id TEXT PRIMARY KEY, body {bytes} NOT NULL)",
        """CREATE TABLE runs (
            "run_id" TEXT PRIMARY KEY,
            "system" TEXT NOT NULL,
            "environment" TEXT NOT NULL,
            "started_at" {moment} NOT NULL,
            "finished_at" {moment} NOT NULL,
            "verdict" TEXT NOT NULL,
            "value" INTEGER NOT NULL,
            "upper" INTEGER NOT NULL,
            "raw" INTEGER NOT NULL,
            "coverage" DOUBLE PRECISION NOT NULL,
            "exit_code" INTEGER NOT NULL,
            "criteria" TEXT NOT NULL,
            "runner" TEXT NOT NULL,
            "tool" TEXT NOT NULL,
            "interrupted" BOOLEAN NOT NULL,
            "partial" BOOLEAN NOT NULL,
            "judged_by" TEXT NOT NULL REFERENCES criteria
        )""",
        "CREATE TABLE evidence (run_id TEXT PRIMARY KEY REFERENCES runs, body {bytes} NOT NULL)",
        "CREATE INDEX runs_of_a_system ON runs (system, environment, started_at)",
    ),
    (
        'ALTER TABLE runs ADD COLUMN "branch" TEXT',
        'ALTER TABLE runs ADD COLUMN "commit" TEXT',
        """CREATE TABLE pins (
            system TEXT NOT NULL,
            environment TEXT NOT NULL,
            run_id TEXT NOT NULL UNIQUE REFERENCES runs,
            PRIMARY KEY (system, environment)
        )""",
    ),
)
"""The statements that lead from version n to n + 1, a database's own types by name."""

VERSION = len(MIGRATIONS)

COLUMNS = tuple(name for name in Run.model_fields if name != "pinned")
"""The columns of `runs` that make a Run; whether it is pinned is told by `pins`."""
