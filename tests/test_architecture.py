"""Who imports whom: data flows down the pipeline once, and judging never touches the network."""

import ast
import functools
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("architecture")  # each module is parsed once

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "readiness"

LAYERS: dict[str, set[str]] = {
    "binomial": set(),
    "estimate": {"binomial"},
    "looks": {"estimate"},
    "enough": {"estimate"},
    "paired": {"estimate"},
    "failure": set(),
    "curve": set(),
    "quantity": set(),
    "bundled": set(),
    "escape": set(),
    "secret": set(),
    "mask": {"escape", "secret"},
    "document": {"secret"},
    "inventory": {"document", "secret", "quantity"},
    "against": {"document", "inventory"},
    "measurement": {"estimate", "failure"},
    "histogram": set(),
    "load": {"estimate", "failure", "histogram", "looks"},
    "ledger": set(),
    "probes": {
        "measurement",
        "inventory",
        "ledger",
        "load",
        "binomial",
        "estimate",
        "enough",
        "looks",
        "paired",
        "failure",
        "escape",
        "mask",
        "document",
    },
    "resolve": {"probes"},
    "safety": {"inventory"},
    "loop": set(),
    "slots": {"inventory"},
    "patience": set(),
    "turns": {"inventory", "probes"},
    "steps": {"document", "failure", "inventory", "looks", "probes"},
    "collect": {
        "steps",
        "probes",
        "load",
        "resolve",
        "slots",
        "patience",
        "turns",
        "document",
        "inventory",
        "ledger",
        "looks",
        "loop",
        "mask",
        "measurement",
        "failure",
    },
    "checks": {"curve", "inventory", "quantity"},
    "criteria": {"checks", "bundled", "document", "inventory", "quantity"},
    "policy": {"checks", "document", "inventory", "quantity"},
    "finding": {"checks", "curve", "estimate", "failure", "inventory", "measurement", "quantity"},
    "judge": {
        "finding",
        "checks",
        "curve",
        "estimate",
        "failure",
        "inventory",
        "measurement",
        "policy",
        "quantity",
    },
    "score": {"finding", "checks", "inventory"},
    "gate": {"score", "finding", "inventory", "policy"},
    "baseline": {"estimate"},
    "evidence": {"baseline", "document", "gate", "inventory", "measurement"},
    "assessment": {
        "baseline",
        "histogram",
        "enough",
        "judge",
        "policy",
        "quantity",
        "evidence",
        "gate",
        "score",
        "finding",
        "checks",
        "inventory",
        "measurement",
        "estimate",
    },
    "history": {
        "assessment",
        "baseline",
        "criteria",
        "checks",
        "estimate",
        "evidence",
        "failure",
        "finding",
        "gate",
        "inventory",
        "document",
    },
    "report": {
        "policy",
        "baseline",
        "quantity",
        "assessment",
        "escape",
        "bundled",
        "evidence",
        "gate",
        "score",
        "finding",
        "checks",
        "inventory",
        "estimate",
        "measurement",
    },
    "comment": {"report", "document", "escape", "mask"},
    "demo": set(),
}
"""Top-level module -> the top-level modules of ours it may import. `cli` may import all."""

JUDGING = (
    "curve",
    "checks",
    "criteria",
    "policy",
    "finding",
    "judge",
    "score",
    "gate",
    "baseline",
    "evidence",
    "assessment",
    "report",
)
NETWORK = {"httpx2", "httpcore2", "asyncpg", "redis", "mcp", "uvicorn", "starlette", "valkey"}
SCREEN = {"rich", "typer"}


def modules() -> dict[str, Path]:
    """Dotted name (without `readiness.`) -> file, for every module of the package."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(p for p in parts if p != "__init__") or "__init__"] = path
    return found


MODULES = modules()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@functools.cache
def imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found.update(
                f"{module}.{alias.name}" if module == "readiness" else module
                for alias in node.names
            )
    return frozenset(found)


def ours(path: Path) -> set[str]:
    """Return the top-level modules of ours that the file imports."""
    return {
        name.split(".")[1]
        for name in imports(path)
        if name.startswith("readiness.") and name.split(".")[1] != "__version__"
    }


def outside(top: str) -> set[str]:
    """Return every third-party or stdlib package that `top` reaches, transitively."""
    seen: set[str] = set()
    found: set[str] = set()
    waiting = [top]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for name, path in MODULES.items():
            if name.split(".")[0] == current:
                waiting += ours(path)
                found |= {i.split(".")[0] for i in imports(path)}
    return found


def test_modules_import_downwards_only() -> None:
    upwards = {
        name: up
        for name, path in MODULES.items()
        if (top := name.split(".")[0]) in LAYERS and (up := ours(path) - {top} - LAYERS[top])
    }
    assert upwards == {}


def test_every_module_has_its_place() -> None:
    places = {*LAYERS, "cli", "__main__", "__init__"}
    assert {name.split(".")[0] for name in MODULES} == places


@pytest.mark.parametrize("top", JUDGING)
def test_judging_reaches_neither_network_nor_screen(top: str) -> None:
    assert not outside(top) & (NETWORK | SCREEN)


def test_probes_reach_neither_checks_nor_screen() -> None:
    assert not outside("probes") & SCREEN


def test_broad_excepts_stand_in_collect_and_main_alone() -> None:
    broad = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
        )
    }
    assert broad == {"collect", "__main__"}


def test_every_module_says_what_it_is() -> None:
    assert [name for name, path in MODULES.items() if not ast.get_docstring(tree(path))] == []


def test_every_probe_has_its_test() -> None:
    names = {p.stem for p in (PACKAGE / "probes").glob("*.py") if not p.stem.startswith("_")}
    tests = {p.stem.removeprefix("test_") for p in (ROOT / "tests" / "probes").glob("test_*.py")}
    assert names <= tests
