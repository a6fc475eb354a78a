"""What machines read of an assessment is well-formed, whatever a server answers."""

import csv
import io
import json
import re
from typing import Any
from xml.etree import ElementTree

from hypothesis import example, given

from readiness.assessment import Assessment, assess
from readiness.criteria import bundled_criteria
from readiness.inventory import Policy
from readiness.policy import PRESETS
from readiness.report import FORMATS, PRINTED, github
from readiness.report.problems import problems
from tests import samples
from tests.golden import SAMPLES
from tests.hostile import FEW, HOSTILE, sendable, spoiled

CRITERIA = bundled_criteria()


def test_the_badge_is_an_endpoint_of_shields() -> None:
    found = {
        name: json.loads(FORMATS["badge"].render(assess(build(), CRITERIA)))
        for name, build in SAMPLES.items()
    }
    assert found["fixed"] == {
        "schemaVersion": 1,
        "label": "production readiness",
        "message": "ready, 100/100",
        "color": "brightgreen",
        "isError": False,
    }
    assert found["broken"]["message"] == "not ready, 59/100"
    assert found["broken"]["isError"] is True
    internal = assess(samples.fixed(policy=PRESETS["internal"]), CRITERIA)
    assert json.loads(FORMATS["badge"].render(internal))["message"] == "ready (internal), 100/100"


def test_the_csv_has_a_row_for_each_finding() -> None:
    assessment = assess(samples.partial(), CRITERIA)
    table = list(csv.DictReader(io.StringIO(FORMATS["csv"].render(assessment))))
    assert len(table) == len(assessment.model.findings)
    login = next(r for r in table if (r["check"], r["service"]) == ("login-accepted", "auth"))
    assert (login["outcome"], login["value"], login["blocker"]) == ("fail", "false", "true")
    assert login["waived_by"] == "'@dana"
    p50 = next(r for r in table if (r["check"], r["service"]) == ("latency-p50", "auth"))
    assert float(p50["low"]) <= float(p50["value"]) <= float(p50["high"])
    assert (p50["n"], p50["unit"], p50["target"]) == ("40", "ms", "100.0")


def test_junit_calls_the_unknown_an_error_and_the_waived_skipped() -> None:
    root = ElementTree.fromstring(FORMATS["junit"].render(assess(samples.partial(), CRITERIA)))
    assert root.tag == "testsuites"
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}
    assert len(cases) == int(root.get("tests", 0)) == sum(int(s.get("tests", 0)) for s in root)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert sum(int(s.get(attribute, 0)) for s in root) == len(list(root.iter(tag)))
    assert cases["postgres", "Database answers"][0].tag == "error"
    login = cases["auth", "Documented login works"][0]
    assert login.tag == "skipped"
    assert str(login.get("message")).startswith("waived by @dana until 2026-11-30: POST")
    assert cases["file-service", "Ready to take traffic"][0].tag == "system-out"
    assert len(cases["redis", "Cache answers"]) == 0


def test_prometheus_text_is_well_formed() -> None:
    for name, build in SAMPLES.items():
        text = FORMATS["prometheus"].render(assess(build(), CRITERIA))
        assert text.endswith("\n"), name
        label = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
        sample = rf"readiness_[a-z_]+{{{label}(?:,{label})*}} -?\d+(?:\.\d+)?(?:e[-+]\d+)?"
        for line in text.splitlines():
            assert re.fullmatch(rf"# (?:HELP|TYPE) readiness_[a-z_]+ .+|{sample}", line), line
    assert 'readiness_score{system="PyAirtable",environment="staging"} 44' in text
    assert 'verdict="not_ready"} 1' in text
    assert (
        'readiness_service_available{system="PyAirtable",environment="staging",service="p'
        not in text
    )


@FEW
@given(text=HOSTILE)
def test_machines_can_read_every_format_whatever_a_server_answers(text: str) -> None:
    assessment = assess(spoiled(samples.partial(), sendable(text)), CRITERIA)
    ElementTree.fromstring(FORMATS["junit"].render(assessment))
    json.loads(FORMATS["badge"].render(assessment))
    table = list(csv.reader(io.StringIO(FORMATS["csv"].render(assessment))))
    assert {len(cells) for cells in table} == {21}
    assert not any(cell[:1] in ("=", "@") for cells in table for cell in cells)
    plain = FORMATS["prometheus"].render(assess(spoiled(samples.partial(), "x"), CRITERIA))
    assert len(FORMATS["prometheus"].render(assessment).splitlines()) == len(plain.splitlines())


