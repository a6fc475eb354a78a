"""Text as a hostile server would write it, and Markdown as GitHub would read it."""

from collections.abc import Iterator

from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

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


def tokens(source: str) -> Iterator[Token]:
    for block in MARKDOWN.parse(source):
        yield block
        yield from block.children or ()


def shown(source: str) -> str:
    """Return the text that Markdown `source` shows."""
    return "".join(t.content for t in tokens(source) if t.type in ("text", "text_special"))
