"""Where an inventory stands in its repository, which code hosts show findings at."""

from pathlib import Path

import pytest

from readiness import document, inventory, steps
from readiness.cli.origin import origin, path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An inventory in a folder of a repository."""
    found = tmp_path / "work" / "repository" / "deploy" / "läden" / "shop.yaml"
    found.parent.mkdir(parents=True)
    found.write_text(
        """version: 1
system: {name: Shop, environment: test}

services:
  api:
    kind: http
    url: http://127.0.0.1:1
  "db": {kind: postgres, url: "postgres://127.0.0.1:1/x"}
journeys:
  order:
    title: Order
    service: api
    steps: [{name: look, request: GET /}]
artifacts: {stack: {kind: compose, files: [compose.yaml]}}
"""
    )
    return found


def test_each_subject_has_the_line_of_its_name(file: Path) -> None:
    source = document.read(file)
    plan = steps.plan(inventory.from_document(source, {}), source, frozenset())
    assert origin(source, plan, {}).lines == {"api": 5, "db": 8, "order": 10, "stack": 14}


def test_the_path_begins_at_the_top_of_the_repository(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the CI says, as git shows, or as the user stands; else no more than its name."""
    top = tmp_path / "work" / "repository"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert path(file, {}) == "shop.yaml"
    monkeypatch.chdir(file.parent)
    assert path(Path("shop.yaml"), {}) == "shop.yaml"
    (top / ".git").mkdir()
    assert path(Path("shop.yaml"), {}) == "deploy/läden/shop.yaml"
    assert path(Path("../läden/shop.yaml"), {}) == "deploy/läden/shop.yaml"
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        assert path(file, {name: str(tmp_path / "work")}) == "repository/deploy/läden/shop.yaml"
        assert path(file, {name: str(tmp_path / "elsewhere")}) == "deploy/läden/shop.yaml"
