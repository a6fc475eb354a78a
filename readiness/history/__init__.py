"""Assessments -> a history of runs that outlives their folders, and back."""

from collections.abc import Mapping

from readiness.history.database import Tell
from readiness.history.run import History, HistoryError, Kept, Run
from readiness.history.where import NOWHERE, is_asked, is_missing, place

__all__ = ["History", "HistoryError", "Kept", "Run", "Tell", "is_asked", "open_history"]


def open_history(
    where: str | None,
    environ: Mapping[str, str],
    tell: Tell = lambda _: None,
    *,
    create: bool = True,
) -> History:
    """Open the history that `where` names (a path, a Postgres URL, `none`), else `environ`'s.

    `tell` is told what the user should know, such as that a damaged file was set aside. With
    `create` false a file that is not there is not made: it is a history without runs.
    HistoryError if it cannot be used.
    """
    from readiness.history.nowhere import Nowhere
    from readiness.history.store import Store

    at = place(where, environ)
    if at.url is not None:
        from readiness.history.postgres import Postgres

        return Store(Postgres(at.url))
    if at.path is None:
        return Nowhere(f"a history that is {NOWHERE}")
    if not create and is_missing(at.path):
        return Nowhere(str(at.path))
    from readiness.history.sqlite import SQLite

    return Store(SQLite(at.path, tell))
