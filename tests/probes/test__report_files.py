"""Which files a pattern names, and that no folder can make the search endless."""

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from readiness.inventory import ArtifactKind
from readiness.probes import Context, _report_files
from readiness.probes._report_files import aside, find
from readiness.probes.junit_results import Settings, measure
from tests.reports import artifact, junit
from tests.states import judged

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
    assert found(tmp_path / "in", str(tmp_path / "out/*.xml"))[0] == ["a.xml"]
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


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
@pytest.mark.parametrize("kind", ["junit", "coverage", "sarif"])
async def test_what_cannot_be_read_is_told(
    kind: ArtifactKind, context: Context, tmp_path: Path
) -> None:
    (tmp_path / "report").symlink_to("/proc/self/mem")
    here = replace(context, folder=tmp_path)
    for finding in (await judged(artifact(kind, "report"), here)).values():
        if finding.outcome != "not_applicable":
            because = "not tested: report cannot be read: Input/output error"
            assert (finding.outcome, finding.because) == ("unknown", because)


async def test_the_thread_ends_with_whoever_waits_for_it(context: Context) -> None:
    began, ended = threading.Event(), threading.Event()

    def work(check: Callable[[], None]) -> None:
        try:
            while True:
                began.set()
                check()
        finally:
            ended.set()

    task = asyncio.create_task(aside(work, context))
    assert await asyncio.to_thread(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 10)
