"""The page in a real browser: quiet, reached by keyboard, readable in both themes, on paper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from readiness.assessment import assess
from readiness.criteria import bundled_criteria
from readiness.report import FORMATS
from readiness.report.diagram import flowchart
from readiness.report.graph import Graph, Node
from tests import samples
from tests.browser import ABSENT, CHROMIUM, chromium, opened
from tests.mermaid import FOLDER, LIBRARY, WITHOUT, diagrams
from tests.pasts import remembered

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason=ABSENT),
    pytest.mark.xdist_group("browser"),
]
PHONE = 390
A4 = 718
"""CSS pixels between margins of 10 mm."""
DRAWN = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
"""By then the page knows which of its tables scroll, and so are stops of the Tab key."""
WIDER_THAN_ITS_PLACE = """[...document.querySelectorAll("body *")]
    .filter(e => e instanceof HTMLElement && !e.closest(".unseen"))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1
        || (e.clientWidth && e.scrollWidth > e.clientWidth + 1))
    .map(e => e.outerHTML.slice(0, 120))"""
HOSTILE = (
    "</script><script>window.broken=1</script><img src=x onerror=window.broken=1>\"'`#quot;${x}"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(rendered(), "utf-8")
    return file


def rendered(name: str = "html") -> str:
    return FORMATS[name].render(assess(remembered(samples.broken()), bundled_criteria()))


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1280),
        ("dark", PHONE),
        pytest.param("light", PHONE, marks=pytest.mark.thorough),
        pytest.param("dark", 1280, marks=pytest.mark.thorough),
    ],
)
def test_it_has_no_fault_that_axe_finds(
    browser: Browser, report: Path, scheme: str, width: int
) -> None:
    with opened(browser, report, width, color_scheme=scheme) as seen:
        assert not [_told(violation) for violation in violations(seen.page)]
        assert seen.said == [] and seen.asked == []


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[dict[str, Any]]:
    """Return what axe finds, all folds open; of rows that are alike it looks at three."""
    page.evaluate(
        """() => {
            document.querySelectorAll('details').forEach(fold => fold.open = true)
            const alike = 'tbody tr:nth-child(n+4), .one:nth-child(n+2), li:nth-child(n+4)'
            document.querySelectorAll(alike).forEach(one => one.remove())
        }"""
    )
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
    return list(found.response["violations"])


def _told(violation: dict[str, Any]) -> str:
    first = violation["nodes"][0]
    return f"{violation['id']}: {first['html'][:200]} {first['failureSummary']}"


def test_axe_would_find_a_fault(browser: Browser, report: Path) -> None:
    with opened(browser, report) as seen:
        seen.page.evaluate("document.querySelector('h1').style.color = '#ddd'")
        assert [v["id"] for v in violations(seen.page)] == ["color-contrast"]


@pytest.mark.parametrize(
    "width",
    [
        320,
        pytest.param(PHONE, marks=pytest.mark.thorough),
        pytest.param(768, marks=pytest.mark.thorough),
        1280,
    ],
)
def test_the_page_itself_never_scrolls_sideways(browser: Browser, report: Path, width: int) -> None:
    with opened(browser, report, width) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        shown = seen.page.evaluate(
            "[...document.querySelectorAll('.wide, .narrow')].map(e => [e.getAttribute('class'),"
            "e.getBoundingClientRect().width > 0])"
        )
        assert all(seen_ == ((name == "narrow") == (width <= 700)) for name, seen_ in shown)


def test_texts_in_charts_can_be_read_on_a_phone(browser: Browser, report: Path) -> None:
    with opened(browser, report, PHONE) as seen:
        heights = seen.page.evaluate(
            "[...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height)"
        )
        assert min(height for height in heights if height) >= 9


def test_a_table_that_goes_on_at_the_right_shows_it(browser: Browser, report: Path) -> None:
    with opened(browser, report, PHONE) as seen:
        table = seen.page.locator(".table").first
        expect(table).to_have_class("table more")
        table.evaluate("box => box.scrollLeft = box.scrollWidth")
        expect(table).to_have_class("table")


def test_every_stop_of_the_tab_key_is_seen(browser: Browser, report: Path) -> None:
    with opened(browser, report) as seen:
        seen.page.evaluate(DRAWN)
        stops = seen.page.evaluate(
            "[...document.querySelectorAll('a, button, input, select, summary, [tabindex=\"0\"]')]"
            ".filter(e => e.checkVisibility()).length"
        )
        reached = [_next_stop(seen.page) for _ in range(stops)]
        assert reached[0] == "Skip to the report" and None not in reached
        assert _next_stop(seen.page) is None
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate("document.activeElement.id") == "report"


def _next_stop(page: Page) -> str | None:
    """Press Tab; return the text of what has the focus, None if that is nothing of the page."""
    page.keyboard.press("Tab")
    found: str | None = page.evaluate(
        """() => {
            const at = document.activeElement
            if (at === document.body) return null
            const drawn = getComputedStyle(at), box = at.getBoundingClientRect()
            const visible = drawn.outlineStyle !== 'none' && parseFloat(drawn.outlineWidth) >= 1
            return visible && box.width > 1 && box.bottom > 0 && box.top < innerHeight
                ? (at.textContent.trim() || at.name || at.tagName) : 'UNSEEN ' + at.outerHTML
        }"""
    )
    assert not (found or "").startswith("UNSEEN"), found
    return found


def test_findings_are_filtered_by_text_outcome_area_and_service(
    browser: Browser, report: Path
) -> None:
    with opened(browser, report) as seen:
        page, form = seen.page, seen.page.locator("#filter")
        rows = page.locator("#findings tbody tr:visible")
        every = rows.count()
        form.get_by_label("Text").fill("LOGIN works")
        assert 0 < rows.count() < 5
        assert all("login" in text.lower() for text in rows.all_text_contents())
        form.get_by_label("Text").fill("")
        form.get_by_label("Outcome").select_option("fail")
        failed = rows.count()
        assert 0 < failed < every
        form.get_by_label("Area").select_option(label="Availability and health")
        form.get_by_label("Service").select_option(label="user-service")
        assert 0 < rows.count() < failed
        assert all("user-service" in text for text in rows.all_text_contents())
        expect(page.locator("output")).to_have_text(f"{rows.count()} of {every} rows")
        form.get_by_label("Text").fill("no such text anywhere")
        expect(page.locator("output")).to_have_text(f"0 of {every} rows")
        page.get_by_role("button", name="Show all").click()
        expect(page.locator("output")).to_have_text(f"{every} of {every} rows")
        head = page.locator("#findings th").first
        top = head.bounding_box()
        page.locator("#findings tbody tr").nth(40).evaluate("row => row.scrollIntoView()")
        box = page.locator(".tall").bounding_box()
        assert top and box and (now := head.bounding_box())
        assert abs(now["y"] - box["y"]) < 3


def test_without_javascript_all_of_it_is_there(browser: Browser, report: Path) -> None:
    with opened(browser, report, java_script_enabled=False) as seen:
        assert not seen.page.locator("#filter").is_visible()
        rows = report.read_text("utf-8").count("<tr data-outcome=")
        assert seen.page.locator("#findings tbody tr:visible").count() == rows
        assert seen.page.locator("svg:visible").count() > 10
        seen.page.locator("summary").first.click()
        assert seen.page.locator("details[open]").count() == 1


def test_on_paper_all_is_unfolded_and_nothing_is_cut(browser: Browser, report: Path) -> None:
    with opened(browser, report, color_scheme="dark") as seen:
        seen.page.emulate_media(media="print", color_scheme="dark")
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        for hidden in ("nav", "#filter"):
            assert not seen.page.locator(hidden).is_visible()
        assert seen.page.locator("details td").last.is_visible()
        seen.page.set_viewport_size({"width": A4, "height": 1000})
        assert seen.page.evaluate(WIDER_THAN_ITS_PLACE) == []
        assert len(seen.page.pdf(format="A4")) > 100_000


def test_whatever_a_server_answers_no_script_of_its_own_runs(
    browser: Browser, tmp_path: Path
) -> None:
    evidence = remembered(samples.broken())
    services = tuple(
        s.model_copy(update={"name": f"{HOSTILE}{n}", "depends_on": (f"{HOSTILE}0",) if n else ()})
        for n, s in enumerate(evidence.inventory.services)
    )
    names = {a.name: b.name for a, b in zip(evidence.inventory.services, services, strict=True)}
    inventory = evidence.inventory.model_copy(
        update={"services": services, "journeys": (), "capabilities": {}, "artifacts": ()}
    )
    measured = tuple(
        m.model_copy(update={"service": names[m.service]})
        for m in evidence.measurements
        if m.service in names
    )
    evidence = evidence.model_copy(update={"inventory": inventory, "measurements": measured})
    file = tmp_path / "report.html"
    file.write_text(FORMATS["html"].render(assess(evidence, bundled_criteria())), "utf-8")
    with opened(browser, file) as seen:
        assert seen.page.evaluate("window.broken") is None
        assert seen.page.locator("img").count() == 0
        assert seen.said == [] and seen.asked == []
        assert HOSTILE[:12] in (seen.page.locator("svg.graph").text_content() or "")


@pytest.fixture
def mermaid(browser: Browser) -> Iterator[Page]:
    """A page in which Mermaid draws as strictly as GitHub has it."""
    if LIBRARY is None:
        pytest.skip(WITHOUT)
    with opened(browser, FOLDER / "package.json") as seen:
        seen.page.add_script_tag(path=LIBRARY)
        seen.page.evaluate("mermaid.initialize({startOnLoad: false, securityLevel: 'strict'})")
        yield seen.page


def drawn(page: Page, text: str) -> list[str]:
    """Draw a diagram on the page; return its texts."""
    found: list[str] = page.evaluate(
        """text => mermaid.render('drawn', text).then(({svg}) => {
            document.body.innerHTML = svg
            return [...document.querySelectorAll('.nodeLabel, text')].map(e => e.textContent)
        })""",
        text,
    )
    return found


def test_the_diagrams_of_the_markdown_report_are_drawn_by_mermaid(mermaid: Page) -> None:
    (kind, trend), (other, needs) = diagrams(rendered("markdown"))
    assert (kind, other) == ("xychart-beta", "flowchart LR")
    assert "Score of the last 8 runs; READY needs 85" in drawn(mermaid, trend)
    assert {"api-gateway", "user-service: down"} <= set(drawn(mermaid, needs))
    wrong = "mermaid.parse('flowchart LR\\n a[\"x\" --> b', {suppressErrors: true})"
    assert mermaid.evaluate(wrong) is False


def test_a_hostile_name_is_a_label_of_a_diagram(mermaid: Page) -> None:
    names = [
        *(HOSTILE[:50], '"] --> x["', "1. a", "- a", "```", "`**b**`", "#lt;b#gt;", "$$x$$", "end"),
        *("é ☃ %%", "<b>b</b>", "a\\nb", "__c__", "%%{init: {}}%%", ":::bad", "#quot;", "+ a"),
    ]
    graph = Graph(tuple(Node(name, "good", "") for name in names), ((names[0], names[1]),), 0)
    [(_, text)] = diagrams(flowchart(graph) + "\n")
    assert drawn(mermaid, text) == names
    assert mermaid.locator("img, script[src], b").count() == 0
    assert mermaid.evaluate("window.broken") is None
