"""`run` and `report`: inventory or evidence -> assessment -> files, words and an exit code."""

import contextlib
import gc
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
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
    policy,
    probes,
    safety,
    steps,
)
from readiness.assessment import Assessment, assess
from readiness.baseline import Baseline
from readiness.checks import Criteria
from readiness.cli import baseline, leftovers, output, progress, surroundings, words
from readiness.cli.keeper import Keeper
from readiness.cli.option import above_zero, member
from readiness.cli.origin import origin
from readiness.cli.say import say
from readiness.document import ConfigurationError, Document
from readiness.estimate import CONFIDENCE
from readiness.evidence import Compared, Confidence, Evidence, Previous, Tool
from readiness.history.baselines import Wanted
from readiness.inventory import Environment, FailOn, Inventory, Stage, Tier
from readiness.looks import Looks
from readiness.measurement import Measurement
from readiness.quantity import quantity

NOT_SAVED = 6
_LEAST_CONFIDENCE, _MOST_CONFIDENCE = 0.8, 0.9999


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
    fail_on: FailOn | None
    stage: Stage | None
    deadline: float
    formats: tuple[str, ...]
    history: str | None = None
    baseline: str | None = None
    confidence: float = CONFIDENCE
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
    history: str | None = None,
    baseline: str | None = None,
    confidence: str = str(CONFIDENCE),
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
        fail_on=_fail_on(fail_on),
        stage=_stage(no_gate),
        deadline=above_zero(deadline, "--deadline"),
        formats=output.known(formats),
        history=history,
        baseline=baseline,
        confidence=_confidence(confidence),
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
    reference = reference_for(wanted, asked.against, known) if asked.against else None
    if reference:
        wanted = against.paired(wanted, reference, str(asked.against))
    rules = judged_by(asked.packs)
    criteria.check_overrides(wanted, rules, source)
    policy.check(wanted.policy, rules, source)
    plan = _plan(asked, wanted, source, rules)
    shared = _confidence_of(asked, plan, rules)
    plan = replace(plan, looks=Looks(shared.asked, shared.checks))
    output.prepare(asked.out)
    leftovers.remind(wanted.system.name, known)
    environment = asked.environment or wanted.system.environment
    keeper = Keeper(asked.history, known, wanted.system.name, environment)
    before, earlier = _earlier(asked, keeper)
    compared = _baseline(asked, wanted, rules, known)
    with ExitStack() as stack:
        held = signals or stack.enter_context(loop.Signals())
        found = _collect(asked, plan, shared, before, earlier, held, known)
        found = found.model_copy(
            update={
                "trend": keeper.trend,
                "source": origin(source, plan, known),
                "against": Compared.of(reference.system) if reference else None,
                **compared,
            }
        )
        # Should judging or rendering break, what was measured is kept all the same.
        saved = stack.enter_context(ExitStack())
        saved.callback(output.save, {asked.out / output.EVIDENCE: found.to_json()})
        judged = assess(found, rules)
        outcome = _write(judged, asked.out, asked.formats)
        saved.pop_all()
        # A history that hangs or breaks takes no report along, and none is shown that is not kept.
        kept = keeper.keep(judged)
        code = _conclude(judged, asked.out, outcome)
        return code if kept else code or NOT_SAVED


def replay(
    path: Path,
    out: Path,
    checks: Sequence[Path] | None,
    only_checks: Sequence[str],
    fail_on: str | None,
    formats: Sequence[str],
    no_gate: bool,
) -> int:
    """Judge the evidence at `path` again, write and print; return the exit code.

    `only_checks` are packs, ids of checks or patterns of them, to judge by alone.
    """
    wanted = output.known(formats)
    found = evidence.from_json(output.text(path), str(path))
    packs = criteria.read_packs(checks) if checks else found.packs
    held = policy.overridden(found.policy, _fail_on(fail_on), _stage(no_gate))
    rules = part(packs, only_checks) if only_checks else judged_by(packs)
    output.prepare(out)
    found = found.model_copy(update={"packs": packs, "policy": held})
    judged = assess(found, rules)
    return _conclude(judged, out, _write(judged, out, wanted))


def judged_by(packs: Mapping[str, str]) -> Criteria:
    """Return the bundled criteria and those of `packs`, which may judge what probes measure."""
    metrics = {name: probes.load(name).METRICS for name in probes.names()} if packs else {}
    return criteria.with_packs(criteria.bundled_criteria(), packs, metrics)


