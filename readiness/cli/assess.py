"""`run` and `report`: inventory or evidence -> assessment -> files, words and an exit code."""

import contextlib
import gc
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from readiness import (
    __version__,
    against,
    collect,
    criteria,
    document,
    evidence,
    inventory,
    loop,
    probes,
    safety,
)
from readiness.assessment import Assessment, assess
from readiness.checks import Criteria
from readiness.cli import leftovers, output, progress, words
from readiness.cli.option import member
from readiness.cli.say import say
from readiness.document import ConfigurationError, Document
from readiness.evidence import Compared, Evidence, Previous, Tool
from readiness.gate import FailOn, Policy
from readiness.inventory import Environment, Inventory, Tier
from readiness.inventory.duration import seconds
from readiness.measurement import Measurement

NOT_SAVED = 6


@dataclass(frozen=True)
class Request:
    """What the command line asks of a run, checked word by word."""

    inventory: Path
    out: Path
    allow: tuple[Tier, ...]
    environment: Environment | None
    only: tuple[str, ...]
    packs: Mapping[str, str]
    previous: Path | None
    policy: Policy
    deadline: float
    formats: tuple[str, ...]
    against: Path | None = None


def request(
    inventory: Path,
    out: Path,
    allow: Sequence[str],
    environment: str | None,
    only: Sequence[str],
    checks: Sequence[Path],
    previous: Path | None,
    fail_on: str | None,
    deadline: str,
    formats: Sequence[str],
    no_gate: bool,
    against: Path | None = None,
) -> Request:
    """Check every word of the command line; ConfigurationError says which one is wrong."""
    return Request(
        inventory=inventory,
        out=out,
        allow=tuple(member(tier, Tier, "--allow") for word in allow for tier in word.split(",")),
        environment=member(environment, Environment, "--environment") if environment else None,
        only=tuple(only),
        packs=criteria.read_packs(checks),
        previous=previous,
        policy=_policy(fail_on, no_gate),
        deadline=_deadline(deadline),
        formats=output.known(formats),
        against=against,
    )


def run(
    asked: Request,
    environ: Mapping[str, str] | None = None,
    signals: loop.Signals | None = None,
) -> int:
    """Probe, judge, write, print; return the exit code.

    `signals` are held by a caller who has more to put in order than this.
    """
    source = document.read(asked.inventory)
    known = os.environ if environ is None else environ
    wanted = inventory.from_document(source, known)
    reference = _reference(asked.against, wanted, known)
    if reference:
        wanted = against.paired(wanted, reference, str(asked.against))
    rules = judged_by(asked.packs)
    criteria.check_overrides(wanted, rules, source)
    plan = _plan(asked, wanted, source, rules)
    output.prepare(asked.out)
    leftovers.remind(wanted.system.name, known)
    before = _previous(asked)
    earlier = evidence.measured_before(
        (asked.previous or asked.out / output.ASSESSMENT).parent / output.EVIDENCE
    )
    with ExitStack() as stack:
        held = signals or stack.enter_context(loop.Signals())
        found = _collect(asked, plan, before, earlier, held, known)
        if reference:
            found = found.model_copy(update={"against": Compared.of(reference.system)})
        # Should judging or rendering break, what was measured is kept all the same.
        saved = stack.enter_context(ExitStack())
        saved.callback(output.save, {asked.out / output.EVIDENCE: found.to_json()})
        code = _conclude(assess(found, rules), asked.out, asked.formats)
        saved.pop_all()
        return code


def replay(
    path: Path,
    out: Path,
    checks: Sequence[Path] | None,
    fail_on: str | None,
    formats: Sequence[str],
    no_gate: bool,
) -> int:
    """Judge the evidence at `path` again, write and print; return the exit code."""
    wanted = output.known(formats)
    found = evidence.from_json(output.text(path), str(path))
    packs = criteria.read_packs(checks) if checks else found.packs
    policy = _policy(fail_on, no_gate) if fail_on or no_gate else found.policy
    rules = judged_by(packs)
    output.prepare(out)
    found = found.model_copy(update={"packs": packs, "policy": policy})
    return _conclude(assess(found, rules), out, wanted)


