"""Test results: what every dialect says, what is no evidence, and that each state has its check."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from readiness.failure import ProbeError
from readiness.inventory import Artifact
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.junit_results import METRICS, Settings, measure
from tests.reports import COMMIT, aged_file, artifact, at, junit, run_pytest, saved
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

VERDICTS = {"tests-passed", "tests-flaky", "tests-skipped"}
OTHERS = {"tests-not-vanished", "tests-commit"}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which pytest itself has written its reports."""
    folder = tmp_path_factory.mktemp("real")
    run_pytest(folder)
    return folder


async def read(context: Context, *texts: str | bytes, **settings: Any) -> Values:
    """Measure reports of these texts."""
    for index, text in enumerate(texts):
        content = text if isinstance(text, bytes) else text.encode()
        (context.folder / f"report-{index}.xml").write_bytes(content)
    return await measure(artifact("junit", "*.xml"), Settings(**settings), context)


def counts(values: Values) -> tuple[Any, ...]:
    """Return (passed, failed, errors, skipped, flaky)."""
    return tuple(values.get(name) for name in ("passed", "failed", "errors", "skipped", "flaky"))


# Real reports, as tools write them.


async def test_what_pytest_writes_is_read_as_it_happened(real: Path, context: Context) -> None:
    there = replace(context, folder=real)
    values = await measure(artifact("junit", "junit.xml"), Settings(commit=COMMIT[:9]), there)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    assert counts(values) == (4, 1, 2, 2, 0)
    assert (values["suites"], values["cases"], values["executed"]) == (1, 9, 7)
    assert values["passed_ratio"] == 4 / 7
    assert str(values["passed_ratio_because"]).startswith("4 of 7 passed; failed: test_cart.test_b")
    assert (values["age_from"], values["commit"]) == ("timestamps", COMMIT[:12])
    assert values["commit_matches"] is True
    assert isinstance(values["age_hours"], float) and values["age_hours"] < 1


@pytest.mark.parametrize(
    ("name", "expected", "suites"),
    [
        ("surefire.xml", (5, 1, 1, 1, 2), 1),
        ("jest-junit.xml", (4, 1, 0, 1, 0), 1),
        ("mocha-xunit.xml", (3, 1, 0, 1, 0), 1),
        ("mocha-junit-reporter.xml", (3, 1, 0, 1, 0), 4),
        ("vitest.xml", (2, 1, 0, 1, 0), 1),
        ("go-junit-report.xml", (1, 2, 0, 1, 0), 1),
        ("gotestsum.xml", (1, 2, 0, 1, 0), 1),
        ("ctest.xml", (1, 1, 0, 2, 0), 1),
        ("playwright.xml", (5, 1, 0, 2, 2), 2),
        ("gradle-retry.xml", (2, 1, 0, 0, 1), 1),
        ("googletest.xml", (1, 1, 0, 2, 0), 1),
        ("phpunit-nested.xml", (2, 1, 0, 0, 0), 3),
    ],
)
async def test_every_dialect_is_read(
    name: str, expected: tuple[int, ...], suites: int, here: Context
) -> None:
    values = await read(here, saved(name))
    assert counts(values) == expected, values
    assert values["suites"] == suites


# Every bad state has its check, and no other.


async def told(context: Context, text: str, **settings: Any) -> tuple[set[str], set[str]]:
    (context.folder / "junit.xml").write_text(text)
    settings = {"at_least": 2, "commit": COMMIT, **settings}
    findings = await judged(artifact("junit", "junit.xml", **settings), context)
    assert set(findings) == VERDICTS | OTHERS
    return troubled(findings), unknown(findings)


def of_commit(text: str, commit: str = COMMIT) -> str:
    properties = f'<properties><property name="git.commit" value="{commit}"/></properties>'
    return text.replace("</testsuite>", f"{properties}</testsuite>")


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        (("a", "b", "c"), set[str]()),
        (("a", "b", "c:failure"), {"tests-passed"}),
        (("a", "b", "c:error"), {"tests-passed"}),
        (("a", "b", "c:flakyFailure"), {"tests-flaky"}),
        (("a", "b", "c:failure", "c"), {"tests-flaky"}),
        (("a", "b", "c:skipped"), {"tests-skipped"}),
        (("a",), {"tests-not-vanished"}),
    ],
)
async def test_each_state_is_caught_by_its_check_alone(
    cases: tuple[str, ...], expected: set[str], here: Context
) -> None:
    assert await told(here, of_commit(junit(*cases))) == (expected, set())


