"""Which files a pattern names, and that no folder can make the search endless."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from readiness.probes import Context, _report_files
from readiness.probes._report_files import find
from readiness.probes.junit_results import Settings, measure
from tests.reports import artifact, junit

pytestmark = pytest.mark.anyio


def lay(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def found(folder: Path, *patterns: str) -> tuple[list[str], tuple[str, ...]]:
    reports, missing = find(folder, patterns, lambda: None)
    return [report.name for report in reports], missing


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.xml", ["a.xml"]),
        ("*.xml", ["a.xml", "b.xml"]),
        ("?.xml", ["a.xml", "b.xml"]),
        ("[ab].xml", ["a.xml", "b.xml"]),
        ("**/*.xml", ["a.xml", "b.xml", "r/c.xml", "r/s/d.xml"]),
        ("**/**/*.xml", ["a.xml", "b.xml", "r/c.xml", "r/s/d.xml"]),
        ("r/**/*.xml", ["r/c.xml", "r/s/d.xml"]),
        ("r/**", ["r/c.xml", "r/e.txt", "r/s/d.xml"]),
        ("*/s/*.xml", ["r/s/d.xml"]),
        ("./r/../a.xml", ["r/../a.xml"]),
        (".hidden/h.xml", [".hidden/h.xml"]),
    ],
)
def test_what_a_pattern_names(pattern: str, expected: list[str], tmp_path: Path) -> None:
    lay(tmp_path, "a.xml", "b.xml", "r/c.xml", "r/e.txt", "r/s/d.xml", ".hidden/h.xml", ".x.xml")
    names, missing = found(tmp_path, pattern)
    assert ([os.path.normpath(n) for n in names], missing) == (
        [os.path.normpath(n) for n in expected],
        (),
    )


def test_a_path_from_the_root_and_one_above_are_named(tmp_path: Path) -> None:
    lay(tmp_path, "out/a.xml", "in/services.yaml")
    assert found(tmp_path / "in", str(tmp_path / "out/*.xml"))[0] == ["../out/a.xml"]
    assert found(tmp_path / "in", "../out/a.xml")[0] == ["../out/a.xml"]


def test_each_pattern_must_name_something(tmp_path: Path) -> None:
    lay(tmp_path, "a.xml", "r/c.xml")
    assert found(tmp_path, "a.xml", "b.xml", "x/**/*.xml", "r") == (
        ["a.xml"],
        ("no file matches b.xml", "no file matches x/**/*.xml", "r is a folder: name its files"),
    )
    assert found(tmp_path, "a.xml/b.xml")[1] == ("no file matches a.xml/b.xml",)


def test_a_file_counts_once_by_whatever_name(tmp_path: Path) -> None:
    lay(tmp_path, "a.xml")
    (tmp_path / "link.xml").symlink_to("a.xml")
    os.link(tmp_path / "a.xml", tmp_path / "hard.xml")
    assert found(tmp_path, "*.xml", "a.xml") == (["a.xml"], ())


def test_loops_of_links_end(tmp_path: Path) -> None:
    lay(tmp_path, "r/a.xml")
    (tmp_path / "r" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "r" / "self.xml").symlink_to("self.xml")
    told = "self.xml: Too many levels of symbolic links"
    assert found(tmp_path, "**/*.xml") == (["r/a.xml"], (told,))
    (tmp_path / "r" / "self.xml").unlink()
    assert found(tmp_path, "**/*.xml") == (["r/a.xml"], ())


def test_what_is_no_regular_file_is_none(tmp_path: Path) -> None:
    lay(tmp_path, "r/a.txt")
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "folder.xml").mkdir()
    (tmp_path / "gone.xml").symlink_to("nowhere")
    assert found(tmp_path, "*.xml") == ([], ("no file matches *.xml",))


def test_the_search_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, *(f"{index}.xml" for index in range(12)))
    with monkeypatch.context() as patch:
        patch.setattr(_report_files, "MOST_FILES", 10)
        assert found(tmp_path, "*.xml")[1] == ("*.xml names more than 10 files",)
    with monkeypatch.context() as patch:
        patch.setattr(_report_files, "_MOST_ENTRIES", 10)
        assert found(tmp_path, "*")[1] == ("more than 10 names would have to be looked at",)
    with monkeypatch.context() as patch:
        patch.setattr(_report_files, "MOST_BYTES", 1 << 20)
        os.truncate(tmp_path / "0.xml", (1 << 20) + 1)
        assert found(tmp_path, "*.xml") == ([], ("its files are larger than 1 MiB together",))
    deep = tmp_path.joinpath(*["d"] * 70)
    deep.mkdir(parents=True)
    assert found(tmp_path, "**/*.xml")[1] == ("folders are nested deeper than 64",)


async def test_a_pattern_without_a_match_is_unknown_beside_good_reports(
    context: Context, tmp_path: Path
) -> None:
    (tmp_path / "a.xml").write_text(junit("a"))
    here = replace(context, folder=tmp_path)
    values = await measure(artifact("junit", "a.xml", "e2e/*.xml"), Settings(), here)
    assert values["passed_ratio_because"] == "not tested: no file matches e2e/*.xml"
    assert "passed_ratio" not in values


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_what_may_not_be_read_is_told(context: Context, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(junit("a"))
    (tmp_path / "a.xml").chmod(0)
    values = await measure(
        artifact("junit", "a.xml"), Settings(), replace(context, folder=tmp_path)
    )
    assert values["passed_ratio_because"] == "not tested: a.xml cannot be read: Permission denied"