def judged_by(packs: Mapping[str, str]) -> Criteria:
    """Return the bundled criteria and those of `packs`, which may judge what probes measure."""
    metrics = {name: probes.load(name).METRICS for name in probes.names()} if packs else {}
    return criteria.with_packs(criteria.bundled_criteria(), packs, metrics)


def _reference(
    path: Path | None, wanted: Inventory, environ: Mapping[str, str]
) -> Inventory | None:
    """Read the inventory to compare `wanted` with; ConfigurationError names its line at fault.

    Variables of services that are not compared need not be set.
    """
    if path is None:
        return None
    source = against.needed(inventory.tolerant(document.read(path), environ), wanted)
    found = inventory.from_document(source, environ)
    collect.plan(found, source, frozenset())  # its settings are read as if it were assessed
    return found


def _plan(asked: Request, wanted: Inventory, source: Document, rules: Criteria) -> collect.Plan:
    allowed = safety.allowed_tiers(wanted.system, asked.allow, asked.environment)
    return collect.plan(wanted, source, allowed, asked.only, rules.limits, asked.environment)


def _collect(
    asked: Request,
    plan: collect.Plan,
    before: Previous | None,
    earlier: Sequence[Measurement],
    signals: loop.Signals,
    environ: Mapping[str, str],
) -> Evidence:
    run_id, started_at = secrets.token_hex(8), datetime.now(UTC)
    book = leftovers.book(plan, run_id, environ)
    gc.freeze()  # of thousands of services there is nothing to collect, and looking takes time
    with progress.shown(plan) as show, contextlib.closing(book):
        collector = collect.Collector(plan, run_id, asked.deadline, show, book, earlier)
        most = asked.deadline + loop.GRACE_SECONDS
        end = loop.run(collector.run(), most, signals, lambda: collector.grace)
    interrupted = end if end in ("SIGINT", "SIGTERM") else None
    left = f"interrupted by {interrupted}" if interrupted else "the run's deadline came first"
    found = Evidence(
        tool=Tool(version=__version__),
        run_id=run_id,
        inventory=plan.inventory,
        environment=asked.environment or plan.inventory.system.environment,
        allowed=tuple(tier for tier in get_args(Tier) if tier in plan.allowed),
        only=asked.only,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        interrupted=interrupted,
        measurements=collector.measurements(left),
        packs=asked.packs,
        policy=asked.policy,
        previous=before,
        residue=collector.residue,
    )
    return evidence.from_json(found.to_json(), "evidence.json")


def _conclude(found: Assessment, out: Path, formats: Sequence[str]) -> int:
    """Write the files, say the verdict; what cannot be saved is said and changes the code."""
    try:
        written = output.write(found, out, formats)
    except OSError as error:
        say(words.conclusion(found))
        say(f"readiness: not saved in {out}: {error.strerror}.", err=True)
        return found.exit_code or NOT_SAVED
    say(words.conclusion(found))
    say(words.files(written))
    return found.exit_code


def _previous(asked: Request) -> Previous | None:
    if asked.previous:
        return evidence.previous(asked.previous)
    last = asked.out / output.ASSESSMENT
    if not last.exists():
        return None
    try:
        return evidence.previous(last)
    except ConfigurationError as error:
        say(f"readiness: {error} Going on without a comparison.", err=True)
        return None


def _policy(fail_on: str | None, no_gate: bool) -> Policy:
    level: FailOn = member(fail_on, FailOn, "--fail-on") if fail_on else "not-ready"
    return Policy(fail_on=level, gate=not no_gate)


def _deadline(written: str) -> float:
    try:
        value = seconds(written)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise ConfigurationError("--deadline must be a time above 0.", fix="Write 90s or 5m.")
    return value