async def test_results_of_another_commit_are_caught_and_prove_nothing(here: Context) -> None:
    text = of_commit(junit("a", "b:failure"), "0" * 40)
    assert await told(here, text) == ({"tests-commit"}, VERDICTS | {"tests-not-vanished"})
    values = await measure(artifact("junit", "junit.xml"), Settings(commit=COMMIT), here)
    assert values["passed_ratio_because"] == (
        "stale: junit.xml is of commit 000000000000, not 1f8d5a0c3b7e"
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("git.commit.id", COMMIT, COMMIT[:12]),
        ("GITHUB_SHA", COMMIT.upper(), COMMIT[:12]),
        ("vcs-revision", COMMIT[:8], COMMIT[:8]),
        ("revision", "20260301", None),
        ("revision", "1.0-SNAPSHOT", None),
        ("token", COMMIT, None),
    ],
)
async def test_which_properties_name_a_commit(
    name: str, value: str, expected: str | None, here: Context
) -> None:
    text = of_commit(junit("a")).replace("git.commit", name).replace(COMMIT, value)
    assert (await read(here, text)).get("commit") == expected


async def test_a_commit_that_nobody_names_is_unknown_and_nothing_else_is(here: Context) -> None:
    assert await told(here, junit("a", "b")) == (set(), {"tests-commit"})


async def test_without_settings_their_checks_do_not_apply(here: Context) -> None:
    (here.folder / "junit.xml").write_text(junit("a", "b"))
    for settings in ({}, {"commit": ""}):
        findings = await judged(artifact("junit", "junit.xml", **settings), here)
        outcomes = {name: finding.outcome for name, finding in findings.items()}
        assert {name for name, o in outcomes.items() if o == "pass"} == VERDICTS
        assert {name for name, o in outcomes.items() if o == "not_applicable"} == OTHERS


async def test_the_reports_of_the_reference_are_a_row(here: Context) -> None:
    cases = [*(f"ok{i}" for i in range(15)), *(f"bad{i}:failure" for i in range(27))]
    values = await read(here, junit(*cases))
    assert values["passed_ratio"] == 15 / 42
    assert values["passed_ratio_because"] == (
        "15 of 42 passed; failed: shop.Cart.bad0, shop.Cart.bad1, shop.Cart.bad2 and 24 more"
    )


# What is old, of another time or of another place.


@pytest.mark.parametrize(
    ("began", "because"),
    [
        (25.0, "stale: report-0.xml is 25 h old, over 24 h"),
        (24.0 * 9, "stale: report-0.xml is 9 days old, over 24 h"),
        (-1.0, "not tested: report-0.xml is dated 60 min ahead of this machine's clock"),
    ],
)
async def test_what_is_too_old_or_yet_to_come_is_unknown(
    began: float, because: str, here: Context
) -> None:
    text = of_commit(junit("a", "b:failure", began=at(began)))
    values = await read(here, text)
    assert values["passed_ratio_because"] == because
    assert not {"passed", "failed", "cases", "passed_ratio"} & set(values)
    assert await told(here, text) == (set(), VERDICTS | {"tests-not-vanished"})


async def test_an_hour_can_be_too_old_and_a_week_new_enough(here: Context) -> None:
    text = junit("a", began=at(2))
    assert "passed_ratio" not in await read(here, text, max_age="1h")
    assert (await read(here, text, max_age="168h"))["age_hours"] == 2.0


async def test_a_little_skew_between_clocks_is_none(here: Context) -> None:
    assert (await read(here, junit("a", began=at(-0.05))))["age_hours"] == 0.0


async def test_one_old_file_among_new_ones_is_told(here: Context) -> None:
    values = await read(here, junit("a"), junit("b", began=at(48)))
    assert str(values["passed_ratio_because"]).startswith("stale: report-1.xml is 2 days old")


async def test_a_time_within_counts_more_than_that_of_the_file(here: Context) -> None:
    await read(here, junit("a"))
    aged_file(here.folder / "report-0.xml", 100)
    assert (await measure(artifact("junit", "*.xml"), Settings(), here))["age_from"] == "timestamps"
    values = await read(here, junit("a", began=""))
    assert values["age_from"] == "file times"
    assert "renews" in str(values["age_from_because"])
    aged_file(here.folder / "report-0.xml", 100)
    values = await measure(artifact("junit", "*.xml"), Settings(), here)
    assert str(values["passed_ratio_because"]).startswith("stale: report-0.xml is 4 days old")


@pytest.mark.parametrize("began", ["1970-01-01T00:00:00", "yesterday", "9999-12-31", "", "0"])
async def test_a_placeholder_is_no_time(began: str, here: Context) -> None:
    assert (await read(here, junit("a", began=began)))["age_from"] == "file times"


# What was run again.


