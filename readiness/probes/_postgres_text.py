"""Text that a Postgres keeps of its clients' -> what of it may be shown: short, without values."""

import re

_LONGEST = 80
_NAME = 30
_STRIPPED = re.compile(
    r"""
      --[^\n]*                                          # a comment
    | /\*.*?(?:\*/|\Z)
    | \$(?P<tag>[A-Za-z_]\w*|)\$.*?(?:\$(?P=tag)\$|\Z)  # text in dollars
    | (?P<text>\b[EeBbXxNn]?'(?:[^'\\]|''|\\.)*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z))
    | (?P<number>(?<![\w$"])\d[\w.]*)
    """,
    re.VERBOSE | re.DOTALL,
)
_NORMALISED = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE")


def statement(text: str) -> str:
    """Return the statement in one short line, with `?` for values and without comments.

    pg_stat_statements keeps the values of what it does not parse (SET, ALTER ROLE ... PASSWORD),
    so of those only the first two words are shown.
    """
    bare = _STRIPPED.sub(lambda m: "?" if m["text"] or m["number"] else " ", text)
    line = " ".join("".join(c if c.isprintable() else " " for c in bare).split())
    if line.partition(" ")[0].upper() not in _NORMALISED:
        return " ".join(line.split()[:2])[:_NAME]
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def name(text: str | None, longest: int = _NAME) -> str:
    """Return what somebody called something, cut to a few printable characters."""
    return "".join(c for c in text or "" if c.isprintable())[:longest]
