"""What an inventory demands of a release -> the lines that `validate` says of it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from readiness import document, inventory, policy
from readiness.checks import Criteria
from readiness.quantity import amount
from readiness.report.words import eased, plural


def waivers(
    wanted: inventory.Inventory, rules: Criteria, source: document.Document
) -> Iterator[tuple[int, str]]:
    """Name the waivers that do not hold, will not for long, or are not accepted."""
    held, today = policy.effective(wanted.policy), datetime.now(UTC).date()
    for index, waiver in enumerate(wanted.waivers):
        line = source.line(("waivers", index)) or 1
        left = (waiver.until - today).days
        name = f"the waiver of {waiver.check} on {waiver.service or 'all services'}"
        if left < 0:
            yield line, f"{name} expired on {waiver.until}."
        elif left <= held.waivers.announce:
            yield line, f"{name} ends on {waiver.until}, in {plural(left, 'day')}."
        check = rules.checks[waiver.check]
        for subject in wanted.subjects:
            if waiver.service in (None, subject.name) and check.concerns(subject):
                blocks = policy.blocks(held, check, subject)
                if why := policy.refusal(held, waiver, blocks, today):
                    yield line, f"{name} is not accepted on {subject.name}: {why}."


def told(held: inventory.Policy, rules: Criteria) -> Iterator[str]:
    """Say what a release must reach, and what of it is easier than usual."""
    areas = "".join(f", {least} in {area}" for area, least in held.areas.items())
    yield (
        f"Policy: tier {held.tier}, stage {held.stage}, fails on {held.fail_on}. "
        f"READY takes {held.ready.score}, {held.ready.area} in every area{areas}, "
        f"{amount(held.ready.coverage, 'ratio')} coverage; CONDITIONAL takes "
        f"{held.conditional.score}, {amount(held.conditional.coverage, 'ratio')} coverage."
    )
    for name, blocks in held.blockers.items():
        yield f"Policy: {name} {'blocks' if blocks else 'does not block'}."
    longest = "" if held.waivers.longest is None else f", at most {held.waivers.longest} days long"
    of = "blockers included" if held.waivers.blockers else "not of blockers"
    ahead = f"announced {plural(held.waivers.announce, 'day')} ahead"
    yield f"Policy: waivers are accepted, {of}{longest}, {ahead}."
    for one in policy.eased(held, rules):
        yield f"Policy: eased: {eased(one)}."
