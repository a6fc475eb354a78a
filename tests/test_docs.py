import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_fresh() -> None:
    for path, text in generator().pages().items():
        assert path.read_text("utf-8") == text, f"{path.name} is stale: run make docs"


def test_a_default_is_written_as_the_inventory_has_it() -> None:
    page = next(text for path, text in generator().pages().items() if path.name == "probes.md")
    assert "| [401, 403, 404] |" in page
    assert "frozenset" not in page
