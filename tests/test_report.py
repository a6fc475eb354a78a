"""Assessment -> report: all of it from evidence, whole for whatever a server answers."""

import os
import re
import subprocess
import sys
from datetime import date, timedelta
from typing import Any

import jinja2
import pytest
from hypothesis import example, given

from readiness import bundled
from readiness import inventory as inventories
from readiness.assessment import assess
from readiness.criteria import bundled_criteria
from readiness.estimate import rate
from readiness.evidence import Evidence, from_json
from readiness.inventory import Inventory, Policy, Waiver
from readiness.policy import PRESETS
from readiness.report import FORMATS, markdown, summary, words
from tests import samples
from tests.golden import FOLDER, SAMPLES
from tests.golden.remake import made
from tests.hostile import FEW, HOSTILE, sendable, spoiled, tokens

CRITERIA = bundled_criteria()
CANARY = "canary-7f3a91c2"


def report(evidence: Evidence) -> str:
    """Return the report, its spaces all alike."""
    return FORMATS["markdown"].render(assess(evidence, CRITERIA)).replace("\N{NO-BREAK SPACE}", " ")


def section(text: str, title: str) -> str:
    """Return what stands under the heading `title`, up to the next one of its rank."""
    found = re.search(
        rf"^(##+) (?:\S+ )?{re.escape(title)}(?:: [^\n]*)?$(.*?)(?=^##? |\Z)", text, re.M | re.S
    )
    assert found, title
    return found[2]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row in `text`."""
    lines = (line for line in text.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def row(text: str, first: str) -> list[str]:
    """Return the table row whose first cell holds `first`."""
    return next(cells for cells in rows(text) if first in cells[0])


def without(evidence: Evidence, *probes: str) -> Evidence:
    kept = tuple(m for m in evidence.measurements if m.probe not in probes)
    return evidence.model_copy(update={"measurements": kept})


def changed(evidence: Evidence, **inventory: Any) -> Evidence:
    return evidence.model_copy(
        update={"inventory": evidence.inventory.model_copy(update=inventory)}
    )


# Golden


@pytest.mark.parametrize("name", SAMPLES)
def test_saved_evidence_gives_the_saved_report(name: str) -> None:
    evidence = from_json((FOLDER / f"{name}.evidence.json").read_text("utf-8"), name)
    for suffix, text in made(evidence).items():
        saved = (FOLDER / f"{name}.{suffix}").read_text("utf-8")
        assert text == saved, f"{name}.{suffix}: review, then run python -m tests.golden.remake"


def test_the_report_depends_on_no_clock_locale_time_zone_or_hash() -> None:
    command = (
        "import sys; from pathlib import Path; from tests.golden import FOLDER;"
        "from tests.golden.remake import made; from readiness.evidence import from_json;"
        "text = (FOLDER / 'partial.evidence.json').read_text('utf-8');"
        "sys.stdout.buffer.write(made(from_json(text, 'x'))['report.md'].encode())"
    )
    for seed, zone in (("1", "Asia/Tokyo"), ("2", "America/Lima")):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "de_DE.UTF-8"}
        found = subprocess.run(
            [sys.executable, "-c", command], env=environ, capture_output=True, check=True
        )
        assert found.stdout == (FOLDER / "partial.report.md").read_bytes()


def test_measured_and_saved_evidence_read_the_same() -> None:
    evidence = samples.broken()
    assert report(evidence) == report(from_json(evidence.to_json(), "evidence.json"))


# The first screen


def test_the_first_screen_is_enough_to_decide() -> None:
    screen = "\n".join(report(samples.broken()).splitlines()[:45])
    for needed in (
        *("not ready for production", "**NOT READY.** Do not release it. 10 blockers failed"),
        *("**59** of 100", "| F | 78 | 30 on 2026-11-16 (+29) | 89 % | 83.3 % (10 of 12 services)"),
        *("2026-11-23 10:37 UTC", "environment local", "571 checks on 12 services in 25 s"),
        *("run 5f3c0a7d", "readiness 0.1.0", "**Documented login works**: POST /auth/login"),
        *("| auth | identity | 3 h |", "**notification-service** (connection refused)"),
        *("| **redis** | high |", "| **user-service** | high |", "target ≥ 95 % ❌"),
    ):
        assert needed in screen


@pytest.mark.parametrize(
    ("evidence", "title", "advice"),
    [
        (samples.fixed(), "# ✅ PyAirtable 2.0: ready for production", "**READY.** Release it."),
        (samples.broken(), "# ❌ PyAirtable 2.0: not ready for production", "Do not release it."),
        (
            without(samples.fixed(), "http_concurrency"),
            "# ❔ PyAirtable 2.0: not known to be ready",
            "**INCONCLUSIVE.** Do not release it on this evidence",
        ),
    ],
)
def test_the_verdict_comes_first(evidence: Evidence, title: str, advice: str) -> None:
    for name in ("markdown", "summary"):
        lines = FORMATS[name].render(assess(evidence, CRITERIA)).splitlines()
        if name == "summary":
            del lines[:2]  # which are for `readiness comment` and not seen
        assert lines[0] == title
        assert advice in lines[5]


def waived() -> Evidence:
    until = samples.STARTED.date() + timedelta(days=9)
    excused = Waiver(
        check="concurrency-success", reason="few users yet", owner="@dana", until=until
    )
    refused = samples.with_value(
        samples.fixed(),
        "api-gateway",
        "http_concurrency",
        success_rate=rate(250, 500),
    )
    return changed(refused, waivers=(excused,))


def test_a_waived_blocker_makes_it_conditional() -> None:
    text = report(waived())
    assert text.startswith("# ⚠️ PyAirtable 2.0: ready under conditions")
    assert "1 blocker waived" in text.splitlines()[5]
    assert row(section(text, "Waivers"), "expiring")[1:4] == ["concurrency-success", "all", "1"]
    assert "<br>waived by @&#8203;dana" in section(text, "All findings")
    told = "> **WAIVERS.** concurrency-success on all services (@&#8203;dana) ends in 8 days."
    assert told in text.splitlines()[:14]


def test_the_stage_and_what_would_block_stand_under_the_verdict() -> None:
    def head(**changes: Any) -> list[str]:
        return report(samples.broken(policy=Policy(**changes))).splitlines()[:16]

    warned = next(line for line in head(stage="warn") if "WARNING ONLY" in line)
    assert "The stage is _warn_, which turns exit code 1 into 0. What would block: " in warned
    assert "Documented login works on auth, Service is down on user-service" in warned
    assert not any("GATE" in line or "WARN" in line for line in head(fail_on="conditional"))
    fine = report(samples.fixed(policy=Policy(stage="warn"))).splitlines()[:16]
    assert any(line.endswith("The gate would exit with 0 as well.") for line in fine)
    under = report(waived().model_copy(update={"policy": Policy(stage="warn")}))
    assert "What would block" not in under
    failing = Policy(stage="warn", fail_on="conditional")
    under = report(waived().model_copy(update={"policy": failing}))
    assert "What would block: 1 blocker waived." in under


def test_an_eased_policy_is_told_of_and_what_the_system_is_ready_for() -> None:
    text = report(samples.fixed(policy=PRESETS["prototype"]))
    assert text.startswith("# ✅ PyAirtable 2.0: ready as a prototype\n")
    assert "> **EASED POLICY** (tier prototype). It lets more pass than usual, and adds no" in text
    assert rows(section(text, "Eased policy"))[1:3] == [
        ["ready.score", "70", "85"],
        ["ready.area", "50", "70"],
    ]
    told = "READY needs 70 in all, 50 in every area, 80 % coverage, no blocker failed, unknown"
    assert told in section(text, "How the score is made")
    strict = report(
        samples.fixed(policy=PRESETS["regulated"].model_copy(update={"areas": {"data": 95}}))
    )
    assert "ready for regulated production" in strict.splitlines()[0]
    assert "EASED" not in strict and "## Eased policy" not in strict
    assert "80 in every area, 95 in data, 98" in section(strict, "How the score is made")


def test_a_refused_waiver_is_shown_as_not_accepted() -> None:
    text = report(waived().model_copy(update={"policy": PRESETS["regulated"]}))
    assert text.startswith("# ❌ PyAirtable 2.0: not ready for regulated production")
    assert row(section(text, "Waivers"), "not accepted")[3] == "0"
    assert "the waiver of @&#8203;dana is not accepted: no blocker may be waived" in text


def test_the_score_says_what_it_could_be() -> None:
    def score(evidence: Evidence) -> str:
        return rows(report(evidence))[1][0]

    assert score(samples.fixed()) == "**100** of 100"
    assert score(without(samples.fixed(), "http_concurrency")) == (
        "**59** of 100 (100 if the 18 unknown checks pass)"
    )
    one_less = samples.without_value(samples.fixed(), "redis", "redis_health", "maxmemory_set")
    assert score(one_less) == "**99** of 100 (100 if the 1 unknown check passes)"


def test_intervals_and_untested_areas_lift_the_upper_score() -> None:
    close = samples.with_value(samples.fixed(), "auth", "http_latency", success_rate=rate(97, 100))
    assert "at the better end of every interval" in rows(report(close))[1][0]
    lone = samples.keeping(samples.fixed(), "saga-service")
    assert "if the areas not tested pass" in rows(report(lone))[1][0]


def test_notices_stand_under_the_verdict() -> None:
    lines = report(samples.partial(only=("auth", "redis"))).splitlines()[:14]
    disabled = "> **GATE DISABLED.** The stage is _report_, which turns exit code 1 into 0."
    assert any(line.startswith(disabled) for line in lines)
    assert any(line.startswith("> **PARTIAL.** SIGINT ended the run early.") for line in lines)
    assert "> **IN PART.** Only auth, redis were to be measured. The rest is unknown." in lines
    assert not any("GATE" in line for line in report(samples.broken()).splitlines()[:14])


def test_a_root_cause_names_what_it_explains() -> None:
    services = tuple(
        s.model_copy(update={"depends_on": ("user-service",)})
        if s.name == "notification-service"
        else s
        for s in samples.inventory().services
    )
    text = report(changed(samples.broken(), services=services))
    assert "- Root cause: **user-service** is out (connection refused). " in text
    assert "It explains the outage of notification-service." in text
    assert "**notification-service** (normal): down because of user-service" in text


def test_of_many_services_the_ready_ones_are_folded() -> None:
    evidence = samples.many(40)
    text = report(evidence)
    open_, folded = text.split("<summary>10 more services</summary>")
    assert open_.count("❌ not ready") == 30
    assert "**auth-39**" in folded


# Sections


@pytest.fixture(scope="module")
def broken() -> str:
    return report(samples.broken())


@pytest.fixture(scope="module")
def partial() -> str:
    return report(samples.partial())


def test_every_service_has_its_row(broken: str) -> None:
    table = {cells[0].strip("*"): cells for cells in rows(section(broken, "Services"))[1:]}
    assert list(table) == [s.name for s in samples.inventory().services]
    assert table["postgres"][3:6] == ["5432", "✅ pass", "0.4 ms"]
    assert table["mcp-server"][5] == "9.02 ms"
    assert table["user-service"][2:] == [
        *("❌ down", "8005", "❌ fail", "–"),
        "❌ not ready",
    ]


def test_capabilities_name_their_issues(broken: str, partial: str) -> None:
    cells = row(section(broken, "What users can do"), "Authentication & Security")
    assert "**12 %**<br>not ready" in cells[1]
    assert cells[2].startswith("user-service is down: connection refused<br>Documented login")
    workflows = row(section(broken, "What users can do"), "Workflow Orchestration")
    assert workflows[2].startswith("notification-service is down: connection refused<br>Images")
    assert re.search(r"<br>and \d+ more$", row(section(partial, "What users can do"), "Data")[2])


def test_areas_tell_what_costs_points(broken: str, partial: str) -> None:
    cells = row(section(broken, "Areas"), "Access and authentication")
    assert cells[1:5] == ["**49**", "F", "89", "60 %"]
    assert cells[6].startswith("Documented login works (auth)")
    assert row(section(report(samples.fixed()), "Areas"), "Data stores")[6] == "nothing"
    assert "0 of at least 1 checks gave a result" in row(section(partial, "Areas"), "Throughput")[6]


def test_an_area_without_a_subject_does_not_apply() -> None:
    text = report(samples.keeping(samples.fixed(), "mcp-server", "frontend"))
    assert row(section(text, "Areas"), "Data stores")[1:] == [
        *("–", "–", "–", "–", "15", "not applicable: nothing of this kind is in the inventory")
    ]
    assert "### Data stores" not in text
    assert "### Access and authentication" not in text
    assert "## What users can do" not in text


def test_security_shows_what_was_proven_and_what_was_not_tried(broken: str) -> None:
    access = section(broken, "Access and authentication")
    proven, failed, unknown = row(access, "auth")[1:4]
    assert (proven, failed) == ("1 of 24", "❌ Documented login works")
    assert unknown.startswith("❔ Valid credential is accepted") and unknown.endswith("16 more")
    assert row(access, "file-service")[1:3] == ["3 of 4", "–"]
    assert "| auth | GET /auth/users | ✅ 401 | ❔ not asked | ❔ not asked |" in access
    assert "No path of saga-service, workflow-service, notification-service" in access


def test_data_stores_show_their_facts(broken: str, partial: str) -> None:
    stores = section(broken, "Data stores")
    assert row(stores, "postgres")[1] == "postgres 18.1"
    assert row(stores, "postgres")[4] == "14 of 100 connections used; supported until 2030-11-14."
    assert row(stores, "redis")[1] == "valkey 9.1.0"
    assert "eviction volatile-lru; persistence on." in row(stores, "redis")[4]
    assert row(section(partial, "Data stores"), "postgres")[1:] == ["❔ not measured", *"–––"]


def test_what_services_stand_on_has_a_score_and_its_findings_worst_first(broken: str) -> None:
    assert "### Data stores: **98/100**, A" in broken
    infrastructure = section(broken, "Infrastructure")
    assert "32 of 38 checks pass." in infrastructure
    assert row(infrastructure, "❌") == [
        *("❌", "Service is down", "notification-service, user-service", "connection refused")
    ]
    assert "- ✅ Tools offered" in infrastructure.split("</summary>")[1]


def test_one_check_that_many_fail_is_one_row() -> None:
    evidence = samples.fixed()
    for service in ("auth", "file-service", "saga-service", "workflow-service", "api-gateway"):
        evidence = samples.with_value(evidence, service, "http_health", structured=False)
    [cells] = [c for c in rows(section(report(evidence), "Infrastructure")) if c[0] == "❌"]
    assert cells[1] == "Health answer is machine-readable (low)"
    assert cells[2] == "api-gateway, auth, file-service, saga-service and 1 more"


def test_a_part_of_the_platform_that_nobody_names_is_said_to_be_unseen(broken: str) -> None:
    assert "nothing is said of them: Monitoring and observability." in broken


def test_a_data_store_with_less_to_tell_tells_less() -> None:
    evidence = samples.fixed()
    for probe, service, gone in (
        *(("postgres_health", "postgres", name) for name in ("connections_max", "end_of_life")),
        *(("redis_health", "redis", name) for name in ("memory_ratio", "eviction_policy")),
        ("redis_health", "redis", "persistence"),
    ):
        evidence = samples.without_value(evidence, service, probe, gone)
    stores = section(report(evidence), "Data stores")
    assert row(stores, "postgres")[4] == row(stores, "redis")[4] == "–"


def test_performance_gives_intervals_grades_and_what_is_missing(broken: str, partial: str) -> None:
    times = section(broken, "Response time")
    assert row(times, "api-gateway")[1:] == [
        *("53.1 (53–53.2)", "57.4 (56.9–58.3)", "58.6 (58.3–59)"),
        *("█▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁", "100 % (99.1–100)", "400"),
    ]
    assert "The kernel stamped the answers" in times
    crowd = section(broken, "Under concurrency")
    assert "closed model" in crowd
    assert "- file-service: closes connections: 12 closed in 500 requests at 50 users." in crowd
    assert row(times, "user-service")[6] == "down"
    assert row(section(partial, "Response time"), "auth")[2:4] == [
        *("n too small: needs 72", "n too small: needs 368")
    ]
    assert row(section(partial, "Response time"), "saga-service")[6] == "not measured"
    grades = section(broken, "Performance").split("###")[0]
    assert [cells[1] for cells in rows(grades)[1:]] == ["**B**", "**C**", "**B**"]


def test_a_system_without_requests_has_no_letters() -> None:
    text = report(samples.keeping(samples.fixed(), "postgres", "redis"))
    grades = section(text, "Performance").split("###")[0]
    assert {tuple(cells[1:]) for cells in rows(grades)[1:]} == {("–", "–", "no check applies")}
    assert "### Under concurrency" not in text
    metrics = section(text, "Critical success metrics")
    assert row(metrics, "Error rate")[1:4] == [*("–", "≤ 1 %", "❔ not measured")]
    assert row(metrics, "Error rate")[4] == "no request was answered"


def test_concurrency_shows_where_errors_begin(broken: str) -> None:
    load = section(broken, "Under concurrency")
    assert row(load, "api-gateway")[1:] == [
        *("50", "**50 % (45.5–54.5)**", "189", "287 (284–290)", "HTTP 503: 250", "10")
    ]
    assert row(load, "auth")[5:] == ["none", "50"]
    assert [cells[1] for cells in rows(load) if cells[0] == "api-gateway"][1:] == ["1", "10", "50"]


def test_a_service_that_errs_from_the_first_user_is_error_free_nowhere() -> None:
    never = {f"users.{n}.success_rate": rate(0, 500) for n in samples.USERS[:1]}
    evidence = samples.with_value(samples.broken(), "auth", "http_concurrency", **never)
    evidence = samples.without_value(
        evidence, "auth", "http_concurrency", "users.50.requests_per_second"
    )
    cells = row(section(report(evidence), "Under concurrency"), "auth")
    assert (cells[3], cells[6]) == ("–", "–")


def test_objectives_are_held_against_their_targets(broken: str) -> None:
    metrics = section(broken, "Critical success metrics")
    assert row(metrics, "Service availability")[1:4] == [*("**83.3 %**", "≥ 95 %", "❌ missed")]
    assert row(metrics, "Error rate")[1:4] == ["**22.2 %**", "≤ 1 %", "❌ missed"]


def test_services_and_capabilities_are_sorted_by_readiness(broken: str, partial: str) -> None:
    ready = section(broken, "Ready for production?")
    order = [ready.index(title) for title in ("✅ Ready", "⚠️ Ready with fixes", "❌ Not ready")]
    assert order == sorted(order)
    assert "- 2 services: saga-service, mcp-server" in ready
    assert "- **auth** (critical): Documented login works (3 h)" in ready
    assert "### ❔ Unknown" in section(partial, "Ready for production?")
    assert "### ❌" not in section(report(samples.fixed()), "Ready for production?")


def test_risks_are_listed_by_weight(broken: str) -> None:
    risks = section(broken, "Risks")
    high, medium, low = (risks.index(title) for title in ("❌ High", "⚠️ Medium", "✅ Low"))
    assert high < risks.index("user-service is down: connection refused") < medium
    assert medium < risks.index("notification-service is down: connection refused") < low
    assert "Nothing found." in risks[low:]


def test_conditions_and_plan_carry_owner_effort_and_score(broken: str, partial: str) -> None:
    conditions = rows(section(broken, "Recommendation"))[1:]
    assert [cells[0] for cells in conditions] == [str(n + 1) for n in range(len(conditions))]
    assert conditions[0][2:] == ["platform", "3 h", "59"]
    plan = section(broken, "Plan")
    assert "or to **100** if the 27 unknown checks pass too" in plan
    assert "The whole plan takes **42.5 h** and leads to **99**" in plan
    assert rows(plan)[2][2:] == ["user-service<br>identity", "2 h", "+3.4", "59", "59"]
    assert "more conditions</summary>" in section(partial, "Recommendation")


def test_a_plan_that_leads_to_ready_says_so() -> None:
    bad = samples.with_value(
        samples.fixed(), "auth", "http_health", healthy=False, healthy_because="status 503"
    )
    plan = section(report(bad), "Plan")
    assert "leads to **100**. The system is READY then, if nothing else changes." in plan


def test_a_ready_system_has_nothing_left_to_do() -> None:
    text = report(samples.fixed())
    assert "No condition is open." in section(text, "Recommendation")
    assert "Nothing to do: no check fails or warns." in section(text, "Plan")
    untested = rows(section(text, "Not tested"))[1:]
    assert untested and not any("not tested: " in cells[2] for cells in untested)
    for absent in ("## Waivers", "## Loosened targets", "What to fix first", "on the score"):
        assert absent not in text


def test_what_was_not_tested_says_why(broken: str, partial: str) -> None:
    assert row(section(broken, "Not tested"), "http_access")[1:] == [
        "auth",
        "the login was refused",
    ]
    assert "<summary>20 more</summary>" in section(partial, "Not tested")


def test_waivers_and_loosened_targets_are_shown(partial: str) -> None:
    states = [cells[0] for cells in rows(section(partial, "Waivers"))[1:]]
    assert states == ["not needed", "expiring", "expired", "expiring"]
    assert rows(section(partial, "Loosened targets"))[1] == [
        *("p95 response time", "frontend", "400 ms", "900 ms", "200 ms", "500 ms")
    ]


def test_a_tightened_target_is_not_loosened() -> None:
    assert "## Loosened targets" not in report(samples.fixed())
    services = tuple(
        s.model_copy(update={"checks": {"latency-p95": {"target": "100ms", "limit": "900ms"}}})
        if s.name == "auth"
        else s
        for s in samples.inventory().services
    )
    text = report(changed(samples.fixed(), services=services))
    assert [cells[1] for cells in rows(section(text, "Loosened targets"))[1:]] == ["auth"]


def test_every_finding_is_in_the_report(broken: str) -> None:
    table = section(broken, "All findings")
    findings = assess(samples.broken(), CRITERIA).model.findings
    told = [len(cells[2].split(", ")) for cells in rows(table) if cells[1] != "Check"]
    assert sum(told) == len(findings)
    assert "| 50 % (45.5–54.5) | 500 | ≥ 98 % | ≥ 90 % | 0 |" in table
    assert "| discover | – | discover | – | 100 |" in table
    assert "| 1452 days | – | ≥ 180 days | ≥ 30 days | 100 |" in table


def test_long_lists_of_risks_are_folded() -> None:
    assert "<summary>4 more</summary>" in section(report(samples.many(12)), "Risks")


def test_many_root_causes_are_counted() -> None:
    assert "**auth-4** (connection refused) and 7 more." in report(samples.many(12))
    hubs = samples.many(12)
    services = list(hubs.inventory.services)
    services += [
        s.model_copy(update={"name": f"leaf-{i}", "depends_on": (s.name,)})
        for i, s in enumerate(hubs.inventory.services)
    ]
    leaves = [
        m.model_copy(update={"service": m.service.replace("auth", "leaf")})
        for m in hubs.measurements
    ]
    text = report(
        changed(
            hubs.model_copy(update={"measurements": (*hubs.measurements, *leaves)}),
            services=tuple(services),
        )
    )
    assert "- 7 more root causes of several outages." in text


def test_nothing_measured_is_still_a_report() -> None:
    empty = samples.keeping(samples.fixed(measurements=()), "auth", "redis")
    nobody = samples.keeping(samples.fixed())
    for form in FORMATS.values():
        assert form.render(assess(empty, CRITERIA))
        assert form.render(assess(nobody, CRITERIA))
    assert "Nothing in the inventory was applicable." in report(nobody)
    assert "| ❔ unknown |" in report(empty)


# Hostile text


def structure(text: str) -> list[str]:
    """Return everything of Markdown `text` but the words: blocks, cells, markup and HTML."""
    return [
        f"{token.type} {token.content if token.type.startswith('html') else token.markup}"
        for token in tokens(text)
        if token.type not in ("text", "text_special", "inline")
    ]


def spoiled_structure(text: str) -> list[str]:
    return structure(markdown.render(assess(spoiled(samples.partial(), text), CRITERIA)))


@pytest.fixture(scope="module")
def usual_structure() -> list[str]:
    return spoiled_structure("x")


@FEW
@given(text=HOSTILE)
@example(text="| a | <b>x</b> **y** [l](http://a.example) ![i](j) `c`\n\n# h\n- i\n@dana #1")
@example(text="</details><details><summary>")
def test_whatever_a_server_answers_the_report_keeps_its_structure(
    text: str, usual_structure: list[str]
) -> None:
    assert spoiled_structure(sendable(text)) == usual_structure


@pytest.mark.parametrize("name", SAMPLES)
def test_the_report_is_clean_markdown(name: str) -> None:
    found = list(tokens(report(SAMPLES[name]())))
    inline = {t.content for t in found if t.type == "html_inline"}
    blocks = {line for t in found if t.type == "html_block" for line in t.content.splitlines()}
    assert inline <= {"<br>"}
    assert all(re.match(r"</?details>(<summary>[^<]+</summary>)?$", line) for line in blocks)
    assert not {t.type for t in found} & {"link_open", "image", "code_block", "hr"}
    assert {t.info for t in found if t.type == "fence"} == {"mermaid"}


@pytest.mark.parametrize("name", SAMPLES)
def test_tables_are_whole_and_no_text_is_a_python_value(name: str) -> None:
    text = report(SAMPLES[name]())
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        assert len({len(cells) for cells in rows(block)}) == 1
    assert not re.search(r"\b(None|True|False|nan|inf|Undefined)\b|\n\n\n\n", text)


# Formats


def test_formats_are_named_as_in_the_contract() -> None:
    assert {name: form.file for name, form in FORMATS.items()} == {
        "markdown": "report.md",
        "summary": "summary.md",
        "html": "report.html",
        "junit": "junit.xml",
        "sarif": "readiness.sarif",
        "gitlab": "gl-code-quality.json",
        "prometheus": "readiness.prom",
        "badge": "badge.json",
        "csv": "findings.csv",
    }


def test_the_summary_fits_a_comment() -> None:
    small = FORMATS["summary"].render(assess(samples.many(45), CRITERIA))
    assert "5 more services are in the full report." in small
    longest = assess(samples.many(45, "@a " * 400), CRITERIA)
    assert len(FORMATS["summary"].render(longest)) <= summary.LONGEST


# Secrets


def secretive() -> Inventory:
    """The sample inventory with a canary for every secret that a variable can bring."""
    names = set(re.findall(r"\$\{(\w+)", bundled.SERVICES.read_text("utf-8")))
    schemes = {"DATABASE_URL": "postgresql", "REDIS_URL": "redis"}
    environ = {
        name: f"{schemes.get(name, 'http')}://{CANARY}:{CANARY}@localhost:8000/x?key={CANARY}"
        if name.endswith("_URL")
        else CANARY
        for name in names - {"READINESS_ENV", "NAME"}
    }
    return inventories.load(bundled.SERVICES, environ)


def test_no_secret_of_the_inventory_is_in_any_output() -> None:
    inventory = secretive()
    assert CANARY in str(inventory.service("auth").probes)
    assert CANARY in inventory.service("redis").url.get_secret_value()
    for build in (samples.broken, samples.fixed):
        assessment = assess(build(inventory=inventory), CRITERIA)
        for name, form in FORMATS.items():
            assert CANARY not in form.render(assessment), name
        assert CANARY not in assessment.to_json()


# The templates' guard


@pytest.mark.parametrize("value", [None, True, 0.5, ["x"], date(2026, 1, 1)])
def test_a_template_prints_text_and_whole_numbers_only(value: object) -> None:
    template = markdown._environment().from_string("{{ value }}")
    with pytest.raises(TypeError, match="a template prints"):
        template.render(value=value)


def test_a_template_that_asks_for_nothing_known_fails() -> None:
    with pytest.raises((TypeError, jinja2.UndefinedError)):
        markdown._environment().from_string("{{ page.nothing }}").render(page=object())


def test_what_a_template_puts_together_is_escaped_again() -> None:
    template = markdown._environment().from_string("{{ 'ready'|icon ~ value }}")
    assert "<b>" not in template.render(value="<b>")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (24.6, "25 s"), (99.4, "99 s"), (125, "2 min 5 s")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text
