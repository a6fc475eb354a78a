"""Health-probe N endpoints of one server as a run does; prints the seconds and the answers.

Run: python -m benchmarks.load.many URL N
"""

import asyncio
import gc
import json
import sys
import time

from readiness import probes
from readiness.collect import Collector
from readiness.inventory import Inventory
from readiness.steps import Plan, Step

_PROBE = "http_health"
_LONGEST = 240


def plan(url: str, n: int) -> Plan:
    services = {f"s{i}": {"kind": "http", "url": f"{url}{i}"} for i in range(n)}
    system = {"name": "many", "version": "1", "environment": "test"}
    inventory = Inventory.model_validate({"version": 1, "system": system, "services": services})
    probe = probes.load(_PROBE)
    steps = [Step(each, _PROBE, probe, probe.Settings(), None) for each in inventory.services]
    return Plan(inventory, tuple(steps), frozenset({"observe"}), lambda _service, _probe: {})


def main(url: str, n: int) -> None:
    collector = Collector(plan(url, n), "benchmark", _LONGEST, lambda _step, _measurement: None)
    gc.freeze()  # as a run does
    began = time.perf_counter()
    asyncio.run(collector.run())
    lasted = time.perf_counter() - began
    answered = sum(each.failure is None for each in collector.measurements("not done"))
    print(json.dumps({"seconds": lasted, "answered": answered}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
