"""Rows of text -> an aligned table; a measured figure and its bound -> a line with ok or MISSED."""

from collections.abc import Sequence
from dataclasses import dataclass


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n## {title}\n")
    everything = [header, *rows]
    widths = [max(len(row[i]) for row in everything) for i in range(len(header))]
    for row in everything:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([row[0].ljust(len(first)), *others]))


@dataclass(frozen=True)
class Bound:
    """What was promised of `what`, and what came out."""

    what: str
    measured: float
    promised: float
    at_least: bool = True
    unit: str = ""

    @property
    def kept(self) -> bool:
        """Whether the promise is kept; not by a figure that is no number."""
        if self.at_least:
            return self.measured >= self.promised
        return self.measured <= self.promised

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        state = "ok" if self.kept else "MISSED"
        promised = f"{sign} {self.promised:g}{self.unit}"
        return f"{state:6}  {self.what}: {self.measured:.3g}{self.unit} ({promised})"


def at_most(what: str, measured: float, promised: float, unit: str = "") -> Bound:
    return Bound(what, measured, promised, at_least=False, unit=unit)


def count(figure: float) -> str:
    return f"{figure:,.0f}"


def number(figure: float | None, digits: int = 2) -> str:
    return "-" if figure is None else f"{figure:.{digits}f}"
