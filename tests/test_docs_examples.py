"""Every example of YAML in the README and in docs/ can be read, and what is an inventory, binds."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from readiness import criteria, policy, steps
from readiness.document import parse
from readiness.inventory import from_document

ROOT = Path(__file__).resolve().parent.parent
HEAD: Mapping[str, Any] = {"version": 1, "system": {"name": "Shop", "environment": "test"}}
API = {"kind": "http", "url": "http://localhost:8000"}
PARTIAL = ("journeys.md", "ci.md")
"""Pages whose examples name services of each other, or are no inventories."""
EXAMPLES = {
    f"{page.name} {n}": text
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for n, text in enumerate(re.findall(r"```ya?ml\n(.*?)```", page.read_text("utf-8"), re.S))
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_can_be_read_and_binds(name: str, tmp_path: Path) -> None:
    written = yaml.safe_load(EXAMPLES[name])
    if isinstance(written, list) or name.split()[0] in PARTIAL or "steps" in written:
        return
    document = parse(json.dumps(_whole(written), default=str), str(tmp_path / "services.yaml"))
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)", EXAMPLES[name]), "0a1b2c3")
    urls = {key: f"{SCHEMES.get(key, 'http')}://localhost:1" for key in variables if "URL" in key}
    inventory = from_document(document, {**variables, **urls})
    steps.plan(inventory, document, frozenset())
    rules = criteria.bundled_criteria()
    criteria.check_overrides(inventory, rules, document)
    policy.check(inventory.policy, rules, document)


PARTS = {"services", "artifacts", "waivers", "journeys", "identities", "policy", "regression"}
SCHEMES = {"DATABASE_URL": "postgres", "REDIS_URL": "redis"}


def _whole(written: dict[str, Any]) -> dict[str, Any]:
    """Return the inventory that an example is a part of."""
    if set(written) <= {"probes", "checks"}:
        return {**HEAD, "services": {"api": {**API, **written}}}
    if not set(written) & PARTS:
        return {**HEAD, "services": written}
    reports = {"reports": API, "api": API}
    return {**HEAD, "services": reports, **written}
