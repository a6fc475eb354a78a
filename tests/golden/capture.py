"""Measure anew what the samples keep of the sample system's platform; then review the diff."""

import asyncio
import json
from typing import Any

from readiness import bundled, collect, demo, document, inventory, steps
from tests import sample_platform

SECONDS = 120


def captured(fixed: bool) -> dict[str, Any]:
    with demo.running(fixed) as environ:
        source = document.read(bundled.SERVICES)
        wanted = inventory.from_document(source, environ)
        plan = steps.plan(wanted, source, frozenset({"observe"}))
        kept = tuple(s for s in plan.steps if sample_platform.is_kept(s.name))
        only = steps.Plan(plan.inventory, kept, plan.allowed, plan.limits, plan.folder)
        collector = collect.Collector(only, "golden", SECONDS, lambda step, m: None)
        asyncio.run(collector.run())
        found = collector.measurements("not reached")
    failed = [f"{m.service} {m.probe}: {m.failure.detail}" for m in found if m.failure]
    assert not failed, failed
    return {f"{m.service} {m.probe}": m.model_dump(mode="json")["values"] for m in found}


def main() -> None:
    kept = {"broken": captured(fixed=False), "fixed": captured(fixed=True)}
    sample_platform.KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
