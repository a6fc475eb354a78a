"""The wheel, installed into a fresh environment, works from an empty folder."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.program import environment

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=120)
    return next(out.glob("*.whl"))


def test_it_carries_criteria_templates_and_the_sample_inventory(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("checks", "report_templates"):
        for file in (ROOT / folder).iterdir():
            assert f"readiness/_bundled/{folder}/{file.name}" in names
    assert "readiness/_bundled/services.yaml" in names
    assert not [n for n in names if n.startswith("tests/") or "__pycache__" in n]


def test_the_source_has_what_its_tests_read(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir"]
    subprocess.run(
        [*command, str(tmp_path), str(ROOT)], check=True, capture_output=True, timeout=120
    )
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("checks", "docs", "examples", "report_templates", "tests"):
        files = [file for file in (ROOT / folder).rglob("*") if file.is_file()]
        assert {str(f.relative_to(ROOT)) for f in files if "__pycache__" not in str(f)} <= names


def test_installed_it_runs_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    lib = next(home.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(lib)
    # The dependencies are those of this environment; only the package itself is fresh.
    here = next(p for p in map(Path, sys.path) if p.name == "site-packages")
    (lib / "dependencies.pth").write_text(f"{here}\n")
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [str(home / "bin" / "python"), "-m", "readiness", *words]
        return subprocess.run(
            command, cwd=empty, env=environment(), capture_output=True, text=True, check=False
        )

    explained = run("explain", "health-ready")
    assert explained.returncode == 0, explained.stderr
    inventory = lib / "readiness" / "_bundled" / "services.yaml"
    valid = run("validate", str(inventory))
    assert valid.returncode == 0, valid.stderr
    assert "12 services" in valid.stdout
