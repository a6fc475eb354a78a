"""The page: it holds the whole report, its charts, and no tag that a server wrote."""

import functools
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import assume, example, given
from markdown_it import MarkdownIt

from readiness import escape
from readiness.assessment import assess
from readiness.assessment.percentiles import percentiles
from readiness.criteria import bundled_criteria
from readiness.evidence import Evidence
from readiness.histogram import Histogram
from readiness.report import FORMATS
from readiness.report.html import document, latencies, prose, throughput, vega
from readiness.report.page import Page as Content
from tests import samples
from tests.golden import SAMPLES
from tests.hostile import FEW, HOSTILE, sendable, spoiled
from tests.pasts import remembered

CRITERIA = bundled_criteria()


class Page(HTMLParser):
    """The tags of a page with their attributes, its text, and whether all that opens is closed."""

    VOID = ("meta", "br", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def having(self, attribute: str, value: str) -> list[dict[str, str | None]]:
        """Return the attributes of all tags one of whose is `attribute="value"`."""
        return [dict(attrs) for _, attrs in self.tags if (attribute, value) in attrs]


@functools.cache
def html(name: str) -> str:
    return FORMATS["html"].render(assess(remembered(SAMPLES[name]()), CRITERIA))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_loads_nothing_and_runs_its_own_script_alone(name: str) -> None:
    found = Page(html(name))
    assert {tag for tag, _ in found.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "script", "a", "header", "nav", "main"),
        *("section", "footer", "figure", "figcaption", "div", "h1", "h2", "h3", "p", "br", "span"),
        *(
            "strong",
            "b",
            "em",
            "code",
            "ul",
            "li",
            "dl",
            "dt",
            "dd",
            "blockquote",
            "details",
            "summary",
        ),
        *("table", "thead", "tbody", "tr", "th", "td"),
        *("form", "label", "input", "select", "option", "button", "output"),
        *("svg", "g", "path", "line", "text", "defs", "clippath", "rect"),
    }
    attributes = {name for _, attrs in found.tags for name, _ in attrs}
    assert not {a for a in attributes if a.startswith("on")} | attributes & {"style", "src"}
    links = [value for _, attrs in found.tags for name, value in attrs if name == "href"]
    assert all(link and link.startswith("#") for link in links)
    assert not re.search(r"url\((?!#)|@import|https?://", html(name))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_says_what_the_report_says(name: str) -> None:
    report = FORMATS["markdown"].render(assess(remembered(SAMPLES[name]()), CRITERIA))
    found = Page(html(name))
    marked = str(prose.signed(found.text))
    for heading in re.findall(r"^#+ (.+)$", report, re.M):
        assert Page(str(prose.inline(heading))).text in marked
    listed, kept = report.split("## All findings")[0], report.split("## How the score is made")[1]
    for cell in set(re.findall(r"(?<=\| )[^|\\&*_<]{3,}(?= \|)", listed + kept)):
        if not set(cell) <= set("-: "):
            assert Page(str(prose.inline(cell))).text in marked, cell
    assert "PyAirtable: production readiness" in found.text


def test_every_finding_is_in_the_list() -> None:
    a = assess(samples.broken(), CRITERIA)
    found = Page(FORMATS["html"].render(a))
    for outcome, n in Content(a).checks:
        assert found.having("value", outcome), outcome
        assert f"{outcome.replace('_', ' ')} ({n})" in found.text
    for finding in a.model.findings:
        assert finding.title in found.text
        if finding.outcome == "fail":
            assert finding.because in found.text


def test_the_policy_lets_the_style_and_the_script_of_the_page_through_and_nothing_else() -> None:
    [policy] = [
        str(tag["content"])
        for tag in Page(html("broken")).having("http-equiv", "Content-Security-Policy")
    ]
    for tag in ("style", "script"):
        [own] = re.findall(f"<{tag}>(.*?)</{tag}>", html("broken"), re.S)
        assert f"{tag}-src '{document._digest(own)}'" in policy
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy


def test_the_verdict_of_the_page_is_a_box_of_its_kind() -> None:
    for name, kind in (("broken", "caution"), ("fixed", "tip"), ("partial", "caution")):
        boxes = [
            dict(attrs).get("class") for tag, attrs in Page(html(name)).tags if tag == "blockquote"
        ]
        assert boxes == [f"alert {kind}"]
        assert "[!" not in html(name)