def part(packs: Mapping[str, str], asked: Sequence[str]) -> Criteria:
    """Return the criteria that `asked` names: packs, ids of checks, or patterns of them."""
    files = [word for word in asked if Path(word).exists()]
    new = criteria.read_packs([Path(file) for file in files])
    known = judged_by({name: text for name, text in packs.items() if name not in new})
    rules = judged_by({**packs, **new}) if new else known
    patterns = [word for word in asked if word not in files]
    found = criteria.narrowed(rules, patterns, rules.checks.keys() - known.checks.keys())
    return found.model_copy(update={"only": tuple(asked)})


def reference_for(
    wanted: Inventory, path: Path, environ: Mapping[str, str], *, tolerant: bool = False
) -> Inventory:
    """Read the inventory to compare `wanted` with; ConfigurationError names its line at fault.

    Variables of services that are not compared need not be set; of a `tolerant` one, none.
    """
    source = inventory.tolerant(document.read(path), environ)
    source = source if tolerant else against.needed(source, wanted)
    found = inventory.from_document(source, environ)
    steps.plan(found, source, frozenset())  # its settings are read as if it were assessed
    return found


def _plan(asked: Request, wanted: Inventory, source: Document, rules: Criteria) -> steps.Plan:
    allowed = safety.allowed_tiers(wanted.system, asked.allow, asked.environment)
    return steps.plan(wanted, source, allowed, asked.only, rules.limits, asked.environment)


def _confidence_of(asked: Request, plan: steps.Plan, rules: Criteria) -> Confidence:
    """Return what was asked for, and the number of checks it is parted among."""
    measured = [(step.service, step.name) for step in plan.steps if not step.withheld]
    return Confidence(asked=asked.confidence, checks=rules.sampled(measured))


def _collect(
    asked: Request,
    plan: steps.Plan,
    confidence: Confidence,
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
        policy=policy.effective(plan.inventory.policy, asked.fail_on, asked.stage),
        previous=before,
        runner=surroundings.runner(environ),
        revision=surroundings.revision(environ, asked.inventory.parent),
        confidence=confidence,
        residue=collector.residue,
    )
    return evidence.from_json(found.to_json(), "evidence.json")


def _write(found: Assessment, out: Path, formats: Sequence[str]) -> tuple[Path, ...] | OSError:
    """Write the files; return them, or why they cannot be saved."""
    try:
        return output.write(found, out, formats)
    except OSError as error:
        return error


def _conclude(found: Assessment, out: Path, outcome: tuple[Path, ...] | OSError) -> int:
    """Say the verdict; what could not be saved is said too and changes the code."""
    say(words.conclusion(found))
    if isinstance(outcome, OSError):
        say(f"readiness: not saved in {out}: {outcome.strerror}.", err=True)
        return found.exit_code or NOT_SAVED
    say(words.files(outcome))
    return found.exit_code


def _baseline(
    asked: Request, wanted: Inventory, rules: Criteria, environ: Mapping[str, str]
) -> Mapping[str, Baseline | str]:
    """Return what the evidence will hold of the run to compare with."""
    if asked.baseline is None:
        return {}
    like = Wanted(
        system=wanted.system.name,
        environment=asked.environment or wanted.system.environment,
        criteria=criteria.digest(rules),
        runner=surroundings.runner(environ).kind,
    )
    found = baseline.find(asked.baseline, asked.history, environ, like, judged_by)
    if isinstance(found, Baseline):
        return {"baseline": found}
    return {"no_baseline": f"Asked for was {asked.baseline}. {found}"}


def _earlier(asked: Request, keeper: Keeper) -> tuple[Previous | None, Sequence[Measurement]]:
    """Return the score and the measurements of the run before: of a file, else of the history."""
    last = asked.previous or asked.out / output.ASSESSMENT
    if not asked.previous and not last.exists():
        return keeper.previous()
    return _previous(asked), evidence.measured_before(last.parent / output.EVIDENCE)


def _previous(asked: Request) -> Previous | None:
    if asked.previous:
        return evidence.previous(asked.previous)
    try:
        return evidence.previous(asked.out / output.ASSESSMENT)
    except ConfigurationError as error:
        say(f"readiness: {error} Going on without a comparison.", err=True)
        return None


def _fail_on(written: str | None) -> FailOn | None:
    return member(written, FailOn, "--fail-on") if written else None


def _stage(no_gate: bool) -> Stage | None:
    return "report" if no_gate else None


def _confidence(written: str) -> float:
    try:
        value = quantity(written, "ratio")
    except ValueError:
        value = 0.0
    if not _LEAST_CONFIDENCE <= value <= _MOST_CONFIDENCE:
        raise ConfigurationError(
            "--confidence must be from 80 % to 99.99 %.", fix="Write 95% or 0.95."
        )
    return value
