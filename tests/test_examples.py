"""The examples load and bind as they are, and start the version that they were tried with."""

from pathlib import Path

import pytest

from readiness import steps
from readiness.criteria import bundled_criteria
from readiness.document import read
from readiness.inventory import Inventory, Tier, from_document
from readiness.inventory.url import split

ROOT = Path(__file__).resolve().parent.parent / "examples"
FOLDERS = sorted(path for path in ROOT.iterdir() if path.is_dir())
TIERS = frozenset[Tier]({"observe", "load", "write", "intrusive"})

each_example = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def loaded(folder: Path) -> Inventory:
    return from_document(read(folder / "services.yaml"), {})


def test_there_are_examples() -> None:
    assert [folder.name for folder in FOLDERS] == ["directus", "jupyterhub", "mcp", "verdaccio"]


@each_example
def test_every_probe_of_it_binds(folder: Path) -> None:
    plan = steps.plan(loaded(folder), read(folder / "services.yaml"), TIERS)
    deep = {"mcp": {"mcp_tools", "mcp_protocol", "mcp_call", "mcp_stdio"}}
    expected = deep.get(folder.name, {"journey", "access_matrix", "session"})
    assert expected <= {step.name for step in plan.steps}


@each_example
def test_it_asks_this_machine_alone_unless_told_otherwise(folder: Path) -> None:
    assert {split(service.address).hostname for service in loaded(folder).services} == {"127.0.0.1"}


@each_example
def test_probes_name_journeys_steps_and_identities_that_are_there(folder: Path) -> None:
    inventory = loaded(folder)
    steps = {(walk.name, step.name) for walk in inventory.journeys for step in walk.steps}
    for service in inventory.services:
        for name, told in service.probes.items():
            if name in ("jwt", "session"):
                places = {told[key] for key in ("show", "step", "refresh", "logout") if key in told}
                assert {(told["journey"], place) for place in places} <= steps
            if name == "access_matrix":
                assert set(told["roles"]) <= inventory.identities.keys()
                owned = told["objects"].values()
                assert {(one["journey"], one["step"]) for one in owned} <= steps


@each_example
def test_its_readme_installs_the_version_in_its_inventory(folder: Path) -> None:
    system = loaded(folder).system
    written = (folder / "README.md").read_text("utf-8")
    pinned = f"{system.name.lower()}@{system.version}", f"{system.name.lower()}=={system.version}"
    assert any(pin in written for pin in pinned)
    assert f"readiness run examples/{folder.name}/services.yaml" in written


@each_example
def test_its_readme_says_what_each_finding_is(folder: Path) -> None:
    written = (folder / "README.md").read_text("utf-8")
    root = written.index("at the root of this repository:")
    assert root < written.index("readiness run examples/")
    rows = [row.strip("| ").split(" | ") for row in written.splitlines() if row.startswith("| `")]
    assert len(rows) >= 5
    for check, does, verdict in rows:
        assert check.split("`")[1] in bundled_criteria().checks
        assert does
        assert verdict.startswith(("true", "by design", "mended in readiness"))
