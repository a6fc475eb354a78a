"""Evidence as it is saved and read back: the same, or refused in one sentence."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from readiness.document import ConfigurationError
from readiness.evidence import Evidence, Previous, from_json, previous
from tests.judging import NOW, estimate, evidence, inventory, measured, service
from tests.strategies import PROPERTY, evidences

API = inventory(service(probes={"http_access": {"credential": {"header": "x", "value": "s3cr3t"}}}))


def test_evidence_is_read_back_as_it_was() -> None:
    made = evidence(
        API,
        measured("http_health", failure="timeout"),
        measured(
            "http_health", attempt=2, healthy=True, n=1, ms=1.0, state="up", p50_ms=estimate(3)
        ),
        previous=Previous(value=30, started_at=NOW),
        packs={"mine.yaml": "checks: {}"},
        interrupted="SIGINT",
        only=("api",),
    )
    again = from_json(made.to_json(), "evidence.json")
    assert again.to_json() == made.to_json()
    assert again.measurements == made.measurements
    assert json.loads(made.to_json())["schema"] == "readiness/evidence/v1"
    assert "s3cr3t" not in made.to_json()


@PROPERTY
@given(made=evidences())
def test_any_evidence_is_read_back_as_it_was(made: Evidence) -> None:
    assert from_json(made.to_json(), "x").to_json() == made.to_json()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_is_kept_as_the_text_it_is_saved_as(value: float) -> None:
    made = evidence(API, measured("http_health", resolve_ms=value))
    assert made.measurements[0].values == {"resolve_ms": str(value)}
    assert from_json(made.to_json(), "x").measurements == made.measurements


def test_times_are_kept_in_utc() -> None:
    east = datetime(2026, 3, 2, 1, 30, tzinfo=timezone(timedelta(hours=14)))
    made = evidence(API, finished_at=east)
    assert made.finished_at.isoformat() == "2026-03-01T11:30:00+00:00"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"finished_at": datetime(2026, 3, 1)}, "timezone"),
        (
            {"finished_at": datetime(9999, 12, 31, tzinfo=UTC) + timedelta(hours=23)},
            None,
        ),
        (
            {"finished_at": datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=9)))},
            "out of the calendar's range",
        ),
        ({"environment": "moon"}, "environment"),
        ({"inventory": inventory(service(), service())}, "'api' is in the inventory twice"),
        (
            {"measurements": (measured("http_health", healthy=True),) * 2},
            "http_health of 'api' has two attempts of one number",
        ),
        (
            {
                "measurements": (
                    measured("http_health", healthy=True),
                    measured("http_health", attempt=2, healthy=True),
                )
            },
            "http_health of 'api' was tried again without failing",
        ),
        (
            {
                "measurements": (
                    measured("http_health", failure="reset"),
                    measured("http_health", attempt=2, healthy=True),
                    measured("http_health", "other", healthy=True),
                    measured("http_latency"),
                )
            },
            None,
        ),
    ],
)
def test_what_could_be_judged_in_two_ways_is_refused(
    changes: dict[str, Any], message: str | None
) -> None:
    if message is None:
        evidence(API, **changes)
        return
    with pytest.raises(ValidationError, match=message):
        evidence(API, **changes)


BAD_IDS = ("", "../x", "/etc/x", ".hidden", "-x", "a b", "a\n", "é", "a" * 65, "a" * 100_000)
GOOD = json.loads(evidence(API, measured("http_health", healthy=True)).to_json())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "the file"),
        ("{", "the file"),
        ("[]", "the file"),
        ("{}", "tool"),
        (json.dumps(GOOD | {"schema": "readiness/evidence/v2"}), "schema"),
        (json.dumps(GOOD | {"more": 1}), "more"),
        (json.dumps(GOOD | {"measurements": [{}]}), "measurements.0.probe"),
        (json.dumps(GOOD | {"measurements": GOOD["measurements"] * 2}), "the file"),
        (json.dumps(GOOD | {"policy": {"gate": "maybe"}}), "policy.gate"),
        ("[" * 100_000, "the file"),
        *((json.dumps(GOOD | {"run_id": name}), "run_id") for name in BAD_IDS),
    ],
)
def test_what_is_not_evidence_is_refused_in_one_sentence(text: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_json(text, "e.json")
    assert str(caught.value).startswith("e.json: this is not evidence of version")
    assert f"({place}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        {"value": 1, "low": 1, "high": 1, "n": 2**53 + 1},
        {"value": 1, "low": 1, "high": 1, "n": -1},
        {"value": 1, "low": None, "high": 2, "n": 1},
        {"value": 1, "low": 1, "high": 2, "n": 1, "sides": [0.95, 1.5]},
    ],
)
def test_an_estimate_that_is_none_is_refused(value: dict[str, Any]) -> None:
    bad = GOOD["measurements"][0] | {"values": {"p95_ms": value}}
    with pytest.raises(ConfigurationError, match=r"measurements\.0\.values"):
        from_json(json.dumps(GOOD | {"measurements": [bad]}), "e.json")


def written(folder: Path, text: str) -> Path:
    path = folder / "assessment.json"
    path.write_text(text, "utf-8")
    return path


LAST = {
    "schema": "readiness/assessment/v1",
    "started_at": "2026-02-01T10:00:00+01:00",
    "exit_code": 1,
    "score": {"value": 59, "raw": 70},
    "areas": [],
}


def test_the_previous_score_is_read_from_an_assessment(tmp_path: Path) -> None:
    found = previous(written(tmp_path, json.dumps(LAST)))
    assert found == Previous(value=59, started_at=datetime(2026, 2, 1, 9, tzinfo=UTC))


@pytest.mark.parametrize(
    "said", [{"exit_code": 130}, {"only": ["api"]}, {"only_checks": ["latency-p95"]}]
)
def test_an_interrupted_run_and_one_in_part_are_no_measure(tmp_path: Path, said: Any) -> None:
    before = {"value": 71, "started_at": "2026-01-01T00:00:00Z"}
    partial = LAST | said | {"score": {"value": 3, "previous": before}}
    found = previous(written(tmp_path, json.dumps(partial)))
    assert found is not None
    assert found.value == 71


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        json.dumps(LAST | {"schema": "other"}),
        json.dumps(LAST | {"score": {"value": 101}}),
        json.dumps(LAST | {"started_at": "2026-02-01T10:00:00"}),
        json.dumps(LAST | {"started_at": "yesterday"}),
    ],
)
def test_what_is_no_assessment_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="previous assessment cannot be read"):
        previous(written(tmp_path, text))


def test_a_previous_assessment_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nosuch.json: this previous assessment"):
        previous(tmp_path / "nosuch.json")
