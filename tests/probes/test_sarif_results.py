"""Scanners' results: how each is graded, what proves nothing, and that no secret is shown."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.sarif_results import METRICS, Settings, measure
from tests.reports import COMMIT, aged_file, artifact, at, result, sarif
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

CHECKS = {"scan-critical", "scan-high", "scan-errors"}


async def read(context: Context, *texts: str | bytes, **settings: Any) -> Values:
    """Measure reports of these texts."""
    for index, text in enumerate(texts):
        content = text if isinstance(text, bytes) else text.encode()
        (context.folder / f"report-{index}.sarif").write_bytes(content)
    return await measure(artifact("sarif", "*.sarif"), Settings(**settings), context)


def counts(values: Values) -> tuple[Any, ...]:
    """Return (critical, high, errors, warnings, notes)."""
    return tuple(values.get(n) for n in ("critical", "high", "errors", "warnings", "notes"))


def rule(level: str | None = None, severity: Any = None, name: str = "R1") -> dict[str, Any]:
    """Describe a rule."""
    described: dict[str, Any] = {"id": name}
    if level:
        described["defaultConfiguration"] = {"level": level}
    if severity is not None:
        described["properties"] = {"security-severity": severity}
    return described


# A real report, as a tool writes it.


def ruff(source: str, folder: Path) -> str:
    (folder / "app.py").write_text(source)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache"]
    ran = subprocess.run(
        [*command, "--output-format=sarif", "app.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.stdout


async def test_what_ruff_writes_is_read(here: Context) -> None:
    values = await read(here, ruff("import os\n", here.folder))
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    assert (values["results"], values["errors_free"], values["critical_free"]) == (1, False, True)
    told = str(values["errors_free_because"])
    assert told == "1 error: F401 at app.py:1"
    assert str(values["tool"]).startswith("ruff 0.")
    assert (await read(here, ruff("x = 1\n", here.folder)))["errors_free"] is True


# Every bad state has its check, and no other.


@pytest.mark.parametrize(
    ("results", "rules", "expected"),
    [
        ([], [], set[str]()),
        ([result("note"), result("warning")], [], set[str]()),
        ([result("error")], [], {"scan-errors"}),
        ([result("error")], [rule(severity="9.8")], {"scan-critical"}),
        ([result("warning")], [rule(severity="9.0")], {"scan-critical"}),
        ([result("error")], [rule(severity="7.5")], {"scan-high"}),
        ([result("note")], [rule(severity=8)], {"scan-high"}),
        ([result("warning")], [rule(severity="6.9")], set[str]()),
        ([result("error")], [rule(severity="5.0")], {"scan-errors"}),
    ],
)
async def test_each_state_is_caught_by_its_check_alone(
    results: list[Any], rules: list[Any], expected: set[str], here: Context
) -> None:
    (here.folder / "scan.sarif").write_text(sarif(*results, rules=rules))
    findings = await judged(artifact("sarif", "scan.sarif"), here)
    assert set(findings) == CHECKS
    assert (troubled(findings), unknown(findings)) == (expected, set())


# How a result is graded.


@pytest.mark.parametrize(
    ("found", "rules", "expected"),
    [
        (result(None), [], (0, 0, 0, 1, 0)),
        (result(None), [rule("error")], (0, 0, 1, 0, 0)),
        (result(None, ruleId="R1/md5"), [rule("note")], (0, 0, 0, 0, 1)),
        (
            result(None, ruleId=None, ruleIndex=1),
            [rule(), rule("error", name="R2")],
            (0, 0, 1, 0, 0),
        ),
        (result(None, rule={"id": "R1"}, ruleId=None), [rule("error")], (0, 0, 1, 0, 0)),
        (result("none"), [rule("error")], (0, 0, 0, 0, 0)),
        (result("note"), [rule("error")], (0, 0, 0, 0, 1)),
        (result(kind="pass"), [], (0, 0, 0, 0, 0)),
        (result(kind="notApplicable"), [], (0, 0, 0, 0, 0)),
        (result(kind="informational"), [], (0, 0, 0, 0, 0)),
        (result(baselineState="absent"), [], (0, 0, 0, 0, 0)),
        (result(baselineState="unchanged"), [], (0, 0, 1, 0, 0)),
        (result(suppressions=[{"kind": "inSource"}]), [], (0, 0, 0, 0, 0)),
        (result(suppressions=[{"kind": "external", "status": "accepted"}]), [], (0, 0, 0, 0, 0)),
        (result(suppressions=[{"kind": "external", "status": "rejected"}]), [], (0, 0, 1, 0, 0)),
        (result(suppressions=[{"status": "underReview"}, {}]), [], (0, 0, 1, 0, 0)),
        (result(suppressions=[]), [], (0, 0, 1, 0, 0)),
        (result(properties={"security-severity": 9.9}), [rule(severity=1)], (1, 0, 1, 0, 0)),
        (result("warning"), [rule(severity="high")], (0, 0, 0, 1, 0)),
        (result("warning"), [rule(severity="inf")], (0, 0, 0, 1, 0)),
        (result("warning"), [rule(severity=True)], (0, 0, 0, 1, 0)),
        (result("dire"), [], (0, 0, 0, 1, 0)),
    ],
)
async def test_how_a_result_is_graded(
    found: Any, rules: list[Any], expected: tuple[int, ...], here: Context
) -> None:
    assert counts(await read(here, sarif(found, rules=rules))) == expected


async def test_what_a_person_has_to_look_at_is_counted_apart(here: Context) -> None:
    values = await read(here, sarif(result(None, kind="review"), result(None, kind="open")))
    assert (values["reviews"], values["results"], values["errors_free"]) == (2, 2, True)


async def test_rules_of_an_extension_and_levels_set_for_a_run(here: Context) -> None:
    extension = {"name": "pack", "rules": [rule("error", name="X")]}
    tool = {"driver": {"name": "CodeQL", "rules": []}, "extensions": [extension]}
    found = result(None, ruleId="X", rule={"index": 0, "toolComponent": {"index": 0}})
    assert counts(await read(here, sarif(found, tool=tool))) == (0, 0, 1, 0, 0)
    override = {"descriptor": {"id": "R1"}, "configuration": {"level": "error"}}
    invocation = {"executionSuccessful": True, "ruleConfigurationOverrides": [override]}
    found = result(None, provenance={"invocationIndex": 0})
    text = sarif(found, rules=[rule("note")], invocations=[invocation])
    assert counts(await read(here, text)) == (0, 0, 1, 0, 0)


async def test_warnings_can_count_as_errors(here: Context) -> None:
    text = sarif(result("warning"), result("note"))
    assert counts(await read(here, text)) == (0, 0, 0, 1, 1)
    assert counts(await read(here, text, error_from="warning")) == (0, 0, 1, 0, 1)
    assert counts(await read(here, text, error_from="note")) == (0, 0, 2, 0, 0)


async def test_runs_of_all_files_are_added_up(here: Context) -> None:
    two = json.loads(sarif(result()))
    two["runs"] += json.loads(sarif(result("warning")))["runs"]
    values = await read(here, json.dumps(two), sarif(result(), result("note")))
    assert counts(values) == (0, 0, 2, 1, 1)
    assert (values["runs"], values["files"], values["tool"]) == (3, 2, "Scanner 1.2.3")


# What is shown.


async def test_a_scanner_for_secrets_shows_rule_and_place_alone(here: Context) -> None:
    """As gitleaks writes it: no level, and the secret in message, snippet and properties."""
    leak = result(None, ruleId="aws-access-token", properties={"match": "hunter2"})
    driver = {
        "name": "gitleaks",
        "semanticVersion": "v8.0.0",
        "rules": [{"id": "aws-access-token"}],
    }
    values = await read(here, sarif(leak, tool={"driver": driver}))
    assert values["errors_free_because"] == "1 error: aws-access-token at src/app.py:7"
    assert "hunter2" not in str(values)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ({"uri": "https://ann:hunter2@host/src/a.py?token=hunter2#hunter2"}, "R1 at /src/a.py:7"),
        ({"uri": "file:///app/src/a%20b.py"}, "R1 at /app/src/a b.py:7"),
        ({"uri": "data:text/plain,hunter2"}, "R1"),
        ({"uri": "http://[bad"}, "R1"),
        ({"index": 0}, "R1 at lib/c.py:7"),
        ({"index": 9}, "R1"),
        ({"uri": "\u202e\x1b[31m" + "x" * 500}, "R1 at " + "x" * 99 + "\u2026:7"),
        ([], "R1"),
    ],
)
async def test_places_are_shown_bounded_and_without_secrets(
    location: Any, shown: str, here: Context
) -> None:
    places = [{"physicalLocation": {"artifactLocation": location, "region": {"startLine": 7}}}]
    artifacts = [{"location": {"uri": "lib/c.py"}}]
    values = await read(here, sarif(result(locations=places), artifacts=artifacts))
    assert values["errors_free_because"] == f"1 error: {shown}"


async def test_a_result_without_a_place_names_its_rule(here: Context) -> None:
    logical = [{"logicalLocations": [{"fullyQualifiedName": "shop.Cart.total"}]}]
    values = await read(here, sarif(result(locations=logical), result(locations=None)))
    assert values["errors_free_because"] == "2 errors: R1 at shop.Cart.total, R1"


async def test_many_results_are_counted_and_few_are_named(here: Context) -> None:
    values = await read(here, sarif(*(result(ruleId=f"R{index}") for index in range(500))))
    told = str(values["errors_free_because"])
    assert told.startswith("500 errors: R0 at src/app.py:7, R1") and told.endswith("497 more")


# What proves nothing.


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        (
            {"invocations": [{"executionSuccessful": False}]},
            "not tested: Scanner 1.2.3 says that it failed",
        ),
        (
            {"results": None},
            "not tested: Scanner 1.2.3 tells of no results, not even of none",
        ),
        (
            {"invocations": [{"executionSuccessful": True, "endTimeUtc": at(30)}]},
            "stale: report-0.sarif is 30 h old, over 24 h",
        ),
        (
            {"invocations": [{"executionSuccessful": True, "startTimeUtc": at(-3)}]},
            "not tested: report-0.sarif is dated 3 h ahead of this machine's clock",
        ),
    ],
)
async def test_a_scan_that_failed_or_is_old_is_not_a_clean_one(
    changes: dict[str, Any], because: str, here: Context
) -> None:
    text = sarif(**changes)
    values = await read(here, text)
    assert values["critical_free_because"] == because
    assert not {"critical_free", "errors", "results"} & set(values)
    (here.folder / "scan.sarif").write_text(text)
    findings = await judged(artifact("sarif", "scan.sarif"), here)
    assert (troubled(findings), unknown(findings)) == (set(), CHECKS)


async def test_what_a_failed_scan_found_is_told_all_the_same(here: Context) -> None:
    values = await read(here, sarif(result(), invocations=[{"executionSuccessful": False}]))
    assert values["errors_free_because"] == (
        "not tested: Scanner 1.2.3 says that it failed; 1 error: R1 at src/app.py:7"
    )


async def test_without_a_time_within_the_file_has_one(here: Context) -> None:
    assert (await read(here, sarif(invocations=[])))["age_from"] == "file times"
    aged_file(here.folder / "report-0.sarif", 25)
    values = await measure(artifact("sarif", "*.sarif"), Settings(), here)
    assert str(values["high_free_because"]).startswith("stale: ")


async def test_the_commit_is_compared(here: Context) -> None:
    of_this = {"versionControlProvenance": [{"revisionId": COMMIT.upper()}]}
    values = await read(here, sarif(**of_this), commit=COMMIT[:8])
    assert (values["commit_matches"], values["errors_free"]) == (True, True)
    values = await read(here, sarif(**of_this), commit="0" * 40)
    assert values["commit_matches"] is False
    assert str(values["errors_free_because"]).startswith(
        "stale: report-0.sarif is of commit 1f8d5a"
    )
    silent = await read(here, sarif(), commit=COMMIT)
    assert silent["commit_matches_because"] == "not tested: report-0.sarif names no commit"
    assert silent["errors_free"] is True


DEEP = b'{"runs": ' + b"[" * 200_000


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"", "report-0.sarif is empty"),
        (b"<html>404</html>", "is no whole JSON file (line 1)"),
        (sarif(result()).encode()[:-20], "is no whole JSON file (line 1)"),
        (b"[]", "is no SARIF report: it has no runs"),
        (b'{"version": "2.1.0"}', "is no SARIF report: it has no runs"),
        (b'{"version": "2.0.0", "runs": [{}]}', "is no SARIF report of version 2.1.0"),
        (b'{"version": "2.1.0", "runs": []}', "tells of no run of a scanner"),
        (b'{"version": "2.1.0", "runs": [7]}', "tells of no run of a scanner"),
        (b'{"version": "2.1.0", "runs": [{}]}', "a scanner tells of no results"),
        (DEEP, "nests too deep"),
        (b'{"version": ' + b"9" * 100_000 + b"}", "is no JSON file that can be read"),
        (b'{"a": "\xff\xfe"}', "is no JSON file that can be read"),
        (b"\0" * 64, "is no "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_hostile_files_are_unknown_and_named(
    content: bytes, because: str, here: Context
) -> None:
    told = str((await read(here, content))["errors_free_because"])
    assert told.startswith("not tested: ") and because in told


@pytest.mark.parametrize("odd", [None, 7, "x", [], [7], {}, {"a": []}, True, [[]], [{}]])
async def test_what_has_not_its_form_is_as_good_as_absent(odd: Any, here: Context) -> None:
    for key in ("tool", "invocations", "artifacts", "versionControlProvenance"):
        values = await read(here, sarif(result(), **{key: odd}))
        assert values["errors"] == 1, key
    for key in ("rule", "locations", "suppressions", "properties", "provenance", "ruleIndex"):
        text = sarif(result(**{key: odd}), rules=[rule(), odd])
        assert set(counts(await read(here, text))) <= {0, 1}, key


async def test_a_file_too_large_to_hold_is_not_read(here: Context) -> None:
    with (here.folder / "report-0.sarif").open("wb") as file:
        file.truncate((64 << 20) + 1)
    values = await measure(artifact("sarif", "*.sarif"), Settings(), here)
    assert values["errors_free_because"] == "not tested: report-0.sarif is larger than 64 MiB"
