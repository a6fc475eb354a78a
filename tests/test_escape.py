"""Whatever text comes from outside, it does nothing but show."""

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.text import Text

from readiness import escape
from tests.hostile import HOSTILE, shown, tokens
from tests.runner_commands import suspicious

FUNCTIONS = [
    escape.line,
    escape.markdown,
    escape.html,
    escape.terminal,
    escape.ci_log,
    escape.spreadsheet,
    escape.prometheus,
]


def visible(text: str) -> str:
    return text.replace("\u200b", "")


@given(HOSTILE, st.integers(2, 500))
def test_a_line_is_one_printable_line_of_bounded_length(text: str, limit: int) -> None:
    found = escape.line(text, limit)
    assert len(found) <= limit
    assert found.splitlines() in ([], [found])
    assert found == found.strip()
    assert found.isprintable() or not text.isprintable()
    found.encode("utf-8")


@pytest.mark.parametrize("function", FUNCTIONS)
@given(text=HOSTILE)
def test_every_escape_gives_a_single_line(function: Callable[[str], str], text: str) -> None:
    assert len(function(text).splitlines()) <= 1
    assert "\x1b" not in function(text)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("text", ["connection refused", "HTTP 503: 248", "p95 of 53.2 ms, n = 400"])
def test_plain_words_stay_as_they_are(function: Callable[[str], str], text: str) -> None:
    assert function(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("two\nlines\r\n of\ttext\u2028here", "two lines of text here"),
        ("\x1b[1;31mred\x1b[0m and \x1b]0;title\x07plain", "red and plain"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07 and lone \ud800 half", "bell\ufffd and lone \ufffd half"),
        ("  spaces around  ", "spaces around"),
        ("", ""),
    ],
)
def test_a_line_keeps_what_can_be_read(text: str, kept: str) -> None:
    assert escape.line(text) == kept


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert escape.line("word " * 100, 20) == "word word word word…"
    assert escape.markdown("|" * 100, 5) == r"\|\|\|\|…"


def test_a_flood_of_terminal_sequences_is_cut_before_it_costs_time() -> None:
    assert len(escape.line("\x1b]" * 5_000_000)) <= escape.LIMIT


# Markdown


@given(HOSTILE)
@example("\\|")
@example("a | b | c")
@example("\\")
@example("_a_ __b__ a_b")
@example("1. a")
@example("***")
@example("[a]: https://b.example")
def test_a_paragraph_shows_the_text_and_nothing_else(text: str) -> None:
    found = list(tokens(escape.markdown(text)))
    allowed = {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
    assert {t.type for t in found} <= allowed
    assert visible(shown(escape.markdown(text))) == escape.line(text)


@given(HOSTILE, HOSTILE)
def test_a_table_keeps_its_cells_and_their_text(one: str, other: str) -> None:
    cells = [escape.markdown(one), escape.markdown(other)]
    source = f"| A | B |\n|---|---|\n| {cells[0]} | {cells[1]} |\n| x | y |\n"
    found = list(tokens(source))
    assert sum(t.type == "td_open" for t in found) == 4
    assert not {t.type for t in found} & {
        *("link_open", "image", "html_inline", "html_block", "strong_open", "em_open", "s_open"),
        *("code_inline", "heading_open", "softbreak", "hardbreak"),
    }
    texts = [t for t in found if t.type == "inline"]
    read = ["".join(c.content for c in t.children or ()) for t in texts][2:4]
    assert [visible(cell) for cell in read] == [escape.line(one), escape.line(other)]


@given(HOSTILE)
def test_a_list_item_holds_no_list(text: str) -> None:
    found = [t.type for t in tokens(f"- {escape.markdown(text)}\n")]
    assert found.count("list_item_open") == 1
    assert "ordered_list_open" not in found
    assert "heading_open" not in found


@given(HOSTILE)
def test_nothing_is_left_for_what_github_does_after_markdown(text: str) -> None:
    """GitHub links these in the text that Markdown has made, where no escape is left."""
    found = shown(escape.markdown(text))
    assert not re.search(r"@\w|#\w|GH-\d|://|www\.|:[a-z]+:", found, re.IGNORECASE)
    assert "$" not in escape.markdown(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", r"a\|b"),
        ("<img src=x onerror=y>", "&lt;img src=x onerror=y&gt;"),
        ("[click](https://a.example)", r"\[click\](https:&#8203;//a.example)"),
        ("www.a.example", "www&#8203;.a.example"),
        ("cc @dana, see #12 and GH-7", "cc @&#8203;dana, see #&#8203;12 and GH-&#8203;7"),
        ("snake_case and _emphasis_", r"snake_case and \_emphasis\_"),
        ("`code` **bold** ~~gone~~", r"\`code\` \*\*bold\*\* \~\~gone\~\~"),
        ("# heading", r"\#&#8203; heading"),
        ("- item", r"\- item"),
        ("2. item", r"2\. item"),
        ("2.5 ms", "2.5 ms"),
        ("&copy; 2026", "&amp;copy; 2026"),
        ("costs $5 or $6", "costs &#36;5 or &#36;6"),
        (":white_check_mark: at 10:37:00", ":&#8203;white_check_mark: at 10:37:00"),
    ],
)
def test_markdown_is_written_to_be_read(text: str, written: str) -> None:
    assert escape.markdown(text) == written