# Code hosts

HOSTILE_LINE = "\r\n::error::x%0A::stop-commands::y\n##[error]z,title=a:b [c](http://d.example) {0}"
COMMAND = re.compile(
    r"::(?P<level>error|warning|notice) (?:file=(?P<file>[\w./-]+),line=(?P<line>\d+),)?"
    r"title=(?P<title>(?:[^%:,\r\n]|%(?:25|3A|2C))+)"
    r"::(?P<text>(?:[^%\r\n]|%25)+)"
)
"""What GitHub's runner takes for a command that stands at a line, written as it demands."""


def annotations(assessment: Assessment) -> list[re.Match[str]]:
    """Return the commands that the runner finds, having made sure that there is nothing else."""
    lines = PRINTED["github"](assessment).splitlines()
    found = [COMMAND.fullmatch(line) for line in lines]
    assert all(found), lines
    assert not any(re.search(r"##\w*\[", line) for line in lines)
    return [match for match in found if match]


def test_problems_are_what_is_not_good_the_worst_first() -> None:
    assessment = assess(samples.partial(), CRITERIA)
    found = problems(assessment)
    down = {row.name for row in assessment.services if row.status == "down"}
    alive = {
        (f.check, f.service)
        for f in assessment.model.findings
        if f.outcome in ("fail", "warn", "unknown") and not (f.failure and f.service in down)
    }
    outages = [p for p in found if p.finding.failure and p.finding.service in down]
    assert {(p.finding.check, p.finding.service) for p in found if p not in outages} == alive
    fails = [p.finding.service for p in outages if p.level == "error"]
    assert sorted(fails) == sorted(down)  # an outage is one problem
    levels = [("error", "warning", "note").index(p.level) for p in found]
    assert levels == sorted(levels)
    assert set(levels) == {0, 1, 2}
    assert found[0].finding.blocker
    login = next(p for p in found if p.finding.check == "login-accepted")
    assert login.level == "note"
    assert login.text.startswith("auth: waived by @dana until 2026-11-30: POST /auth/login")
    assert login.text.endswith("Make the login accept the documented request and return a token.")


def test_fingerprints_tell_findings_apart_and_stay_from_run_to_run() -> None:
    broken, partial = (problems(assess(e, CRITERIA)) for e in (samples.broken(), samples.partial()))
    assert len({p.fingerprint for p in partial}) == len(partial)
    known = {(p.finding.check, p.finding.service): p.fingerprint for p in partial}
    for problem in broken:
        key = problem.finding.check, problem.finding.service
        assert known.get(key, problem.fingerprint) == problem.fingerprint


def sarif(assessment: Assessment) -> dict[str, Any]:
    """Return the run of the log, having checked what SARIF 2.1.0 and GitHub require of it."""
    log = json.loads(FORMATS["sarif"].render(assessment))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "readiness"
    for rule in driver["rules"]:
        assert rule["id"] and rule["shortDescription"]["text"] and rule["fullDescription"]["text"]
        assert rule["help"]["text"].endswith(".")
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert re.fullmatch(r".+", result["message"]["text"])
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] in ("services.yaml", "compose.yaml")
        assert place["region"]["startLine"] >= 1
        assert re.fullmatch("[0-9a-f]{64}", result["partialFingerprints"]["checkAndService/v1"])
    return dict(run)