def test_the_page_shows_text_without_the_breaks_against_links() -> None:
    evidence = spoiled(samples.partial(), "see http://a.example @dana *b* <i>c</i> & d")
    text = FORMATS["html"].render(assess(evidence, CRITERIA))
    assert "see http://a.example @dana *b* &lt;i&gt;c&lt;/i&gt; &amp; d" in text
    assert "\u200b" not in text and "&#8203;" not in text


@FEW
@given(text=HOSTILE)
@example(text="<script>alert(1)</script><img src=x onerror=a()><a href='javascript:x'>y</a>")
@example(text="</details><details><summary> </td></table></title></style> {{ x }} [!TIP]")
@example(text="[l](http://a.example) ![i](http://a.example/j) <http://a.example> `c` \\| |")
def test_whatever_a_server_answers_the_page_keeps_its_tags(text: str) -> None:
    assert _bare(_spoilt(sendable(text))) == _bare(_usual())


def _spoilt(text: str) -> Page:
    return Page(FORMATS["html"].render(assess(spoiled(samples.partial(), text), CRITERIA)))


@functools.cache
def _usual() -> Page:
    return _spoilt("x")


def _bare(page: Page) -> list[tuple[str, tuple[str, ...]]]:
    """Return the tags of a page with the names of their attributes, drawings left out."""
    drawn = ("svg", "g", "path", "line", "text", "defs", "clippath", "rect")
    return [(tag, tuple(n for n, _ in attrs)) for tag, attrs in page.tags if tag not in drawn]


ATTRIBUTES = re.compile(
    r'(?: (?:class="(?:table|num|mid|unseen|flag|sign \w+|alert \w+|language-[^"]*)"|start="\d+"'
    r'|role="\w+"|tabindex="0"|scope="col"|aria-label="[^"]*"))*(?: /)?'
)
"""Those that are made of Markdown itself."""


@given(text=HOSTILE)
@example(text="<script>alert(1)</script>")
@example(text="a <b onclick=x>b</b> <br/> <!-- c -->")
@example(text="<details open ontoggle=x><summary>a</summary>")
@example(text="<details><summary><img src=x></summary>")
@example(text="> [!TIP]")
@example(text="|<b>a</b>|\n|---|\n|<img src=x>|")
@example(text="[a](javascript:b) ![c](d) <http://e.example>\n\n[a]: f")
def test_even_unescaped_markdown_brings_no_tag_of_its_own(text: str) -> None:
    tags = re.findall(r"<(\w+)((?: [^>]*)?)>", prose.rendered(text, "x"))
    for tag, attributes in tags:
        assert tag not in ("script", "img", "a", "b", "iframe", "svg", "style")
        assert ATTRIBUTES.fullmatch(attributes)


@given(text=HOSTILE.map(escape.line))
@example(text="a | b \\| c \\\\| d")
@example(text="**a** _b_ `c` &lt; &copy; ✅ ⚠️ ❌\u00a0fail")
def test_a_table_is_read_as_markdown_readers_do(text: str) -> None:
    theirs = MarkdownIt("commonmark").enable("table").disable(prose._LINKS)
    usual = theirs.render(table := f"|a|b|\n|---|---|\n| {text} | x |\n")
    assume(usual.startswith("<table>") and "<" not in text)  # of HTML we keep less than they do
    [cell, *_] = re.findall(r"<td>(.*?)</td>", usual)
    assert f"<td>{prose.signed(cell)}</td>" in prose.rendered(table, "x")


# Charts


def test_every_chart_stands_under_its_heading_and_says_aloud_what_it_shows() -> None:
    page = Page(html("broken"))
    ids = [attrs["id"] for _, found in page.tags if (attrs := dict(found)).get("id")]
    assert [i for i in ids if i and i.endswith("-chart")] == [
        *("areas-chart", "trend-chart", "dependency-chart", "latency-chart"),
        *("throughput-chart", "waterfall-chart"),
    ]
    labels = [dict(attrs)["aria-label"] for tag, attrs in page.tags if tag == "svg"]
    assert "Score 59 of 100, at best 59; 70 to pass, 85 to be ready" in labels
    assert any("api-gateway: p50 53.1 ms, p95 57.4 ms, p99 58.6 ms" in str(told) for told in labels)
    assert any("188.7" not in str(told) and "189 per second at 50" in str(told) for told in labels)


def test_equal_evidence_gives_equal_drawings() -> None:
    again = FORMATS["html"].render(assess(remembered(samples.broken()), CRITERIA))
    assert again == html("broken")
    ids = re.findall(r' id="([^"]+)"', again)
    assert len(ids) == len(set(ids))


