"""How long a large system takes to judge and to write down, beside `json.dumps` of the same.

Run: python benchmarks/render.py [--services 1000] [--rounds 3]

Every service has 20 findings, of which 12 pass, 4 fail, 2 warn and 2 are not known, and the times
and loads of a real one, so that every chart has something to draw; 200 runs went before. `ratio`
is to the time in which json.dumps writes the assessment, indented, in the same round. Ends with 1
where the median of a format is over 2 seconds.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from readiness.assessment import Assessment, assess
from readiness.checks import Area, Check, Criteria, Fix
from readiness.criteria import bundled_criteria
from readiness.evidence import Evidence, Past, Tool, from_json
from readiness.inventory import Inventory, Service, System
from readiness.measurement import Measurement
from readiness.report import FORMATS, PRINTED

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINDINGS = 20
LEVELS = ("critical", "high", "normal", "low")
RUNS = 200
MOST_SECONDS = 2.0
REAL = Path(__file__).parents[1] / "tests" / "golden" / "fixed.evidence.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", help="this format alone; repeatable")
    asked = parser.parse_args()
    evidence, criteria = system(asked.services), rules()
    rounds = [measured(evidence, criteria, asked.only) for _ in range(asked.rounds)]
    print(f"{asked.services} services, {FINDINGS} findings each, median of {asked.rounds}")
    print(f"{'':12}{'seconds':>9}{'ratio':>9}{'bytes':>12}{'lines':>9}")
    slowest = 0.0
    for name in rounds[0]:
        found = [r[name] for r in rounds]
        seconds = statistics.median(f[0] for f in found)
        slowest = max(slowest, seconds if name in renderers() else 0)
        ratio = statistics.median(r[name][0] / r["json.dumps"][0] for r in rounds)
        size, lines = found[0][1:]
        print(f"{name:12}{seconds:9.3f}{ratio:9.2f}{size:12,}{lines:9,}")
    return int(slowest > MOST_SECONDS)


def measured(
    evidence: Evidence, criteria: Criteria, only: list[str] | None
) -> dict[str, tuple[float, int, int]]:
    """Return for each stage the seconds it took, and the bytes and lines of what it wrote."""
    began = time.perf_counter()
    found = assess(evidence, criteria)
    rows = {"assess": (time.perf_counter() - began, 0, 0)}
    contract = json.loads(found.to_json())
    rows["json.dumps"] = timed(lambda: json.dumps(contract, indent=1, ensure_ascii=False))
    rows["assessment"] = timed(found.to_json)
    for name, render in renderers().items():
        if not only or name in only:
            rows[name] = timed(bound(render, found))
    return rows


def renderers() -> dict[str, Callable[[Assessment], str]]:
    """Every format by its name."""
    return {**{name: f.render for name, f in FORMATS.items()}, **PRINTED}


def bound(render: Callable[[Assessment], str], found: Assessment) -> Callable[[], str]:
    return lambda: render(found)


def timed(write: Callable[[], str]) -> tuple[float, int, int]:
    began = time.perf_counter()
    text = write()
    return time.perf_counter() - began, len(text.encode()), text.count("\n")


def system(services: int) -> Evidence:
    """Return the evidence on so many services, each with something wrong."""
    named = [one(n) for n in range(services)]
    loads = [
        m
        for m in from_json(REAL.read_text("utf-8"), REAL.name).measurements
        if m.service == "auth" and m.probe in ("http_latency", "http_concurrency")
    ]
    copied = (m.model_copy(update={"service": s.name}) for s in named for m in loads)
    return Evidence(
        tool=Tool(version="0"),
        run_id="0" * 16,
        inventory=Inventory(version=1, system=System(name="large"), services=tuple(named)),
        environment="staging",
        allowed=("observe", "load"),
        started_at=NOW,
        finished_at=NOW,
        measurements=(*(m for s in named for m in readings(s)), *copied),
        trend=tuple(
            Past(
                run_id=f"{n:016x}",
                started_at=NOW - timedelta(hours=RUNS - n),
                value=50 + n % 50,
                verdict="not_ready" if n % 3 else "conditional",
            )
            for n in range(RUNS)
        ),
    )


def one(n: int) -> Service:
    body: dict[str, Any] = {
        "name": f"service-{n:04}",
        "kind": "http",
        "url": f"http://localhost:{10_000 + n}",
        "criticality": LEVELS[n % 4],
        "owner": f"@team-{n % 17}",
        "depends_on": [f"service-{n - 1:04}"] if n % 5 else [],
    }
    return Service.model_validate(body)


def readings(service: Service) -> list[Measurement]:
    n = int(service.name[-4:])
    values = {f"fact_{k}": (k + n) % FINDINGS >= 4 for k in range(FINDINGS - 2)}
    for k in range(2):
        values.pop(f"fact_{(n + 7 + k) % (FINDINGS - 2)}")
    read = {**values, "slow_ms": 300 + n % 50, "slower_ms": 400 + n % 50}
    return [
        Measurement(
            probe="http_health", service=service.name, started_at=NOW, seconds=0.1, values=read
        )
    ]


def rules() -> Criteria:
    """Return 20 checks over four of the areas that ship; 18 hold or do not, 2 are times."""
    names = ("availability", "security", "performance", "hardening")
    areas: dict[str, Area] = {
        name: area if name in names else area.model_copy(update={"kinds": ()})
        for name, area in bundled_criteria().areas.items()
    }
    severities = ("critical", "high", "medium", "low")
    made = [rule(k, severities[k % 4], names[k // 5]) for k in range(FINDINGS)]
    return Criteria(checks={c.id: c for c in made}, areas=areas)


def rule(k: int, severity: Any, area: str) -> Check:
    slow = {FINDINGS - 2: "slow_ms", FINDINGS - 1: "slower_ms"}.get(k)
    measure: dict[str, Any] = (
        {"metric": slow, "unit": "ms", "target": 200, "limit": 500}
        if slow
        else {"metric": f"fact_{k}", "must_be": True}
    )
    return Check(
        id=f"rule-{k}",
        title=f"Rule {k} holds",
        probe="http_health",
        area=area,
        severity=severity,
        blocker=k == 0,
        why="It matters.",
        fix=Fix(text=f"Mend what rule {k} asks for.", effort_hours=(0.5, 1, 2, 4, 8)[k % 5]),
        **measure,
    )


if __name__ == "__main__":
    sys.exit(main())
