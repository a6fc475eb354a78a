"""Assessment -> report.html: report.md as one page that needs no script and no other file."""

import re
from collections.abc import Sequence
from functools import cache
from string import Template
from typing import TYPE_CHECKING, Any

from readiness import bundled
from readiness.assessment import Assessment
from readiness.escape import html
from readiness.report import markdown

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

FILE = "report.html"

_LINKS = ("link", "image", "autolink", "reference")
_FOLD = re.compile(r"<details><summary>([^<>\n]+)</summary>\n?")
_ALERT = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]")
_BREAK = "\u200b"
"""What escape.markdown keeps GitHub from making links with; here nothing would."""


def render(assessment: Assessment) -> str:
    """Return the page. Of HTML it holds what our templates write and nothing from outside."""
    body = _parser().render(markdown.render(assessment)).replace(_BREAK, "")
    template = (bundled.REPORT_TEMPLATES / "report.html").read_text("utf-8")
    name = html(f"{assessment.evidence.inventory.system.name}: production readiness")
    return Template(template).substitute(title=name, body=body)


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable("table").disable(_LINKS)
    parser.core.ruler.push("alert", _alerts)
    parser.add_render_rule("html_inline", _inline)
    parser.add_render_rule("html_block", _block)
    parser.add_render_rule("table_open", lambda *_: '<div class="table"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
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
