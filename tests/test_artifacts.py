"""Files that tell of the system: how an inventory names them, and whom they are asked about."""

import json
from typing import Any

import pytest

from readiness.checks import Check
from readiness.criteria import bundled_criteria, check_overrides
from readiness.document import ConfigurationError, parse
from readiness.inventory import ARTIFACT_PROBES, Artifact, Inventory, from_document
from readiness.judge import judge_all
from tests.judging import NOW, judged

WHOLE = """version: 1
system: {name: shop}
services:
  api: {kind: http, url: "http://localhost:1"}
  db: {kind: postgres, url: "postgres://localhost/app", probes: {compose_file: false}}
artifacts:
  stack: {kind: compose, files: [compose.yaml, compose.prod.yaml], owner: platform}
  tests: {kind: junit, files: "reports/**/*.xml", criticality: high}
"""


def build(text: str = WHOLE) -> Inventory:
    return from_document(parse(text, "services.yaml"), {})


def test_artifacts_are_subjects_like_services_and_journeys() -> None:
    found = build()
    stack, tests = found.artifacts
    assert [subject.name for subject in found.subjects] == ["api", "db", "stack", "tests"]
    assert (stack.files, stack.owner) == (("compose.yaml", "compose.prod.yaml"), "platform")
    assert (tests.files, tests.expected_probes) == (("reports/**/*.xml",), ("junit_results",))
    assert tests.depends_on == ()


def test_what_says_how_services_are_run_is_asked_of_each_service() -> None:
    api, db = build().services
    assert "compose_file" in api.expected_probes
    assert "kubernetes_manifests" not in api.expected_probes, "no such files are named"
    assert db.probes["compose_file"] is False, "left out by its own word"


def test_the_public_form_reads_back_the_same() -> None:
    found = build()
    assert Inventory.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("kind: junit", "kind: junt", 8, "'artifacts.tests.kind' is none of the values"),
        ('files: "reports/**/*.xml", ', "", 8, "'artifacts.tests.files' is missing"),
        ('"reports/**/*.xml"', "[]", 8, "'artifacts.tests.files' must have at least 1"),
        ("  tests: {", "  api: {", 8, "'artifacts.api' is the name of a service or journey too"),
        ("criticality: high", "critical: high", 8, "Did you mean 'criticality'?"),
        ("kind: compose", "kind: kubernetes", 5, "'services.db.probes.compose_file' finds no art"),
        ("  tests: {kind", "  tests: {name: t, kind", 8, "'tests' is its name."),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, line: int, told: str) -> None:
    assert WHOLE.count(old) == 1
    with pytest.raises(ConfigurationError) as caught:
        build(WHOLE.replace(old, new))
    assert f"services.yaml:{line}" in str(caught.value)
    assert told in str(caught.value)


def test_a_waiver_may_name_an_artifact() -> None:
    waiver = "waivers:\n  - {check: x, service: stack, reason: r, owner: o, until: 2030-01-01}\n"
    assert build(WHOLE + waiver).waivers[0].service == "stack"


def test_an_override_of_an_artifact_is_checked_like_a_services() -> None:
    text = WHOLE.replace("owner: platform", "checks: {latency-p95: {target: 1ms}}")
    document = parse(text, "services.yaml")
    with pytest.raises(ConfigurationError, match="of artifact 'stack'") as caught:
        check_overrides(from_document(document, {}), bundled_criteria(), document)
    assert "services.yaml:7" in str(caught.value)


def test_every_kind_of_artifact_belongs_to_an_area() -> None:
    kinds = {kind for area in bundled_criteria().areas.values() for kind in area.kinds}
    assert ARTIFACT_PROBES.keys() <= kinds


def test_an_artifact_that_was_not_read_is_unknown_never_a_pass() -> None:
    found = build()
    checks = {"tests-there": Check.model_validate(_CHECK)}
    criteria = bundled_criteria().model_copy(update={"checks": checks})
    [finding] = judge_all(found, (), criteria, NOW.date())
    assert (finding.service, finding.outcome) == ("tests", "unknown")


_CHECK: dict[str, Any] = {
    "id": "tests-there",
    "title": "There are tests",
    "probe": "junit_results",
    "metric": "cases",
    "area": "tests",
    "severity": "low",
    "must_be": True,
    "why": "It matters.",
    "fix": {"text": "Write some.", "effort_hours": 1},
}


def test_an_artifact_is_no_service_of_the_matrix() -> None:
    contract = json.loads(judged(build()).to_json())
    assert [row["name"] for row in contract["services"]] == ["api", "db"]
    assert isinstance(build().artifacts[0], Artifact)
