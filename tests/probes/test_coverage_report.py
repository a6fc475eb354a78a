"""Coverage: both formats, what is merged, what is no evidence, and that a low one is caught."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.coverage_report import METRICS, Settings, measure
from tests.reports import aged_file, artifact, at, run_pytest
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which coverage.py itself has written its reports."""
    folder = tmp_path_factory.mktemp("real")
    run_pytest(folder)
    return folder


async def read(context: Context, *texts: str | bytes, **settings: Any) -> Values:
    """Measure reports of these texts."""
    for index, text in enumerate(texts):
        content = text if isinstance(text, bytes) else text.encode()
        (context.folder / f"report-{index}").write_bytes(content)
    return await measure(artifact("coverage", "report-*"), Settings(**settings), context)


def lines(values: Values) -> tuple[Any, Any]:
    """Return (covered, valid)."""
    return values.get("lines_covered"), values.get("lines_valid")


def cobertura(*lines: str, stamp: str = "", root: str = "", name: str = "src/app.py") -> str:
    """Write a report of one class, each line `number:hits` or `number:hits:taken/branches`."""
    body = "".join(_line(*line.split(":")) for line in lines)
    source = f"<sources><source>{root}</source></sources>" if root else ""
    return (
        '<?xml version="1.0" ?><!DOCTYPE coverage SYSTEM '
        '"http://cobertura.sourceforge.net/xml/coverage-04.dtd">'
        f'<coverage line-rate="0" timestamp="{stamp}">{source}<packages><package name="a"><classes>'
        f'<class name="b" filename="{name}"><methods><method name="m"><lines>{body}</lines>'
        f"</method></methods><lines>{body}</lines></class></classes></package></packages></coverage>"
    )


def _line(number: str, hits: str, branches: str = "") -> str:
    told = f' branch="true" condition-coverage="50% ({branches})"' if branches else ""
    return f'<line number="{number}" hits="{hits}"{told}/>'


def lcov(*lines: str, name: str = "src/app.py") -> str:
    """Write a tracefile of one source file, each line `number,hits`."""
    body = "".join(f"DA:{line}\n" for line in lines)
    return f"TN:\nSF:{name}\n{body}LF:{len(lines)}\nend_of_record\n"


def share(covered: int, valid: int) -> list[str]:
    return [f"{number}:{int(number <= covered)}" for number in range(1, valid + 1)]


# Real reports, as tools write them.


@pytest.mark.parametrize(
    ("files", "form", "age"),
    [
        (("coverage.xml",), "Cobertura", "timestamps"),
        (("coverage.info",), "LCOV", "file times"),
        (("coverage.*",), "Cobertura and LCOV", "both"),
    ],
)
async def test_what_coverage_py_writes_is_read_alike(
    files: tuple[str, ...], form: str, age: str, real: Path, context: Context
) -> None:
    there = replace(context, folder=real)
    values = await measure(artifact("coverage", *files), Settings(), there)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    assert (values["format"], values["age_from"]) == (form, age)
    assert lines(values) == (3, 6)
    assert (values["branches_covered"], values["branches_valid"]) == (1, 2)
    assert values["line_rate"] == 0.5
    assert values["sources"] == 2
    assert values["line_rate_because"] == "3 of 6 lines; lowest: shop 50.0 % of 6 lines"


# Every bad state has its check.


@pytest.mark.parametrize(
    ("covered", "expected"),
    [(10, set[str]()), (8, set[str]()), (7, {"coverage-lines"}), (0, {"coverage-lines"})],
)
async def test_low_coverage_is_caught(covered: int, expected: set[str], here: Context) -> None:
    (here.folder / "coverage.xml").write_text(cobertura(*share(covered, 10)))
    findings = await judged(artifact("coverage", "coverage.xml"), here)
    assert set(findings) == {"coverage-lines"}
    assert (troubled(findings), unknown(findings)) == (expected, set())


async def test_a_team_sets_its_own_target(here: Context) -> None:
    (here.folder / "coverage.xml").write_text(cobertura(*share(8, 10)))
    mine = {"checks": {"coverage-lines": {"target": "95%", "limit": "90%"}}}
    findings = await judged(artifact("coverage", "coverage.xml").model_copy(update=mine), here)
    assert findings["coverage-lines"].outcome == "fail"


# What several reports say together.


@pytest.mark.parametrize(
    "texts",
    [
        (cobertura("1:1", "2:0", "3:0"), cobertura("1:0", "2:5", "3:0")),
        (lcov("1,1", "2,0", "3,0"), lcov("1,0", "2,5", "3,0")),
        (cobertura("1:1", "2:0", "3:0"), lcov("1,0", "2,5", "3,0")),
        (lcov("1,1", "2,0") + lcov("2,1", "3,0"),),
    ],
)
async def test_a_line_counts_once_and_as_run_if_any_test_ran_it(
    texts: tuple[str, ...], here: Context
) -> None:
    assert lines(await read(here, *texts)) == (2, 3)


