"""Text from outside -> the same text, harmless in one kind of output: one function for each.

All of them return a single line without control, invisible or direction-changing characters,
cut to `limit` characters, and keep it readable. None needs to know where the text came from.
"""

import html as _html
import re
from collections.abc import Callable

LIMIT = 400
"""Characters of a text that are kept unless the caller says otherwise."""

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"  # control sequences: colours, cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]{0,512}(?:\x07|\x1b\\|\x9c)"  # titles
)
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Default_Ignorable_Code_Point of Unicode 15 (zero-width, bidi, tags) and U+FFF9 to U+FFFB.

Spelled out, because categories differ between the Unicode tables of Python versions.
"""
_INVISIBLE = re.compile(f"[{_UNSEEN}]")
_COMMAND = re.compile(
    rf"(?P<start>(?:^|\r)[^\S\r\n]*(?:[{_UNSEEN}][^\S\r\n]*)*:)(?=[{_UNSEEN}]*:)"
    rf"|(?P<mark>#)(?=[{_UNSEEN}]*#[\w{_UNSEEN}]*\[)",
    re.MULTILINE,
)
"""What GitHub's runner, Azure's and TeamCity's take for the beginning of a command; the first of
them compares as people read, without what is invisible."""
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 1 << 16)
    )
    + "]"
)
_BREAK = "&#8203;"
"""A zero-width space: GitHub turns @, # and URLs into links after Markdown, escaped or not."""

_MARKDOWN = re.compile(
    r"(?P<entity>[<>$]|&(?=\#?\w{1,32};))"
    r"|(?P<heading>^\#)"
    r"|(?P<slash>[\\`*\[\]|~]|^(?:[-+](?=[-\s]|$)|=)|(?<![^\W_])_|_(?![^\W_]))"
    r"|(?P<number>^\d{1,9}(?=[.)](?:\s|$)))"
    r"|(?P<split>@(?=\w)|\#(?=\w)|:(?=//)|www(?=\.)|GH-(?=\d)|:(?=(?!\d\d:)[\w+-]{1,40}:))",
    re.IGNORECASE,
)
_WRITTEN: dict[str, Callable[[str], str]] = {
    "entity": lambda found: f"&#{ord(found)};" if found == "$" else _html.escape(found),
    "heading": lambda found: f"\\{found}{_BREAK}",
    "slash": lambda found: f"\\{found}",
    "number": lambda found: f"{found}\\",
    "split": lambda found: f"{found}{_BREAK}",
}

_DIAGRAM = re.compile(r"[^\w .,/()-]|(?<=\d)\.(?= )")
"""All but plain words; a number with a point would begin a list."""

_RICH = re.compile(r"(?P<slashes>\\*)\[(?P<tag>(?=[a-z#/@][^\[]*?\]))?")
"""An opening bracket; only before a tag does Rich halve the backslashes in front of it."""


def line(text: str, limit: int = LIMIT) -> str:
    """Return `text` as one line of printable characters, at most `limit` of them.

    Terminal sequences and invisible characters are dropped, runs of whitespace become one
    space, whatever else cannot be printed becomes U+FFFD. Nothing is escaped.
    """
    looked_at = text[: 16 * limit]
    cleaned = clean(looked_at)
    if len(cleaned) <= limit and len(looked_at) == len(text):
        return cleaned
    return cleaned[: limit - 1].rstrip() + "…"


def clean(text: str) -> str:
    """Return the whole of `text` as `line` has it, uncut."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = " ".join(_INVISIBLE.sub("", _ANSI.sub("", text)).split())
    return _UNPRINTABLE.sub("\ufffd", text)


def markdown(text: str, limit: int = LIMIT) -> str:
    """Escape `text` for a paragraph, list item or table cell of GitHub-flavoured Markdown.

    It shows as it is: no markup, HTML, link, mention, reference, emoji or formula arises.
    """

    def written(match: re.Match[str]) -> str:
        assert match.lastgroup is not None
        return _WRITTEN[match.lastgroup](match[0])

    return _MARKDOWN.sub(written, line(text, limit))


def html(text: str, limit: int = LIMIT) -> str:
    """Escape `text` for the content of an HTML element or for a quoted attribute."""
    return _html.escape(line(text, limit))


def mermaid(text: str, limit: int = LIMIT) -> str:
    """Escape `text` for a quoted label of a Mermaid diagram, fenced in Markdown.

    It can neither end its quotes nor the fence, nor be taken for HTML, Markdown or an entity.
    """
    return _DIAGRAM.sub(lambda found: f"#{ord(found[0])};", line(text, limit))


def terminal(text: str, limit: int = LIMIT) -> str:
    """Escape `text` for Rich's console markup (with `emoji=False`)."""
    text = _RICH.sub(
        lambda found: found["slashes"] * (1 + (found["tag"] is not None)) + r"\[", line(text, limit)
    )
    # a backslash at the end would escape the tag that the caller closes with
    return f"{text} " if text.endswith("\\") else text


def ci_log(text: str, limit: int = LIMIT) -> str:
    """Escape `text` for a line of a CI log: it starts no command of the runner.

    GitHub obeys `::name::` at the start of a line, Azure, TeamCity and the older GitHub runner
    `##name[` anywhere.
    """
    return inert(line(text, limit))


def inert(text: str) -> str:
    """Return the lines of `text` as they are, but that none starts a command of a CI's runner."""
    return _COMMAND.sub(r"\g<0> ", text)


def spreadsheet(text: str, limit: int = LIMIT) -> str:
    """Escape `text` for a CSV cell that a spreadsheet would take for a formula (OWASP)."""
    text = line(text, limit)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def prometheus(text: str, limit: int = LIMIT) -> str:
    """Escape `text` for a quoted label value of Prometheus' text format."""
    return line(text, limit).replace("\\", "\\\\").replace('"', '\\"')
