"""Markdown of our reports -> HTML that holds what the templates write and nothing from outside."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape as quoted
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from readiness.escape import html
from readiness.report.words import ICONS, Sign

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

_LINKS = ("link", "image", "autolink", "reference")
_FOLD = re.compile(r"<details><summary>([^<>\n]+)</summary>\n?")
_ALERT = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]")
_TABLE = re.compile(r"^(\|.*\n\|(?::?-+:?\|)+\n(?:\|.*\n)*)", re.M)
_CELLS = re.compile(r"(?<!\\)\|")
_MARKED = re.compile(r"[\\*_`<>&\[\]!~\"]")
"""What makes a cell more than plain text."""
_BREAK = "\u200b"
"""What escape.markdown keeps GitHub from making links with; here nothing would."""
_MARKS: Mapping[Sign, tuple[str, str]] = {
    "good": ("✓", "good"),
    "fair": ("!", "fair"),
    "bad": ("✕", "bad"),
    "unknown": ("?", "unknown"),
}
_SIGN = re.compile(f"({'|'.join(ICONS[sign] for sign in _MARKS)})(\N{NO-BREAK SPACE}\\w+)?")
"""An icon, with the word that must not be parted from it."""
_UNNAMED = {":-:": "Result", "--:": "Number"}
"""How a column without a title is read out, by its alignment."""
_CLASSES = {":-:": ' class="mid"', "--:": ' class="num"'}


def rendered(text: str, name: str) -> Markup:
    """Return the Markdown `text` as HTML; its tables are read out as tables of `name`.

    Large reports are nearly all tables, of few different cells: they are read here, since
    markdown-it takes 5 s for a megabyte of them. Everything else is left to it.
    """
    written: dict[str, str] = {}
    parts = (
        "".join(_table(part, name, written)) if n % 2 else _parser().render(part)
        for n, part in enumerate(_TABLE.split(text))
    )
    return signed("".join(parts).replace(_BREAK, ""))


def inline(text: str) -> Markup:
    """Return one line of Markdown as HTML."""
    return signed(str(_parser().renderInline(text)).replace(_BREAK, ""))


def signed(text: str) -> Markup:
    """Return HTML with the signs of an outcome drawn alike on every machine, and readable aloud."""
    return Markup(_SIGN.sub(lambda found: _drawn(found[1], found[2]), text))


def _drawn(icon: str, word: str) -> str:
    sign = next(sign for sign in _MARKS if ICONS[sign] == icon)
    mark, name = _MARKS[sign]
    drawn = f'<span class="sign {sign}" role="img" aria-label="{name}">{mark}</span>'
    return f'<span class="flag">{drawn}{word}</span>' if word else drawn


def pairs(text: str) -> tuple[tuple[str, Markup], ...]:
    """Return a table of one row as (title, HTML) pairs."""
    head, _, row = (_CELLS.split(line)[1:-1] for line in text.strip().splitlines())
    return tuple(
        (title.strip(), inline(cell.strip())) for title, cell in zip(head, row, strict=True)
    )


def _table(text: str, name: str, written: dict[str, str]) -> Iterator[str]:
    """Yield a table as rows; `written` keeps the HTML of cells that were met before."""
    head, rule, *body = (_CELLS.split(line)[1:-1] for line in text.strip("\n").split("\n"))
    classes = [_CLASSES.get(align, "") for align in rule]
    label = quoted(f"Table: {name}")
    yield f'<div class="table" role="group" tabindex="0" aria-label="{label}"><table>\n<thead><tr>'
    for cell, align, cls in zip(head, rule, classes, strict=False):
        title = _cell(cell, written)
        unnamed = f'<span class="unseen">{_UNNAMED.get(align, "Name")}</span>'
        yield f'<th scope="col"{cls}>{title or unnamed}</th>'
    yield "</tr></thead>\n<tbody>\n"
    for row in body:
        cells = (
            f"<td{c}>{_cell(cell, written)}</td>" for cell, c in zip(row, classes, strict=False)
        )
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody></table></div>\n"


def _cell(text: str, written: dict[str, str]) -> str:
    text = text.strip(" \t")
    if not _MARKED.search(text):
        return text
    if text not in written:
        written[text] = _parser().renderInline(text.replace(r"\|", "|"))
    return written[text]


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).disable(_LINKS)
    parser.core.ruler.push("alert", _alerts)
    parser.add_render_rule("html_inline", _inline)
    parser.add_render_rule("html_block", _block)
    return parser


def _inline(_: Any, tokens: "Sequence[Token]", index: int, *__: Any) -> str:
    """Let a line break through; whatever else looks like HTML is text."""
    written = tokens[index].content
    return written if written == "<br>" else html(written)


def _block(_: Any, tokens: "Sequence[Token]", index: int, *__: Any) -> str:
    """Let the two ends of a fold through; whatever else looks like HTML is text."""
    written = tokens[index].content
    if written.strip() == "</details>":
        return "</details>\n"
    if fold := _FOLD.fullmatch(written):
        return f"<details><summary>{_parser().renderInline(fold[1])}</summary>\n"
    return f"<p>{html(written)}</p>\n"


def _alerts(state: "StateCore") -> None:
    """Make a box of each quotation that begins with `[!KIND]`, and drop that line."""
    for quote, first, words in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if (quote.type, first.type) != ("blockquote_open", "paragraph_open"):
            continue
        kind = _ALERT.fullmatch(words.content.partition("\n")[0])
        if kind and words.children:
            quote.attrSet("class", f"alert {kind[1].lower()}")
            breaks = [n for n, child in enumerate(words.children) if child.type == "softbreak"]
            words.children = words.children[breaks[0] + 1 :] if breaks else []