async def test_a_later_report_runs_a_case_again(here: Context) -> None:
    first = junit("a", "b:failure", began=at(2), time=60)
    again = junit("b", began=at(1), time=5)
    values = await read(here, again, first)
    assert counts(values) == (2, 0, 0, 0, 1)
    assert values["flaky_ratio_because"] == "1 passed when run again: shop.Cart.b"
    worse = await read(here, junit("b:failure", began=at(1), time=5), first)
    assert counts(worse) == (1, 1, 0, 0, 0)
    skipped = await read(here, junit("b:skipped", began=at(1), time=5), first)
    assert counts(skipped) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    "other",
    [
        lambda: junit("b", began=at(1.999), time=60),
        lambda: junit("b", began=""),
        lambda: junit("b", began=at(1), time=5, hostname="another"),
        lambda: junit("b", began=at(1), time=5, name="another"),
    ],
    ids=["overlaps", "without a time", "another host", "another suite"],
)
async def test_legs_of_a_matrix_do_not_excuse_each_other(
    other: Callable[[], str], here: Context
) -> None:
    first = junit("b:failure", began=at(2), time=60)
    assert counts(await read(here, first, other())) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        (("a:failure", "a:error", "a"), (1, 0, 0, 0, 1)),
        (("a:failure", "a:error"), (0, 0, 1, 0, 0)),
        (("a", "a"), (2, 0, 0, 0, 0)),
        (("a", "a:failure"), (1, 1, 0, 0, 0)),
        (("a", "a:failure", "a"), (2, 1, 0, 0, 0)),
        (("a:failure", "a:skipped"), (0, 1, 0, 1, 0)),
        (("a:failure:rerunFailure:rerunFailure",), (0, 1, 0, 0, 0)),
        (("a:flakyError:flakyFailure",), (1, 0, 0, 0, 1)),
        (("a:failure:error:skipped",), (0, 0, 1, 0, 0)),
    ],
)
async def test_what_counts_as_run_again(
    cases: tuple[str, ...], expected: tuple[int, ...], here: Context
) -> None:
    assert counts(await read(here, junit(*cases))) == expected


# What is no evidence.


async def test_a_suite_that_claims_more_than_it_shows_is_no_evidence(here: Context) -> None:
    values = await read(here, junit("a", "b", tests=42))
    assert values["passed_ratio_because"] == "not tested: report-0.xml claims 42 tests and shows 2"
    values = await read(here, junit("a", "b", tests=2, failures=1))
    assert "claims 1 failures and shows 0" in str(values["passed_ratio_because"])


async def test_a_suite_that_failed_as_a_whole_did_not_pass(here: Context) -> None:
    values = await read(here, junit("a").replace("</testsuite>", "<error/></testsuite>"))
    assert counts(values) == (1, 0, 1, 0, 0)
    assert "failed: unit as a whole" in str(values["passed_ratio_because"])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ('status="run"', (1, 0, 0, 0, 0)),
        ('status="PASSED"', (1, 0, 0, 0, 0)),
        ('result="skipped"', (0, 0, 0, 1, 0)),
        ('status="disabled"', (0, 0, 0, 1, 0)),
        ('executed="false"', (0, 0, 0, 1, 0)),
        ('status="failed"', (0, 1, 0, 0, 0)),
        ('result="Inconclusive"', (0, 0, 1, 0, 0)),
        ('status="notrun" result="aborted"', (0, 0, 1, 0, 0)),
    ],
)
async def test_what_a_case_says_in_an_attribute_counts(
    status: str, expected: tuple[int, ...], here: Context
) -> None:
    text = junit("a").replace("<testcase", f"<testcase {status}")
    assert counts(await read(here, text)) == expected


async def test_a_case_within_a_case_is_no_report(here: Context) -> None:
    inner = "<testcase name='b'/>"
    text = junit("a").replace("</testcase>", f"{inner}<failure/></testcase>")
    assert "has a <testcase> within a case" in str((await read(here, text))["passed_ratio_because"])


@pytest.mark.parametrize("output", ["{}", "<![CDATA[{}]]>"])
async def test_output_of_any_length_is_passed_over(output: str, here: Context) -> None:
    told = f"<system-out>{output.format('x' * (12 << 20))}</system-out></testcase>"
    assert counts(await read(here, junit("a").replace("</testcase>", told))) == (1, 0, 0, 0, 0)


@pytest.mark.parametrize("name", ["surefire.xml", "playwright.xml", "gotestsum.xml"])
async def test_no_beginning_of_a_report_is_taken_for_the_whole(name: str, here: Context) -> None:
    text = saved(name).rstrip().encode()
    for end in range(0, len(text), 1 + len(text) // 40):
        assert "passed" not in await read(here, text[:end])


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("<testsuites/>", "not tested: there is no case"),
        (junit("a:skipped"), "not tested: every case was skipped"),
    ],
)
async def test_no_case_is_no_pass(text: str, because: str, here: Context) -> None:
    values = await read(here, text)
    assert values["passed_ratio_because"] == because
    assert "passed_ratio" not in values


