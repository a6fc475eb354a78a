"""`cleanup`: what runs left behind that were killed -> taken away, or named."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from readiness import collect, document, inventory, ledger, loop, safety, secret, steps
from readiness.cli.option import member
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.escape import ci_log
from readiness.evidence import INTERRUPTED_EXIT_CODES
from readiness.inventory import Environment, Inventory, Tier
from readiness.ledger import Entry, Ledger, Leftover
from readiness.mask import Masker

SECONDS = 60.0
"""What the clean-up of one run may take."""
LEFT = 1


def book(plan: steps.Plan, run_id: str, environ: Mapping[str, str]) -> Ledger:
    """Return the ledger of a run; ConfigurationError if it needs one and none can be kept."""
    asked = plan.inventory
    addresses = {service.name: service.address for service in asked.services}
    found = Ledger(ledger.file_of(run_id, environ), asked.system.name, addresses=addresses)
    creates = any(step.creates for journey in plan.inventory.journeys for step in journey.steps)
    if creates and "write" in plan.allowed:
        try:
            found.prepare()
        except OSError as error:
            raise ConfigurationError(
                f"journeys create things, and the ledger of them cannot be kept in "
                f"{ledger.folder(environ)} ({error.strerror}).",
                fix=f"Name a folder that can be written in {ledger.VARIABLE}.",
            ) from None
    return found


def remind(system: str, environ: Mapping[str, str]) -> None:
    """Say what earlier runs of this system left behind."""
    left = [one for one in _leftovers(environ) if one.system == system]
    if n := sum(len(one.book.left) for one in left):
        say(
            f"readiness: {n} object{'' if n == 1 else 's'} of earlier runs may be left in "
            f"{ci_log(system)}: `readiness cleanup` takes them away.",
            err=True,
        )


def run(path: Path, allow: Sequence[str], environment: str | None) -> int:
    """Finish the clean-up of every killed run on the system of this inventory.

    Return 0 when nothing is left, 1 otherwise.
    """
    source = document.read(path)
    wanted = inventory.from_document(source, os.environ)
    allowed = safety.allowed_tiers(
        wanted.system,
        [member(tier, Tier, "--allow") for word in allow for tier in word.split(",")],
        member(environment, Environment, "--environment") if environment else None,
    )
    if "write" not in allowed:
        raise safety.Refused(
            "clean-up changes the system: allow the write tier (--allow write) as for the run."
        )
    left = [one for one in _leftovers(os.environ) if one.system == wanted.system.name]
    if not left:
        say(f"Nothing is left of earlier runs on {ci_log(wanted.system.name)}.")
        return 0
    plan = steps.plan(wanted, source, allowed)
    with loop.Signals() as signals:
        code = max(_clean(plan, one, signals) for one in left)
    return INTERRUPTED_EXIT_CODES[signals.first] if signals.first else code


def _clean(plan: steps.Plan, leftover: Leftover, signals: loop.Signals) -> int:
    kept = Ledger(leftover.path, leftover.system, leftover.book)
    try:
        kept.prepare()
    except OSError as error:
        say(f"readiness: {ci_log(str(leftover.path))}: {error.strerror}.", err=True)
        return LEFT
    before, here = kept.book.left, _here(plan.inventory, leftover)
    try:
        collector = collect.Collector(
            plan, leftover.run_id, SECONDS, lambda _step, _measurement: None, kept
        )
        loop.run(collector.clean(here), SECONDS + loop.GRACE_SECONDS, signals)
        still = kept.book.left
    finally:
        kept.close()
    mask = Masker(_secrets(plan.inventory, leftover)).mask
    for one in before:
        state = "LEFT" if one in still else kept.book.ends[one.key]
        say(ci_log(mask(f"{state}: {one.what} ({one.journey}, run {leftover.run_id})")))
    for line in _explained(plan.inventory, leftover, still, here):
        say(ci_log(mask(line)), err=True)
    return LEFT if still else 0


def _here(of: Inventory, leftover: Leftover) -> frozenset[str]:
    """Return the journeys that ask the same services at the same addresses as that run did.

    Others would be told by strangers that what they look for is gone.
    """
    now = {service.name: service.address for service in of.services}
    return frozenset(
        journey.name
        for journey in of.journeys
        if all(leftover.addresses.get(name) == now[name] for name in journey.depends_on)
    )


def _explained(
    of: Inventory, leftover: Leftover, still: Sequence[Entry], here: Collection[str]
) -> Iterator[str]:
    """Yield why something is left, and what to do."""
    known = {journey.name for journey in of.journeys}
    names = sorted({one.journey for one in still})
    for name in names:
        if name not in known:
            yield f"The journey {name} is not in this inventory any more: name its file."
        elif name not in here:
            yield f"The services of {name} were at other addresses then: set them as in that run."
    if set(names) & set(here):
        yield f"Take it away by hand, then delete {leftover.path}."


def _secrets(of: Inventory, leftover: Leftover) -> Iterator[str]:
    """Yield what must not be shown: what is sent, and what that run had captured."""
    yield from of.secrets()
    for kept in leftover.book.variables.values():
        yield from (str(value) for value in kept.values() if len(str(value)) >= secret.SHORTEST)


def _leftovers(environ: Mapping[str, str]) -> Sequence[Leftover]:
    return list(ledger.leftovers(environ))
