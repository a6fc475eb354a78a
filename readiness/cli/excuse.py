"""`waive`: a waiver's parts -> the same inventory with that waiver in it and nothing else."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from readiness import criteria, document, inventory, policy
from readiness.assessment.beside import PROBE
from readiness.checks import Check, Criteria
from readiness.cli import rewrite
from readiness.cli.assess import judged_by
from readiness.cli.say import say
from readiness.document import ConfigurationError, Document
from readiness.document.complaint import complaints, suggest
from readiness.document.scalar import unprintable
from readiness.escape import ci_log
from readiness.inventory import Inventory, Subject, Waiver
from readiness.report.words import plural

_DAY = "Write it as in 2027-01-31 or 30d."


@dataclass(frozen=True)
class Request:
    """What the command line asks for, word by word."""

    check: str
    service: str | None
    owner: str | None
    reason: str | None
    until: str
    inventory: Path
    packs: Sequence[Path]
    extend: bool
    dry_run: bool


def run(asked: Request) -> None:
    """Write the waiver, or show what would be written; ConfigurationError for what cannot be."""
    today = datetime.now(UTC).date()
    source = document.read(asked.inventory)
    listed = _listed(source)
    wanted = inventory.from_document(listed, os.environ)
    rules = judged_by(criteria.read_packs(asked.packs))
    criteria.check_overrides(wanted, rules, source)
    until = _until(asked.until, today)
    subjects = _subjects(asked, wanted, rules)
    _needed(asked, until, wanted, source)
    at = _there(asked, wanted)
    if at is None or not asked.extend:
        _not_twice(asked, wanted, source, at)
        waiver = _waiver(asked, until)
    else:
        waiver = _extended(asked, wanted.waivers[at], until, source, at)
    _accepted(waiver, rules.checks[asked.check], subjects, wanted, source, today)
    before = rewrite.text(asked.inventory)
    after = rewrite.edited(before, waiver, wanted, at)
    line = rewrite.proven(listed, after, waiver, at)
    if asked.dry_run:
        rewrite.show(asked.inventory, before, after)
    else:
        rewrite.save(asked.inventory, before, after)
    end = f"until {waiver.until} ({plural((waiver.until - today).days, 'day')})"
    what = f"{waiver.check} on {waiver.service or 'all services'}"
    verb = "would be waived" if asked.dry_run else "is waived"
    say(ci_log(f"{asked.inventory}:{line}: {what} {verb} {end} by {waiver.owner}.", 1000))


def _listed(source: Document) -> Document:
    """Return `source`, with an empty `waivers:` as the empty list, and variables left unset."""
    tolerant = inventory.tolerant(source, os.environ)
    if isinstance(source.data, dict) and source.data.get("waivers", ()) is None:
        return replace(tolerant, data={**source.data, "waivers": []})
    return tolerant


def _until(written: str, today: date) -> date:
    try:
        if days := re.fullmatch(r"(\d{1,4})d", written, re.ASCII):
            until = today + timedelta(days=int(days[1]))
        elif re.fullmatch(r"\d{4}-\d\d-\d\d", written, re.ASCII):
            until = date.fromisoformat(written)
        else:
            raise ValueError
    except ValueError:
        raise ConfigurationError("--until must be a date or days from now.", fix=_DAY) from None
    if until <= today:
        raise ConfigurationError("--until is not in the future.", fix=_DAY)
    return until


def _subjects(asked: Request, wanted: Inventory, rules: Criteria) -> tuple[Subject, ...]:
    """Return what the check is made of and the waiver would excuse."""
    check = rules.checks.get(asked.check)
    if check is None:
        fix = suggest(asked.check, rules.checks)
        raise ConfigurationError(f"unknown check '{asked.check}'.", fix=fix)
    named = [s for s in wanted.subjects if asked.service in (None, s.name)]
    if not named:
        fix = suggest(asked.service or "", [s.name for s in wanted.subjects])
        raise ConfigurationError(f"--service does not know '{asked.service}'.", fix=fix)
    found = tuple(s for s in named if check.concerns(s) or _beside(check, s))
    if not found:
        others = [s.name for s in wanted.subjects if check.concerns(s)]
        raise ConfigurationError(
            f"check '{check.id}' is not made of {asked.service or 'anything in the inventory'}.",
            fix=f"It is made of: {', '.join(others[:10])}." if others else "Name another check.",
        )
    return found


def _beside(check: Check, subject: Subject) -> bool:
    """Whether `--against` makes `check` of `subject`, which the inventory does not say."""
    return check.probe == PROBE and subject.kind in ("http", "web")


def _there(asked: Request, wanted: Inventory) -> int | None:
    """Return which waiver of the inventory is of the same check and service."""
    same = [
        index
        for index, w in enumerate(wanted.waivers)
        if (w.check, w.service) == (asked.check, asked.service)
    ]
    return max(same, key=lambda index: wanted.waivers[index].until, default=None)


def _needed(asked: Request, until: date, wanted: Inventory, source: Document) -> None:
    """Refuse a waiver of one service where one of all services excuses it as long."""
    for index, w in enumerate(wanted.waivers):
        if asked.service and w.service is None and w.check == asked.check and w.until >= until:
            raise ConfigurationError(
                f"{asked.check} is waived on all services until {w.until}.",
                file=str(asked.inventory),
                line=source.line(("waivers", index)),
                fix="Nothing need be written.",
            )


def _not_twice(asked: Request, wanted: Inventory, source: Document, at: int | None) -> None:
    if asked.extend:
        raise ConfigurationError(
            f"there is no waiver of {asked.check} on {asked.service or 'all services'} to extend.",
            file=str(asked.inventory),
            fix="Leave --extend out to write one.",
        )
    if at is not None:
        raise ConfigurationError(
            f"a waiver of {asked.check} on {asked.service or 'all services'} is there already, "
            f"until {wanted.waivers[at].until}.",
            file=str(asked.inventory),
            line=source.line(("waivers", at)),
            fix="Add --extend to move its end.",
        )


def _waiver(asked: Request, until: date) -> Waiver:
    for option, written in (("--owner", asked.owner), ("--reason", asked.reason)):
        if written is None:
            raise ConfigurationError(f"{option} is missing.", fix="A waiver needs both.")
    parts = {"check": asked.check, "service": asked.service, "until": until}
    return _valid({**parts, "reason": asked.reason, "owner": asked.owner})


def _extended(asked: Request, there: Waiver, until: date, source: Document, at: int) -> Waiver:
    if until <= there.until:
        raise ConfigurationError(
            f"this waiver holds until {there.until} already.",
            file=str(asked.inventory),
            line=source.line(("waivers", at, "until")),
            fix="Give --until a later day.",
        )
    said = {"reason": asked.reason, "owner": asked.owner, "until": until}
    return _valid({**dict(there), **{key: value for key, value in said.items() if value}})


def _valid(parts: dict[str, Any]) -> Waiver:
    for name in ("owner", "reason"):
        if unprintable(parts[name]) is not None:
            raise ConfigurationError(f"--{name} holds a control character.", fix="Remove it.")
    try:
        return Waiver.model_validate(parts)
    except ValidationError as error:
        first = complaints(error, Waiver, parts)[0]
        what = first.what.rstrip(".")
        raise ConfigurationError(f"--{first.place[0]} {what}.", fix=first.fix) from None


def _accepted(
    waiver: Waiver,
    check: Check,
    subjects: Sequence[Subject],
    wanted: Inventory,
    source: Document,
    today: date,
) -> None:
    """Refuse what the policy would not accept of any service, and tell of whose it would not."""
    held = policy.effective(wanted.policy)
    refused = {
        s.name: why
        for s in subjects
        if (why := policy.refusal(held, waiver, policy.blocks(held, check, s), today))
    }
    if refused and len(refused) == len(subjects):
        why = next(iter(refused.values()))
        raise ConfigurationError(
            f"the policy ({held.tier}) does not accept this waiver: {why}.",
            file=source.name,
            line=source.line(("policy", "waivers")),
            fix="Mend what it is about, or change policy.waivers.",
        )
    for name, why in refused.items():
        say(ci_log(f"{source.name}: not accepted on {name}: {why}."), err=True)
