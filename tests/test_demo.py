"""The demo's report is the truth about the sample system, broken and repaired."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from readiness.demo.catalogue import SERVICES
from tests.program import readiness

pytestmark = [pytest.mark.alone, pytest.mark.xdist_group("demo")]

DOWN = {"notification-service", "user-service"}


@dataclass(frozen=True)
class Demo:
    """One run of the demo: what it printed, what it left, and the seconds it took."""

    code: int
    out: str
    found: dict[str, Any]
    report: str
    trend: list[dict[str, Any]]
    seconds: float

    def service(self, name: str) -> dict[str, Any]:
        return next(s for s in self.found["services"] if s["name"] == name)

    def finding(self, check: str, service: str) -> dict[str, Any]:
        return next(
            f for f in self.found["findings"] if (f["check"], f["service"]) == (check, service)
        )

    def level(self, service: str, users: int) -> float:
        levels = self.service(service)["concurrency"]
        rate = next(level for level in levels if level["users"] == users)["success_rate"]
        value: float = rate["value"]
        return value


def demo(folder: Path, *words: str) -> Demo:
    began = time.monotonic()
    done = readiness("demo", *words, cwd=folder, seconds=120)
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    out = folder / "readiness-report"
    return Demo(
        done.returncode,
        done.stdout,
        json.loads((out / "assessment.json").read_text()),
        (out / "report.md").read_text(),
        json.loads((out / "evidence.json").read_text())["trend"],
        seconds,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def broken(folder: Path) -> Demo:
    return demo(folder)


@pytest.fixture(scope="module")
def fixed(broken: Demo, folder: Path) -> Demo:
    """Run it repaired, in the folder in which it ran broken."""
    return demo(folder, "--fixed")


def test_the_broken_system_is_not_ready_and_the_gate_says_1(broken: Demo) -> None:
    assert broken.found["verdict"] == "not_ready"
    assert broken.found["exit_code"] == 1
    assert "gate's exit code is 1" in broken.out


def test_availability_is_10_of_12(broken: Demo) -> None:
    availability = next(o for o in broken.found["objectives"] if o["id"] == "availability")
    assert availability["current"] == pytest.approx(10 / 12)
    assert availability["met"] is False
    assert {s["name"] for s in broken.found["services"] if s["status"] == "down"} == DOWN
    assert "83.3 %" in broken.report


def test_each_median_is_the_delay_built_in(broken: Demo) -> None:
    for name, sample in SERVICES.items():
        if sample.delay_ms and name not in DOWN:
            p50 = broken.service(name)["p50_ms"]["value"]
            assert p50 == pytest.approx(sample.delay_ms, rel=0.1, abs=2), name


def test_about_half_fails_at_50_users_and_nothing_at_1(broken: Demo) -> None:
    assert broken.level("api-gateway", 1) == 1.0
    assert 0.4 <= broken.level("api-gateway", 50) <= 0.6
    assert broken.finding("concurrency-success", "api-gateway")["outcome"] == "fail"


def test_access_findings_are_exact(broken: Demo) -> None:
    login = broken.finding("login-accepted", "auth")
    assert (login["outcome"], login["blocker"]) == ("fail", True)
    assert "POST /auth/login answered 422: body.username: field required" in login["because"]
    key = broken.finding("credential-accepted", "airtable-gateway")
    assert key["outcome"] == "fail"
    assert "GET /api/v1/bases answered 403" in key["because"]
    for service in ("api-gateway", "auth", "airtable-gateway", "file-service"):
        assert broken.finding("anonymous-refused", service)["outcome"] == "pass"


def test_every_service_that_is_up_has_a_response_time(broken: Demo) -> None:
    for service in broken.found["services"]:
        assert (service["response_ms"] is not None) == (service["name"] not in DOWN)


@pytest.mark.thorough
def test_the_repaired_system_is_ready_and_shows_the_delta(broken: Demo, fixed: Demo) -> None:
    assert fixed.found["verdict"] == "ready", fixed.out
    assert fixed.found["exit_code"] == 0
    before, after = broken.found["score"]["value"], fixed.found["score"]["value"]
    assert fixed.found["score"]["previous"]["value"] == before
    assert f"(+{after - before})" in fixed.report
    assert fixed.level("api-gateway", 50) >= 0.98


@pytest.mark.thorough
def test_it_keeps_a_history_of_its_own(broken: Demo, fixed: Demo) -> None:
    assert broken.trend == []
    assert [past["value"] for past in fixed.trend] == [broken.found["score"]["value"]]


@pytest.mark.thorough
def test_both_judge_by_the_same_inventory_and_criteria(broken: Demo, fixed: Demo) -> None:
    def asked(run: Demo) -> set[tuple[str, str, float | None, float | None]]:
        return {(f["check"], f["service"], f["target"], f["limit"]) for f in run.found["findings"]}

    assert asked(broken) == asked(fixed)


def test_an_assessment_takes_less_than_a_minute(broken: Demo) -> None:
    assert broken.seconds < 60


def test_every_section_of_the_report_is_there(broken: Demo) -> None:
    headings = re.findall(r"^#+ (.+)$", broken.report, re.MULTILINE)
    for wanted in (
        "Services",
        "What users can do",
        "Areas",
        "Data stores",
        "Performance",
        "Critical success metrics",
        "Risks",
        "Not tested",
    ):
        assert any(wanted.lower() in h.lower() for h in headings), (wanted, headings)
