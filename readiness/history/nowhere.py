"""The history of those who keep none."""

from collections.abc import Collection, Sequence

from readiness.assessment import Assessment
from readiness.history.run import HistoryError, Kept, Packed, Run, kept


class Nowhere:
    """A history without runs, in which none stays."""

    def __init__(self, where: str) -> None:
        self.where = where

    def prepare(self) -> None:
        """See History."""

    def add(self, assessment: Assessment) -> Run:
        """See History."""
        return kept(assessment).run

    def take(self, runs: Sequence[Packed]) -> int:
        """See History."""
        raise self._none()

    def runs(
        self,
        system: str | None = None,
        environment: str | None = None,
        branch: str | None = None,
        limit: int | None = None,
        complete: bool = False,
    ) -> Sequence[Run]:
        """See History."""
        return ()

    def find(self, run: str) -> Run:
        """See History."""
        raise self._none()

    def get(self, run: str) -> Kept:
        """See History."""
        raise self._none()

    def pin(self, run: str, pinned: bool = True) -> Run:
        """See History."""
        raise self._none()

    def remove(self, runs: Collection[str]) -> int:
        """See History."""
        return 0

    def close(self) -> None:
        """See History."""

    def _none(self) -> HistoryError:
        return HistoryError(
            f"no run is kept in {self.where}.",
            fix="`readiness run` keeps one; --history names another place.",
        )
