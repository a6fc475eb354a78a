"""Texts -> one of the first few different ones and how many more there are."""

from collections.abc import Iterable


def few(texts: Iterable[str], most: int = 3, *, between: str = "; ") -> str:
    """Return `most` of the texts at most, none of them twice; empty if there are none."""
    different = list(dict.fromkeys(texts))
    more = [f"{len(different) - most} more"] if len(different) > most else []
    return between.join([*different[:most], *more])
