"""How long the least plan takes to find, what is proven of it, and what the plan's order costs.

Run: python benchmarks/least.py [--works 20,50,100,200,500,1000] [--models 10] [--seed 1]

Models are drawn: findings that fail on services of every criticality, over all areas, of efforts
as the bundled checks have them. `in order` is how many times the least hours it takes to do the
plan from its top until READY is reached; `off by` the most that the answer may be above the least.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from readiness.assessment.goal import Goal, ready
from readiness.assessment.least import least_plan
from readiness.assessment.model import Model, judged
from readiness.assessment.plan import Work, works
from readiness.checks import Fix
from readiness.criteria import bundled_criteria
from readiness.evidence import Evidence, Tool
from readiness.finding import Finding
from readiness.inventory import Inventory, Service, System

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = bundled_criteria()
EFFORTS = [check.fix.effort_hours for check in RULES.checks.values()]
PER_SERVICE = 8
"""Findings that fail on each service; as many pass."""


class Solved(NamedTuple):
    """What one model came to."""

    seconds: float
    hours: float
    off_by: float
    in_order: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", default="20,50,100,200,500,1000")
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(
        f"{'works':>6}{'seconds':>9}{'most':>7}{'hours':>8}{'exact':>8}{'off by':>9}"
        f"{'in order':>10}"
    )
    for n in map(int, asked.works.split(",")):
        found = [
            solved(drawn(n, random.Random(f"{asked.seed} {n} {k}"))) for k in range(asked.models)
        ]
        times = [one.seconds for one in found]
        exact = sum(one.off_by == 0 for one in found)
        print(
            f"{n:6}{statistics.median(times):9.3f}{max(times):7.2f}"
            f"{statistics.median(one.hours for one in found):8.1f}{exact:5}/{len(found)}"
            f"{max(one.off_by / one.hours for one in found):9.2%}"
            f"{statistics.median(one.in_order for one in found):10.2f}"
        )


def solved(model: Model) -> Solved:
    """Find the least work to READY."""
    work, goal = works(model), ready(model.evidence.policy)
    began = time.perf_counter()
    plan = least_plan(model, work, goal)
    spent = time.perf_counter() - began
    assert plan.reached
    return Solved(spent, plan.hours, plan.within_hours, in_order(model, work, goal) / plan.hours)


def in_order(model: Model, work: Sequence[Work], goal: Goal) -> float:
    """Return the hours of the plan's top that reach `goal`."""
    standing, hours = model.standing, 0.0
    for one in work:
        if goal.met(standing):
            break
        standing, hours = standing.passing(one.findings), hours + one.head.fix.effort_hours
    return hours


def drawn(n: int, source: random.Random) -> Model:
    """Return a model of `n` failing findings and as many that pass."""
    names = [f"s{k}" for k in range(max(1, n // PER_SERVICE))]
    levels = ("critical", "high", "normal", "low")
    services = [
        Service.model_validate(
            {"name": name, "kind": "http", "url": "http://h", "criticality": source.choice(levels)}
        )
        for name in names
    ]
    findings = [one(k, names[k % len(names)], k < n, source) for k in range(2 * n)]
    evidence = Evidence(
        tool=Tool(version="0"),
        run_id="0",
        inventory=Inventory(version=1, system=System(name="drawn"), services=tuple(services)),
        environment="staging",
        allowed=("observe",),
        started_at=NOW,
        finished_at=NOW,
        measurements=(),
    )
    return judged(evidence, RULES, findings)


def one(k: int, service: str, fails: bool, source: random.Random) -> Finding:
    score = source.choice([0.0, 0.0, round(source.random() / 2, 2)]) if fails else 1.0
    return Finding(
        check=f"c{k}",
        probe=f"p{k}",
        service=service,
        area=list(RULES.areas)[k % len(RULES.areas)],
        title="",
        severity=source.choice(["critical", "high", "medium", "low"]),
        blocker=fails and source.random() < 0.05,
        outcome="fail" if fails else "pass",
        score=score,
        upper=score,
        because="",
        fix=Fix(text="Mend it.", effort_hours=source.choice(EFFORTS)),
    )


if __name__ == "__main__":
    main()
