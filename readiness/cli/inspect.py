"""`validate`, `schema` and `explain`: what can be said without any traffic."""

import glob
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from readiness import (
    against,
    criteria,
    document,
    escape,
    estimate,
    inventory,
    policy,
    probes,
    safety,
    steps,
)
from readiness.checks import Check, Criteria
from readiness.cli import demands
from readiness.cli.assess import judged_by, reference_for
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.document.complaint import suggest
from readiness.inventory import Inventory
from readiness.probes.http_latency import GENTLE
from readiness.quantity import amount
from readiness.report.words import plural


def validate(path: Path, checks: Sequence[Path], no_env: bool, other: Path | None = None) -> None:
    """Check inventory, criteria and probe settings, and name targets that cannot be proven.

    So it does with `other`, the inventory to compare with, and says who would be compared.
    """
    source = document.read(path)
    environ: Mapping[str, str] = os.environ
    if no_env:
        for name, line in inventory.missing_variables(source, environ):
            say(f"{path}:{line}: variable {name} is not set.")
        source = inventory.tolerant(source, environ)
    wanted = inventory.from_document(source, environ)
    if other is not None:
        reference = reference_for(wanted, other, environ, tolerant=no_env)
        wanted = against.paired(wanted, reference, str(other))
        for sentence in _compared(wanted, other):
            say(escape.line(sentence))
    rules = judged_by(criteria.read_packs(checks))
    criteria.check_overrides(wanted, rules, source)
    policy.check(wanted.policy, rules, source)
    plan = steps.plan(wanted, source, safety.allowed_tiers(wanted.system), (), rules.limits)
    for warning in _unprovable(plan, rules):
        say(f"{path}: {warning}")
    for line, warning in _unmatched(plan, source):
        say(f"{path}:{line}: {warning}")
    for line, warning in demands.waivers(wanted, rules, source):
        say(f"{path}:{line}: {escape.line(warning)}")
    for sentence in demands.told(policy.effective(wanted.policy), rules):
        say(sentence)
    count = sum(c.concerns(s) for c in rules.checks.values() for s in wanted.subjects)
    walks = f", {len(wanted.journeys)} journeys" if wanted.journeys else ""
    say(
        f"{path}: valid. {plural(len(wanted.services), 'service')}{walks}, "
        f"{len(plan.steps)} probes, {count} checks."
    )


def _compared(wanted: Inventory, other: Path) -> Iterator[str]:
    """Say which services of `wanted` would be compared with those of `other`, and why not all."""
    settings = {s.name: s.probes.get(against.PROBE) or {} for s in wanted.services}
    asked = {name: one for name, one in settings.items() if one.keys() & {"reference", "alone"}}
    beside = [name for name, one in asked.items() if "reference" in one]
    yield f"{other}: {len(beside)} of {plural(len(asked), 'HTTP service')} would be compared."
    for name, one in asked.items():
        if "reference" not in one:
            yield f"{other}: not {name}: {one['alone']}"


def schema() -> None:
    """Print the JSON Schema of services.yaml."""
    settings = {}
    for name in probes.names():
        probe = probes.load(name)
        settings[name] = (probe.KINDS, probe.Settings)
    say(json.dumps(inventory.schema(settings), indent=2))


def explain(name: str | None, checks: Sequence[Path]) -> None:
    """Print what one check measures, why, and how to fix it; or list all checks."""
    rules = judged_by(criteria.read_packs(checks))
    if name is None:
        width = max(map(len, rules.checks))
        for check in rules.checks.values():
            say(f"{check.id:{width}} {check.title}")
        return
    if name not in rules.checks:
        raise ConfigurationError(f"unknown check '{name}'.", fix=suggest(name, rules.checks))
    say("\n".join(_explained(rules.checks[name], rules)))


def _explained(check: Check, rules: Criteria) -> Iterator[str]:
    area = rules.areas[check.area]
    yield f"{check.id}: {check.title}"
    yield ""
    meaning = probes.load(check.probe).METRICS.get(check.metric, "")
    yield f"Measures  {check.metric} of the probe {check.probe}: {meaning}"
    yield f"Passes    {_criterion(check)}"
    yield f"Counts    {check.severity} in {area.title}" + (
        ", and blocks a release on critical and high services" if check.blocker else ""
    )
    yield f"Why       {check.why}"
    yield f"Fix       {check.fix.text} ({check.fix.effort_hours:g} h)"


def _criterion(check: Check) -> str:
    if check.must_be is not None:
        return f"when it is {str(check.must_be).lower()}"
    if check.one_of is not None:
        return f"when it is one of: {', '.join(map(str, check.one_of))}"
    assert check.target is not None and check.limit is not None
    side, beyond = ("at most", "above") if check.better == "lower" else ("at least", "below")
    return (
        f"{side} {amount(check.target, check.unit)}, fails {beyond} "
        f"{amount(check.limit, check.unit)} ({check.curve} between)"
    )


def _unmatched(plan: steps.Plan, source: document.Document) -> Iterator[tuple[int, str]]:
    """Name what artifacts ask for and is not there: yet to be written, or misspelt."""
    for artifact in plan.inventory.artifacts:
        for pattern in artifact.files:
            within = plan.folder
            paths = glob.iglob(pattern, root_dir=within, recursive=True)  # noqa: PTH207 (or absolute)
            if not any((within / path).is_file() for path in paths):
                yield (
                    source.line(("artifacts", artifact.name, "files")) or 1,
                    f"no file matches {escape.line(pattern)} as yet. "
                    "Paths begin at the folder of this file.",
                )


def _unprovable(plan: steps.Plan, rules: Criteria) -> Iterator[str]:
    """Name the rate targets that perfect results of a fixed number of samples would not prove.

    Where it is not fixed, more are taken while a target is open.
    """
    for step in plan.steps:
        n = _fixed(step, plan)
        if n is None or not isinstance(step.service, inventory.Service):
            continue
        for check in rules.checks.values():
            if check.probe != step.name or check.curve != "nines" or check.metric != "success_rate":
                continue
            target = check.for_service(step.service).target or 0.0
            fewest = estimate.needed(target)  # all of so many succeed by chance in 1 of 40 runs
            if n < fewest:
                yield (
                    f"{step.service.name}: {check.id} wants {amount(target, check.unit)}, which "
                    f"{n} samples cannot prove. It takes {fewest}."
                )


def _fixed(step: steps.Step, plan: steps.Plan) -> int | None:
    """Return how many samples a probe of HTTP takes; None where that depends on what it sees."""
    settings: dict[str, int | None] = step.settings.model_dump()
    if step.name == "http_concurrency":
        return settings["requests"]
    if step.name != "http_latency":
        return None
    if "load" in plan.allowed:
        return settings["samples"]
    usual = isinstance(step.service, inventory.Service) and step.service.samples
    return min(settings["samples"] or usual or plan.inventory.defaults.samples, GENTLE.samples)
