"""Each format held against the schema of those who read it, or read by one of them."""

import csv
import functools
import io
import json
import posixpath
import re
import shutil
import subprocess
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cmarkgfm
import jsonschema
import junitparser
import pytest
import xmlschema
from cmarkgfm.cmark import Options
from hypothesis import given, settings
from prometheus_client.parser import text_string_to_metric_families

from readiness.assessment import Assessment, assess
from readiness.criteria import bundled_criteria
from readiness.evidence import Evidence
from readiness.finding import Finding
from readiness.report import FORMATS, markdown, problems, sarif, summary
from readiness.report.page import Page
from tests import samples
from tests.hostile import FEW, HOSTILE, sendable, spoiled

CRITERIA = bundled_criteria()
SCHEMAS = Path(__file__).parent / "schemas"
NASTY = (
    "/close\n| a | b |\n<!-- --> <details><b>\"'&amp;]]>\\|`~[x](http://d.example) @dana #12 "
    "=1+1 -1 +1 ::error::x ##[add-mask]y {0} %25 \x1b[31m\u202e $x$ :tada: ${z}"
)


@functools.cache
def assessment(name: str) -> Assessment:
    """Return one of the samples, `hostile` with NASTY in every place it can reach."""
    if name == "plain":
        return assess(spoiled(samples.partial(), "x"), CRITERIA)
    if name == "hostile":
        return assess(spoiled(samples.partial(), NASTY), CRITERIA)
    return assess(getattr(samples, name)(), CRITERIA)


each = pytest.mark.parametrize("name", ["broken", "fixed", "partial", "hostile"])


def rendered(form: str, name: str) -> str:
    return FORMATS[form].render(assessment(name))


# JUnit: Jenkins, GitLab, Buildkite


@functools.cache
def junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")


@each
def test_junit_is_valid_by_the_schema_of_jenkins(name: str) -> None:
    junit_schema().validate(rendered("junit", name))


@each
def test_junitparser_counts_what_was_judged(name: str) -> None:
    suites = junitparser.JUnitXml.fromstring(rendered("junit", name).encode())
    assert isinstance(suites, junitparser.JUnitXml)
    cases = [case for suite in suites for case in suite]
    results = [one for case in cases for one in case.result]
    for told, kind in ((suites.failures, junitparser.Failure), (suites.errors, junitparser.Error)):
        assert told == sum(isinstance(one, kind) for one in results)
    assert suites.tests == len(cases)
    found = assessment(name).model.findings
    assert len(cases) == len(found)
    assert suites.failures == sum(f.outcome == "fail" and not f.waived for f in found)


@each
def test_gitlab_tells_the_cases_of_junit_apart_and_has_a_text_to_show(name: str) -> None:
    """It keeps one case for each class and name, and shows the text of what is not a pass."""
    suites = junitparser.JUnitXml.fromstring(rendered("junit", name).encode())
    cases = [case for suite in suites for case in suite]
    assert len({(case.classname, case.name) for case in cases}) == len(cases)
    for case in cases:
        assert all(one.text or isinstance(one, junitparser.Skipped) for one in case.result)


# SARIF: GitHub code scanning


@functools.cache
def sarif_schema() -> jsonschema.Draft4Validator:
    schema = json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text("utf-8"))
    return jsonschema.Draft4Validator(schema)


