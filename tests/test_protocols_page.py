"""The examples of docs/protocols.md make an inventory whose probes bind."""

import re
from pathlib import Path

from readiness import steps
from readiness.document import read
from readiness.inventory import from_document

PAGE = Path(__file__).resolve().parent.parent / "docs" / "protocols.md"
NAMES = ("TOKEN", "SESSION", "RABBITMQ_USER", "RABBITMQ_PASSWORD")


def test_its_examples_are_an_inventory(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\nservices:\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    path = tmp_path / "services.yaml"
    head = "version: 1\nsystem: {name: Wires, environment: test}\nservices:\n"
    path.write_text(head + "".join(examples))
    inventory = from_document(read(path), dict.fromkeys(NAMES, "k-5c1b0f"))
    planned = {step.name for step in steps.plan(inventory, read(path), frozenset()).steps}
    described = set(re.findall(r"^## .*`(\w+)`", PAGE.read_text("utf-8"), re.MULTILINE))
    assert described <= planned
    assert len(examples) == len(described) == 6
