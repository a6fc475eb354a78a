"""What a store asks of its database: transactions of the statements that both kinds understand."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Row = Sequence[Any]
Fetch = Callable[..., Sequence[Row]]
"""Runs a statement with its values for $1, $2, ... and returns its rows."""
Tell = Callable[[str], None]
"""Takes a sentence for the user, such as that a damaged file was set aside."""


class Database(Protocol):
    """A history's tables. Whatever goes wrong is a HistoryError.

    `work` gets a Fetch. It may be called again after a fault that another try can mend, so it
    must not do anything but fetch.
    """

    @property
    def where(self) -> str:
        """Return its place as it may be shown."""
        ...

    def prepare(self) -> None:
        """Make sure that it can be written to."""
        ...

    def reading(self, work: Callable[[Fetch], T]) -> T:
        """Return what `work` does in a transaction that sees one state of the tables."""
        ...

    def writing(self, work: Callable[[Fetch], T]) -> T:
        """Return what `work` does in a transaction, one at a time, once that is on disk."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