def run_of(text: str) -> dict[str, Any]:
    """Return the run of a log, having checked it by the schema and what GitHub demands beyond.

    docs.github.com, "SARIF support for code scanning".
    """
    log = json.loads(text)
    sarif_schema().validate(log)
    (run,) = log["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        assert len(rule["id"]) <= 255
        assert len(rule["properties"]["tags"]) <= 20
        assert max(len(rule[k]["text"]) for k in ("shortDescription", "fullDescription")) <= 1024
    assert len(run["results"]) <= 25_000
    for result in run["results"]:
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(?!/)(?:[\w.~/-]|%[0-9A-F]{2})+", uri), uri
        assert location["physicalLocation"]["region"]["startLine"] >= 1
    prints = [r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"]]
    assert len(set(prints)) == len(prints)
    return dict(run)


@each
def test_sarif_is_valid_and_as_github_demands(name: str) -> None:
    run_of(rendered("sarif", name))


def test_sarif_stays_below_the_results_that_github_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    total = len(run_of(rendered("sarif", "broken"))["results"])
    monkeypatch.setattr(sarif, "MOST", 3)
    run = run_of(rendered("sarif", "broken"))
    assert [result["level"] for result in run["results"]] == ["error"] * 3
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told["message"]["text"].startswith(f"{total - 3} more results")


def test_two_inventories_of_a_repository_do_not_take_each_others_place() -> None:
    """GitHub drops what a category held before; it is what comes before the last slash."""

    def category(evidence: Evidence) -> str:
        log = json.loads(FORMATS["sarif"].render(assess(evidence, CRITERIA)))
        return str(log["runs"][0]["automationDetails"]["id"]).rpartition("/")[0]

    one = samples.fixed()
    source = one.source.model_copy(update={"path": "deploy/services.yaml"})
    other = one.model_copy(update={"source": source})
    assert category(one) == category(samples.broken()) != category(other)


# Where a problem is shown


def placed(finding: Finding, path: str) -> problems.Place:
    """Return where a Compose finding is shown if the inventory is at `path`."""
    source = samples.broken().source.model_copy(update={"path": path, "lines": {"redis": 7}})
    return problems._place(finding, "compose_file", source)


def test_what_a_file_describes_is_shown_in_that_file() -> None:
    found = next(f for f in assessment("broken").model.findings if f.check == "compose-data-ports"
                 and f.outcome == "fail")  # fmt: skip
    assert found.because.startswith("compose.yaml:355 redis: ")
    assert placed(found, "services.yaml") == ("compose.yaml", 355)
    assert placed(found, "deploy/services.yaml") == ("deploy/compose.yaml", 355)
    above = found.model_copy(update={"because": f"../{found.because}"})
    assert placed(above, "deploy/services.yaml") == ("compose.yaml", 355)
    for because in ("../../x.yaml:1 a: b", "/etc/passwd:1 a: b", "x.yaml:0 a", "no place", ":1 a"):
        wrong = found.model_copy(update={"because": because})
        assert placed(wrong, "deploy/services.yaml") == ("deploy/services.yaml", 7), because
    other = found.model_copy(update={"service": "unlisted", "because": "none"})
    assert placed(other, "services.yaml") == ("services.yaml", 1)


# GitLab Code Quality


@each
def test_gitlab_takes_every_entry(name: str) -> None:
    """It drops those that its schema does not take, and those of a fingerprint it has."""
    schema = json.loads((SCHEMAS / "gitlab-codeclimate.json").read_text("utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    text = rendered("gitlab", name)
    assert not text.startswith("\ufeff")
    issues = json.loads(text)
    for issue in issues:
        validator.validate(issue)
        assert issue["severity"] in ("blocker", "critical", "major", "minor", "info")
        path = issue["location"]["path"]
        assert path == posixpath.normpath(path) and not path.startswith(("/", ".."))
        assert issue["location"]["lines"]["begin"] >= 1
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)


# Prometheus


@each
def test_prometheus_reads_the_numbers_and_names(name: str) -> None:
    families = {f.name: f for f in text_string_to_metric_families(rendered("prometheus", name))}
    found = assessment(name)
    (score,) = families["readiness_score"].samples
    assert score.value == found.model.decision.value
    system = found.evidence.inventory.system.name
    assert score.labels == {"system": system, "environment": found.evidence.environment}
    assert sum(s.value for s in families["readiness_verdict"].samples) == 1
    outcomes = sum(s.value for s in families["readiness_findings"].samples)
    assert outcomes == len(found.model.findings)
    assert {f.type for f in families.values()} == {"gauge"}
    assert all(f.documentation for f in families.values())


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@each
def test_promtool_has_no_objection(name: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=rendered("prometheus", name),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# The badge of shields.io

BADGE: Mapping[str, Any] = {
    "type": "object",
    "required": ["schemaVersion", "label", "message"],
    "additionalProperties": False,
    "properties": {
        "schemaVersion": {"const": 1},
        "label": {"type": "string"},
        "message": {"type": "string", "minLength": 1},
        "color": {"enum": ["brightgreen", "green", "yellow", "orange", "red", "lightgrey"]},
        "labelColor": {"type": "string"},
        "isError": {"type": "boolean"},
        "namedLogo": {"type": "string"},
        "logoSvg": {"type": "string"},
        "logoColor": {"type": "string"},
        "logoSize": {"type": "string"},
        "style": {"type": "string"},
    },
}
"""By shields.io/badges/endpoint-badge: an unknown property is refused."""


@each
def test_shields_draws_the_badge(name: str) -> None:
    jsonschema.validate(json.loads(rendered("badge", name)), BADGE)


# Spreadsheets


@each
def test_csv_is_that_of_rfc_4180_and_holds_no_formula(name: str) -> None:
    text = rendered("csv", name)
    assert text.count("\r\n") == text.count("\n") == text.count("\r")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(rows) == 1 + len(assessment(name).model.findings)
    for cell in (cell for row in rows for cell in row):
        assert cell[:1] not in ("=", "+", "@", "\t", "\r")
        assert cell[:1] != "-" or float(cell) < 0


# Markdown, rendered by GitHub's own cmark


class Skeleton(HTMLParser):
    """The tags of a page in order, with the number of cells of each row."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[int]] = []
        self.comments: list[str] = []
        self.feed(
            cmarkgfm.github_flavored_markdown_to_html(source, options=Options.CMARK_OPT_UNSAFE)
        )
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        others = [one for one in attrs if one[0] != "align" and one != ("lang", "mermaid")]
        assert not others, (tag, others)
        self.tags.append(tag)
        if tag == "table":
            self.rows.append([])
        elif tag == "tr":
            self.rows[-1].append(0)
        elif tag in ("td", "th"):
            self.rows[-1][-1] += 1

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


MARKED = {
    *("h1", "h2", "h3", "h4", "p", "br", "strong", "em", "ul", "ol", "li", "blockquote", "hr"),
    *("details", "summary", "table", "thead", "tbody", "tr", "th", "td", "code", "pre"),
}


@pytest.mark.parametrize("form", ["markdown", "summary"])
@each
def test_markdown_is_what_its_templates_mean(form: str, name: str) -> None:
    """No link, image or mention; every row of a table has the cells of its head."""
    found = Skeleton(rendered(form, name))
    assert {tag.lstrip("/") for tag in found.tags} <= MARKED
    for table in found.rows:
        assert len(set(table)) == 1, table
    assert found.comments == [] or form == "summary"


def alike(one: Skeleton, other: Skeleton) -> bool:
    return (one.tags, one.rows) == (other.tags, other.rows)


@pytest.mark.parametrize("form", ["markdown", "summary"])
def test_no_text_from_outside_changes_the_structure_of_a_page(form: str) -> None:
    assert alike(Skeleton(rendered(form, "hostile")), Skeleton(rendered(form, "plain")))


@pytest.mark.thorough
@settings(parent=FEW, max_examples=50)
@given(text=HOSTILE)
def test_no_text_at_all_changes_the_structure_of_a_page(text: str) -> None:
    found = assess(spoiled(samples.partial(), sendable(text)), CRITERIA)
    for form in ("markdown", "summary"):
        assert alike(Skeleton(FORMATS[form].render(found)), Skeleton(rendered(form, "plain")))


# The summary, for a comment


@each
def test_the_summary_begins_with_its_marker_and_the_verdict(name: str) -> None:
    text = rendered("summary", name)
    first, second, third, *_ = text.split("\n")
    assert summary.marker(text) == first
    at = assessment(name).evidence.finished_at
    assert second == f"<!-- measured {at:%Y-%m-%dT%H:%M:%S.%fZ} -->"
    assert summary.measured(text) == f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert third.startswith("# ")
    assert any(word in third for word in ("ready for production", "ready under", "not known"))
    assert Skeleton(text).tags[0] == "h1"


@each
def test_no_line_of_the_summary_is_a_command_to_a_bot(name: str) -> None:
    """GitLab and bots obey `/merge` at the start of a line."""
    assert not re.search(r"^\s*/", rendered("summary", name), re.MULTILINE)


def test_the_marker_is_that_of_its_inventory_alone() -> None:
    def marker(system: str, environment: str, path: str) -> str:
        evidence = samples.fixed()
        inventory = evidence.inventory
        named = inventory.system.model_copy(update={"name": system})
        changed = {
            "inventory": inventory.model_copy(update={"system": named}),
            "environment": environment,
            "source": evidence.source.model_copy(update={"path": path}),
        }
        text = summary._marker(evidence.model_copy(update=changed))
        assert re.fullmatch(r"<!-- (?:(?!--)[^\n<>])+ -->", text), text
        assert summary.marker(f"{text}\n") == text
        assert summary.marker(f"{text}\r\n") == text  # as GitLab and some editors give it back
        return text

    names = ("Shop", "shop", "Shop:test", "Shop--", "Shop -->", "Shop%20", "Läden", "商" * 200)
    found = [marker(n, e, p) for n in names for e in ("test", "staging") for p in ("a", "b/a")]
    assert len(set(found)) == len(found)
    assert marker("Shop", "test", "a") == "<!-- readiness:Shop:test:a -->"


def crowded(services: int, text: str) -> Evidence:
    """Return a system of many services that all fail, described by `text` wherever it may."""
    data = json.loads(spoiled(samples.broken(), text).to_json())
    one = next(s for s in data["inventory"]["services"] if s["name"] == "user-service")
    added = [{**one, "depends_on": [], "name": f"{n:03}{'x' * 60}"} for n in range(services)]
    data["inventory"]["services"] += added
    data["inventory"]["capabilities"] |= {
        f"c{n}": {"title": text[:190], "services": [s["name"]]} for n, s in enumerate(added)
    }
    measured = [m for m in data["measurements"] if m["service"] == "user-service"]
    data["measurements"] += [{**m, "service": s["name"]} for s in added for m in measured]
    return Evidence.model_validate(data)


def test_the_summary_is_short_whatever_it_has_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all characters the dollar grows the most when it is written as Markdown."""
    found = assess(crowded(25, "$" * 500), CRITERIA)
    assert 30_000 < len(FORMATS["summary"].render(found)) <= summary.LONGEST
    rows, first = summary._DRAFTS[-1]
    shortest = len(markdown.page("summary.md.j2", Page(found, rows, first)))
    assert shortest < summary.LONGEST / 2
    monkeypatch.setattr(summary, "LONGEST", 30_000)
    assert shortest < len(FORMATS["summary"].render(found)) <= 30_000