def test_without_the_library_the_page_says_so_and_keeps_its_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "pip install" not in Page(html("broken")).text
    monkeypatch.setattr(vega, "available", lambda: False)
    text = FORMATS["html"].render(assess(remembered(samples.broken()), CRITERIA))
    assert "pip install 'readiness[html]'" in Page(text).text
    assert "<svg" not in text and "57.4 (56.9–58.3)" in text


def test_a_drawing_that_a_system_has_nothing_for_is_left_out() -> None:
    page = Content(assess(samples.keeping(samples.fixed(), "postgres", "redis"), CRITERIA))
    assert latencies.latencies(page) is None and throughput.throughput(page) is None
    text = FORMATS["html"].render(page.a)
    assert "latency-chart" not in text and "waterfall-chart" not in text
    assert "trend-chart" not in text


def test_texts_from_outside_are_text_in_a_drawing_too() -> None:
    name = "<script>alert(1)</script>\"'&{{x}}"
    drawing = vega.drawn(
        {
            "data": vega.values({"name": name}),
            "mark": "text",
            "encoding": {"text": {"field": "name"}},
        },
        name,
        "x",
    )
    assert "<script" not in drawing and "&lt;script&gt;" in drawing
    assert Page(drawing).text == name


def test_percentiles_go_as_far_as_the_answers_tell() -> None:
    evidence = samples.broken()
    points = percentiles(evidence.measurements, ["api-gateway", "redis", "nobody"])
    assert list(points) == ["api-gateway"]
    (first, p50), (last, top) = points["api-gateway"][0], points["api-gateway"][-1]
    assert first == 2 and last == pytest.approx(400)
    assert p50 == pytest.approx(53.1, rel=0.01) and top <= 59
    assert [ms for _, ms in points["api-gateway"]] == sorted(ms for _, ms in points["api-gateway"])


@pytest.mark.parametrize("text", ["", "h1.x", Histogram.of([1] * 7).encode()])
def test_a_distribution_that_is_none_is_not_drawn(text: str) -> None:
    evidence = samples.with_value(samples.broken(), "auth", "http_latency", distribution=text)
    assert not percentiles(evidence.measurements, ["auth"])


@pytest.mark.parametrize(
    ("rates", "knee"), [((10, 100, 105), 10), ((10, 100, 300), None), ((10, 5, 4), 1)]
)
def test_the_knee_is_where_more_users_bring_little_more(
    rates: tuple[float, ...], knee: int | None
) -> None:
    [load] = [v for v in Content(assess(samples.broken(), CRITERIA)).loads if v.name == "auth"]
    levels = tuple(
        level.model_copy(update={"requests_per_second": rate})
        for level, rate in zip(load.levels, rates, strict=True)
    )
    assert throughput._knee(replace(load, levels=levels)) == knee


def test_of_many_services_the_worst_are_drawn() -> None:
    evidence = _alike(15)
    slow = samples.with_value(
        evidence, "auth-7", "http_latency", p95_ms=samples._quantile(900, 400, 95)
    )
    page = Content(assess(slow, CRITERIA))
    figure = latencies.latencies(page)
    assert figure and len(figure.panels) == latencies.MOST
    assert figure.panels[0].title == "auth-7" and "3 more in the table" in figure.caption
    loads = throughput.throughput(page)
    assert loads and len(loads.panels) == throughput.MOST


def _alike(n: int) -> Evidence:
    """Return evidence of `n` services like auth, all of them up."""
    base = samples.fixed()
    auth = base.inventory.service("auth").model_copy(update={"depends_on": ()})
    services = tuple(auth.model_copy(update={"name": f"auth-{i}"}) for i in range(n))
    timed = [m for m in base.measurements if m.service == "auth"]
    measured = (m.model_copy(update={"service": s.name}) for s in services for m in timed)
    update = {"services": services, "journeys": (), "capabilities": {}, "artifacts": ()}
    inventory = base.inventory.model_copy(update=update)
    return base.model_copy(update={"inventory": inventory, "measurements": tuple(measured)})


def test_the_trend_of_a_year_is_cut_to_its_end() -> None:
    evidence = remembered(samples.broken(), 100, timedelta(days=3))
    text = FORMATS["html"].render(assess(evidence, CRITERIA))
    assert "Score of the last 60 runs" in text