async def test_branches_of_a_line_count_once(here: Context) -> None:
    values = await read(here, cobertura("1:1:1/2", "2:1:0/2"), cobertura("1:1:2/2", "2:1"))
    assert (values["branches_covered"], values["branches_valid"]) == (2, 4)
    text = "SF:a.c\nDA:1,1\nBRDA:1,0,0,5\nBRDA:1,0,1,-\nBRDA:1,0,2,0\nend_of_record\n"
    assert (await read(here, text, text))["branch_rate"] == pytest.approx(1 / 3)


async def test_one_file_by_two_spellings_is_one(here: Context) -> None:
    root = str(here.folder)
    texts = (
        cobertura("1:1", "2:0", root=f"{root}/src", name="app.py"),
        lcov("1,0", "2,1", name=f"{root}/src/app.py"),
        cobertura("1:0", "2:0", name="src\\app.py"),
    )
    assert lines(await read(here, *texts)) == (2, 2)


async def test_two_files_of_one_name_are_two(here: Context) -> None:
    one = cobertura("1:1", root="/ci/web", name="index.js")
    other = cobertura("1:0", root="/ci/api", name="index.js")
    values = await read(here, one, other)
    assert lines(values) == (1, 2)
    assert "lowest: /ci/api 0.0 % of 1 lines" in str(values["line_rate_because"])


# What is old, and what is no evidence.


@pytest.mark.parametrize("unit", [1, 1000])
async def test_the_time_within_is_read_in_either_unit(unit: int, here: Context) -> None:
    stamp = int(datetime.fromisoformat(at(30)).timestamp() * unit)
    values = await read(here, cobertura("1:1", stamp=str(stamp)))
    assert values["line_rate_because"] == "stale: report-0 is 30 h old, over 24 h"
    assert "line_rate" not in values and "lines_valid" not in values
    assert (await read(here, cobertura("1:1", stamp=str(stamp)), max_age="31h"))["line_rate"] == 1


async def test_a_file_without_a_time_is_as_old_as_itself(here: Context) -> None:
    values = await read(here, lcov("1,1"))
    assert (values["line_rate"], values["age_from"]) == (1.0, "file times")
    aged_file(here.folder / "report-0", 25)
    findings = await judged(artifact("coverage", "report-0"), here)
    assert unknown(findings) == {"coverage-lines"}


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"", "report-0 is empty"),
        (b"<html>404</html>", "is no Cobertura report: its root is <html>, another format"),
        (b'<report name="x"/>', "its root is <report>, JaCoCo's own format"),
        (b'<coverage clover="4.4"/>', "its root is <coverage>, Clover's format"),
        (b'{"src/app.js": {}}', "is neither Cobertura nor LCOV"),
        (b"\0" * 64, "is neither Cobertura nor LCOV"),
        (cobertura("1:1").encode()[:-9], "is no whole XML file"),
        (cobertura("1:1").replace('.dtd"', ".dtd\" [<!ENTITY a 'b'>]").encode(), "of its own"),
        (b"<coverage/>", "the reports name no line that could be run"),
        (cobertura().encode(), "the reports name no line that could be run"),
        (cobertura("9" * 12 + ":1").encode(), "is told to have a line 999999999999"),
        (cobertura("x:1", "1:many", "-1:1").encode(), "name no line that could be run"),
        (lcov("1,1").encode()[:-14], "ends in the middle of a record"),
        (b"SF:a.c\nDA:1\nend_of_record\n", "is no LCOV tracefile from line 2 on"),
        (b"SF:a.c\nDA:1,\0\nend_of_record\n", "is no LCOV tracefile from line 2 on"),
        (b"TN:\nDA:1,1\nend_of_record\n", "is no LCOV tracefile from line 2 on"),
        (b"SF:" + b"a" * 100_000, "is no LCOV tracefile from line 1 on"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_read_is_unknown(content: bytes, because: str, here: Context) -> None:
    values = await read(here, content)
    told = str(values["line_rate_because"])
    assert told.startswith("not tested: ") and because in told
    assert "line_rate" not in values
    (here.folder / "coverage.xml").write_bytes(content)
    assert unknown(await judged(artifact("coverage", "coverage.xml"), here)) == {"coverage-lines"}


async def test_many_reports_that_claim_long_files_are_not_added_up(here: Context) -> None:
    text = "".join(lcov("4999999,1", name=f"{index}.c") for index in range(60))
    assert "more lines than can be added up" in str((await read(here, text))["line_rate_because"])


async def test_negative_and_huge_hits_are_read(here: Context) -> None:
    assert lines(await read(here, lcov("1,-5", "2," + "9" * 30))) == (1, 2)
    assert lines(await read(here, cobertura("1:-5", "2:" + "9" * 30))) == (1, 2)


async def test_one_torn_report_among_good_ones_leaves_no_rate(here: Context) -> None:
    values = await read(here, cobertura("1:1"), cobertura("1:1")[:-5])
    assert "line_rate" not in values and "lines_covered" not in values


async def test_a_folder_is_no_report(here: Context) -> None:
    (here.folder / "coverage").mkdir()
    values = await measure(artifact("coverage", "coverage"), Settings(), here)
    assert values["line_rate_because"] == "not tested: coverage is a folder: name its files"