# Other sinks


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[object] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(HOSTILE)
def test_html_shows_the_text_in_an_element_and_an_attribute(text: str) -> None:
    parser = Elements()
    parser.feed(f'<p title="{escape.html(text)}">{escape.html(text)}</p>')
    parser.close()
    assert parser.tags == [("p", [("title", escape.line(text))]), "p"]
    assert parser.text == escape.line(text)


@given(HOSTILE)
@example("[/]")
@example("\\[bold]")
@example("[\\[/]")
@example("a\\")
def test_rich_shows_the_text_without_style(text: str) -> None:
    found = Text.from_markup(f"[green]{escape.terminal(text)}[/green]!", emoji=False)
    assert found.plain.removesuffix("!").rstrip() == escape.line(text).rstrip()
    assert {str(span.style) for span in found.spans} <= {"green"}


@given(HOSTILE)
def test_a_log_line_is_no_command_of_the_runner(text: str) -> None:
    found = escape.ci_log(text)
    assert not found.lstrip().startswith("::")
    assert not re.search(r"##\w*\[", found)


def test_a_log_line_stays_readable() -> None:
    assert escape.ci_log("::set-output name=a::b") == ": :set-output name=a::b"
    assert escape.ci_log("x ##[error] y ##vso[z]") == "x # #[error] y # #vso[z]"
    assert escape.ci_log("##teamcity[a] at ::1") == "# #teamcity[a] at ::1"


@given(HOSTILE)
def test_a_spreadsheet_finds_no_formula(text: str) -> None:
    assert escape.spreadsheet(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")
    out = io.StringIO()
    csv.writer(out).writerow([escape.spreadsheet(text), "end"])
    assert len(list(csv.reader(io.StringIO(out.getvalue())))) == 1


@given(HOSTILE)
def test_a_label_of_prometheus_ends_at_its_quote(text: str) -> None:
    found = re.fullmatch(r'a="((?:[^"\\]|\\[\\"])*)"', f'a="{escape.prometheus(text)}"')
    assert found
    assert re.sub(r"\\(.)", r"\1", found[1]) == escape.line(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::error::x", ": :error::x"),
        ("a\n  ::error::x\r::b", "a\n  : :error::x\r: :b"),
        ("\u200b\t:\u00ad:x", "\u200b\t: \u00ad:x"),
        ("a ##[b]  ###vso[c] #\u200b#d[", "a # #[b]  ## #vso[c] # \u200b#d["),
        ("a ::error::b\t c\n# ## [x]", "a ::error::b\t c\n# ## [x]"),
    ],
)
def test_inert_lines_start_no_command_and_are_otherwise_as_they_were(
    text: str, expected: str
) -> None:
    assert escape.inert(text) == expected
    assert suspicious(escape.inert(text)) == []
