"""Text as a hostile server would write it, and Markdown as GitHub would read it."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from readiness import escape
from readiness.evidence import Evidence
from readiness.measurement import NOT_FINITE

FEW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
"""For what takes a whole report to try."""
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

PIECES = st.sampled_from(
    [
        *(
            "|",
            "\\",
            "`",
            "*",
            "_",
            "~",
            "[",
            "]",
            "(",
            ")",
            "!",
            "<",
            ">",
            "&",
            "#",
            "@",
            ":",
            "$",
        ),
        *("-", "=", "+", "1.", "a", "é", " ", "\n", "\r", "\t", "\x00", "\x1b[31m", "\x1b]0;t\x07"),
        *(
            "\u202e",
            "\u200b",
            "\u2028",
            "\ud800",
            "\ufffe",
            "\x9b1m",
            "\x85",
            "://",
            "www.",
            "GH-1",
        ),
        *("<b>", "</td>", "<!--", "![a](b)", "[a](b)", "[^1]", "@dana", "#12", "https://a.example"),
        *("::set-output name=a::b", "##[error]", "##vso[a]", "[/]", "[bold]", "&copy;", ":tada:"),
        *("<https://a.example>", "a@b.example", "```", "~~~", "---", "***", "| a |", "\\|", "<br>"),
    ]
)
HOSTILE = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))


def sendable(text: str) -> str:
    """Return `text` as it can be in evidence; nothing to try where that leaves nothing."""
    text = text.encode("utf-8", "replace").decode()
    assume(escape.line(text) and escape.line(text) not in NOT_FINITE)
    return text


def tokens(source: str) -> Iterator[Token]:
    for block in MARKDOWN.parse(source):
        yield block
        yield from block.children or ()


def shown(source: str) -> str:
    """Return the text that Markdown `source` shows."""
    return "".join(t.content for t in tokens(source) if t.type in ("text", "text_special"))


def spoiled(evidence: Evidence, text: str) -> Evidence:
    """Return `evidence` with `text` in every place that text from outside can reach."""
    data = json.loads(evidence.to_json())
    line = escape.line(text, 190)
    data["tool"]["version"] = text
    data["inventory"]["system"] |= {"name": line, "version": line}
    for service in data["inventory"]["services"]:
        service["owner"] = line
    for capability in data["inventory"]["capabilities"].values():
        capability["title"] = line
    for waiver in data["inventory"]["waivers"]:
        waiver |= {"reason": line, "owner": line}
    for measurement in data["measurements"]:
        values: dict[str, Any] = measurement["values"]
        values |= {key: text for key, value in values.items() if isinstance(value, str)}
        values |= {f"{key}_because": text for key in list(values)}
        if measurement["failure"]:
            measurement["failure"]["detail"] = text
    return Evidence.model_validate(data)