def test_sarif_has_a_rule_for_each_check_and_a_result_for_each_problem() -> None:
    run = sarif(assess(samples.partial(), CRITERIA))
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(CRITERIA.checks)
    results = {
        (r["ruleId"], r["locations"][0]["logicalLocations"][0]["name"]): r for r in run["results"]
    }
    assert len(results) == len(run["results"])
    assert len(
        {r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"]}
    ) == len(results)
    waived = results["login-accepted", "auth"]
    assert waived["level"] == "note"
    assert waived["suppressions"] == [
        {"kind": "external", "justification": "the new login ships next week"}
    ]
    assert results["postgres-up", "postgres"]["properties"] == {"outcome": "unknown"}
    assert run["invocations"][0]["executionSuccessful"] is False


def test_sarif_of_a_good_system_has_no_error() -> None:
    run = sarif(assess(samples.fixed(), CRITERIA))
    assert run["results"] == []
    assert run["invocations"] == [
        {
            "executionSuccessful": True,
            "startTimeUtc": "2026-11-24T10:37:00Z",
            "endTimeUtc": "2026-11-24T10:37:24Z",
        }
    ]


def test_gitlab_gets_what_fails_or_warns() -> None:
    assessment = assess(samples.broken(), CRITERIA)
    issues = json.loads(FORMATS["gitlab"].render(assessment))
    levels = [problem.level for problem in problems(assessment)]
    assert len(issues) == levels.count("error") + levels.count("warning")
    login = next(i for i in issues if i["check_name"] == "login-accepted")
    assert login["severity"] == "blocker"
    assert login["description"].startswith("Documented login works: auth: POST /auth/login")
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["location"]["path"] in ("services.yaml", "compose.yaml")
    assert len({i["fingerprint"] for i in issues}) == len(issues)


def test_gitlab_severities_follow_severity_outcome_and_waiver() -> None:
    assessment = assess(samples.partial(), CRITERIA)
    issues = {
        i["fingerprint"]: i["severity"] for i in json.loads(FORMATS["gitlab"].render(assessment))
    }
    steps = {"critical": "critical", "high": "major", "medium": "minor", "low": "info"}
    softer = {"critical": "major", "high": "minor", "medium": "info", "low": "info"}
    for problem in problems(assessment):
        f = problem.finding
        if f.outcome == "unknown":
            assert problem.fingerprint not in issues
        elif f.waived:
            assert issues[problem.fingerprint] == "info"
        elif f.outcome == "warn":
            assert issues[problem.fingerprint] == softer[f.severity]
        else:
            expected = "blocker" if f.blocker else steps[f.severity]
            assert issues[problem.fingerprint] == expected


def test_github_annotates_the_worst_of_each_level() -> None:
    assessment = assess(samples.partial(), CRITERIA)
    found = annotations(assessment)
    levels: list[str] = [problem.level for problem in problems(assessment)]
    assert levels.count("note") > github.MOST
    for level, command in (("error", "error"), ("warning", "warning"), ("note", "notice")):
        shown = sum(a["level"] == command for a in found)
        assert shown == min(levels.count(level), github.MOST)
    assert found[0]["title"] == "Nothing is blocked (stage report)"
    warning = annotations(assess(samples.partial(policy=Policy(stage="warn")), CRITERIA))
    assert (warning[0]["level"], warning[0]["title"]) == (
        "warning",
        "Nothing is blocked (stage warn)",
    )
    assert "The gate would exit with 1: Users get through on session, " in warning[0]["text"]
    assert sum(a["level"] == "warning" for a in warning) <= github.MOST
    found = annotations(assess(samples.broken(), CRITERIA))
    assert sum(a["level"] == "error" for a in found) == github.MOST
    login = next(a for a in found if a["title"] == "Documented login works (auth)")
    assert login["level"] == "error"
    assert login["text"].startswith("auth: POST /auth/login answered 422: body.username: field req")
    assert PRINTED["github"](assess(samples.fixed(), CRITERIA)) == ""


def test_github_text_is_escaped_as_its_toolkit_does() -> None:
    assert github._data("50 %, a:b") == "50 %25, a:b"
    assert github._property("50 %, a:b") == "50 %25%2C a%3Ab"
    assert github._data("a\r\nb") == "a b"


@FEW
@given(text=HOSTILE)
@example(text=HOSTILE_LINE)
def test_no_answer_of_a_server_is_a_command_to_a_code_host(text: str) -> None:
    usual = assess(spoiled(samples.partial(), "x"), CRITERIA)
    assessment = assess(spoiled(samples.partial(), sendable(text)), CRITERIA)
    levels = [(a["level"], a["title"]) for a in annotations(usual)]
    assert [(a["level"], a["title"]) for a in annotations(assessment)] == levels
    for result in sarif(assessment)["results"]:
        assert not re.search(r"\]\(|\{\d+\}", result["message"]["text"])
    usual_issues = json.loads(FORMATS["gitlab"].render(usual))
    assert len(json.loads(FORMATS["gitlab"].render(assessment))) == len(usual_issues)
