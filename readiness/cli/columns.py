"""Rows of cells -> lines of columns that stand below each other, for a terminal or a log."""

from collections.abc import Collection, Iterator, Sequence

from readiness.escape import ci_log

_WIDEST = 60


def columns(
    heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str]
) -> Iterator[str]:
    """Yield a line for `heads` and for each row; the columns of these heads stand to the right."""
    shown = [[ci_log(cell, _WIDEST) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (
            cell.rjust(width) if head in numbers else cell.ljust(width)
            for head, cell, width in zip(heads, row, widths, strict=True)
        )
        yield "  ".join(cells).rstrip()