async def test_a_failure_is_told_though_another_file_is_torn(here: Context) -> None:
    values = await read(here, junit("a", "b:failure"), junit("c")[:-30])
    assert values["passed_ratio_because"] == (
        "not tested: report-1.xml is no whole XML file: unclosed token (line 1); "
        "1 of 2 passed; failed: shop.Cart.b"
    )
    findings = await judged(artifact("junit", "*.xml"), here)
    assert (troubled(findings), unknown(findings)) == (set(), VERDICTS)


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><testsuites>&b;</testsuites>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuites>&a;</testsuites>'
FETCHED = '<!DOCTYPE testsuites SYSTEM "http://127.0.0.1:1/x.dtd">'
WIDE = "<testsuites " + " ".join(f'a{i}="1"' for i in range(1_000_000)) + "/>"


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"", "is empty"),
        (b"<html><body>404</body></html>", "is no JUnit report: its root is <html>"),
        (b"<!DOCTYPE html><html><p></html>", "is no JUnit report: its root is <html>"),
        (b'{"tests": 1}', "is no whole XML file: not well-formed"),
        (b"\0" * 100, "is no whole XML file"),
        (junit("a").encode() + b"\0", "is no whole XML file"),
        (junit("a").encode()[:-12], "is no whole XML file: "),
        (BOMB.encode(), "declares a document type of its own (line 1)"),
        (EXTERNAL.encode(), "declares a document type of its own (line 1)"),
        (b"<a>" * 100_000, "is no JUnit report: its root is <a>"),
        (b"<testsuite>" * 100_000, "nests deeper than 100 tags (line 1)"),
        (b"<testsuites>&undeclared;</testsuites>", "is no whole XML file: undefined entity"),
        (b'<?xml version="1.0" encoding="klingon"?><testsuites/>', "in an encoding that cannot"),
        (WIDE.encode(), "has a tag of more than 4 MiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_hostile_files_are_unknown_and_named(
    content: bytes, because: str, here: Context
) -> None:
    values = await read(here, content)
    told = str(values["passed_ratio_because"])
    assert told.startswith("not tested: report-0.xml") and because in told
    assert len(told) <= 300
    assert "passed" not in values


async def test_a_definition_elsewhere_is_never_fetched(here: Context) -> None:
    assert counts(await read(here, FETCHED + junit("a"))) == (1, 0, 0, 0, 0)


async def test_odd_numbers_and_names_do_no_harm(here: Context) -> None:
    odd = {"time": "1,234.5", "tests": "9" * 400, "failures": "-3", "errors": "NaN"}
    values = await read(here, junit("&#x202e;&#x9b;[31m" + "x" * 5000 + ":failure", **odd))
    told = str(values["passed_ratio_because"])
    assert told.isprintable() and len(told) < 200
    assert values["seconds"] == 1234.5
    for time in ("inf", "nan", "1e308", "-1", "soon"):
        assert (await read(here, junit("a", time=time)))["seconds"] == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
async def test_encodings(encoding: str, here: Context) -> None:
    name = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{name}"?>' + junit("gr\u00fc\u00dfe:failure")
    values = await read(here, text.encode(encoding))
    assert "shop.Cart.gr\u00fc\u00dfe" in str(values["passed_ratio_because"])


@pytest.mark.parametrize("cases", [10_000, pytest.param(100_000, marks=pytest.mark.thorough)])
async def test_many_cases_are_streamed(cases: int, here: Context) -> None:
    output = f"<system-out>{'x' * 200}</system-out>"
    case = '<testcase classname="shop.Cart" name="test_%d" time="0.01">' + output + "</testcase>"
    body = "".join(case % i for i in range(cases))
    text = f'<testsuites><testsuite name="unit" timestamp="{at()}">{body}</testsuite></testsuites>'
    (here.folder / "large.xml").write_text(text)
    del body, text
    tracemalloc.start()
    try:
        values = await measure(artifact("junit", "large.xml"), Settings(), here)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert values["passed"] == cases
    assert peak < (2 << 20) + cases * 500


async def test_time_that_is_over_is_ours(here: Context) -> None:
    late = replace(here, deadline=0.0)
    with pytest.raises(ProbeError) as raised:
        await read(late, junit("a"))
    assert raised.value.failure.kind == "deadline"


async def test_a_wrong_commit_is_refused_before_it_is_compared() -> None:
    with pytest.raises(ValueError, match="commit"):
        Settings(commit="main")


async def test_what_the_inventory_names_need_not_be_there(here: Context) -> None:
    missing: Artifact = artifact("junit", "reports/**/*.xml")
    values = await measure(missing, Settings(commit=COMMIT), here)
    assert values["passed_ratio_because"] == "not tested: no file matches reports/**/*.xml"
    assert values["commit_matches_because"] == values["passed_ratio_because"]
    assert values["files"] == 0
