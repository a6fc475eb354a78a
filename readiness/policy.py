"""A policy as its team wrote it -> the policy that holds, and what in it is easier than usual."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from readiness.checks import Check, Criteria
from readiness.document import Document
from readiness.document.complaint import Complaint, suggest
from readiness.inventory import (
    Conditional,
    FailOn,
    Policy,
    Preset,
    Ready,
    Stage,
    Subject,
    Waiver,
    Waiving,
)
from readiness.quantity import amount

Model = TypeVar("Model", bound=BaseModel)

PRODUCTION = Policy()

PRESETS: Mapping[Preset, Policy] = {
    "prototype": Policy(
        tier="prototype",
        ready=Ready(score=70, area=50, coverage=0.80),
        conditional=Conditional(score=50, coverage=0.60),
    ),
    "internal": Policy(
        tier="internal",
        ready=Ready(score=80, area=60, coverage=0.90),
        conditional=Conditional(score=60, coverage=0.70),
    ),
    "production": PRODUCTION,
    "regulated": Policy(
        tier="regulated",
        fail_on="conditional",
        ready=Ready(score=90, area=80, coverage=0.98),
        conditional=Conditional(score=80, coverage=0.90),
        waivers=Waiving(blockers=False, longest=30, announce=14),
    ),
}
"""Each tier's demands; docs/policy.md argues the numbers."""

BLOCKING = ("critical", "high")
"""The criticality of what can keep a release back."""

_MILDEST_FIRST: Mapping[str, tuple[str, ...]] = {
    "stage": ("report", "warn", "gate"),
    "fail_on": ("not-ready", "conditional"),
}


class Eased(BaseModel):
    """A setting that lets more pass than its preset and production do, as people write both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    setting: str
    value: str
    usual: str


def effective(written: Policy, fail_on: FailOn | None = None, stage: Stage | None = None) -> Policy:
    """Return the preset of `written` with what it says itself, and the command line over it."""
    return overridden(_over(PRESETS[written.tier], written), fail_on, stage)


def overridden(policy: Policy, fail_on: FailOn | None, stage: Stage | None) -> Policy:
    """Return `policy` with what the command line says otherwise."""
    said = {"fail_on": fail_on, "stage": stage}
    return policy.model_copy(update={key: word for key, word in said.items() if word})


def _over(preset: Model, written: Model) -> Model:
    """Return `preset` with the fields that were set in `written`."""
    changes = {}
    for name in written.model_fields_set:
        value = getattr(written, name)
        changes[name] = (
            _over(getattr(preset, name), value) if isinstance(value, BaseModel) else value
        )
    return preset.model_copy(update=changes)


def at_least(policy: Policy, floor: Policy = PRODUCTION) -> Policy:
    """Return `policy` with no threshold below that of `floor`: what caps the score."""
    return policy.model_copy(
        update={
            "ready": _greater(policy.ready, floor.ready),
            "conditional": _greater(policy.conditional, floor.conditional),
            "areas": {a: max(policy.minimum(a), floor.minimum(a)) for a in policy.areas},
        }
    )


def _greater(one: Model, other: Model) -> Model:
    return one.model_copy(update={name: max(v, getattr(other, name)) for name, v in one})


def blocks(policy: Policy, check: Check, subject: Subject) -> bool:
    """Whether `check` blocks on `subject`, which only what matters most can."""
    return subject.criticality in BLOCKING and policy.blockers.get(check.id, check.blocker)


def refusal(policy: Policy, waiver: Waiver, blocker: bool, on: date) -> str:
    """Return why `policy` does not accept `waiver` on the day `on`; empty where it does."""
    longest = policy.waivers.longest
    if blocker and not policy.waivers.blockers:
        return "no blocker may be waived"
    if longest is not None and (waiver.until - on).days > longest:
        return f"it ends more than {longest} days from the run"
    return ""


def eased(policy: Policy, criteria: Criteria) -> tuple[Eased, ...]:
    """Return every setting of `policy` easier than production and than its own preset."""
    usual = at_least(PRESETS[policy.tier])
    return (
        *_words(policy, usual),
        *_thresholds(policy, usual),
        *_areas(policy, usual),
        *_blockers(policy, criteria),
        *_waivers(policy, usual),
    )


def _words(policy: Policy, usual: Policy) -> Iterator[Eased]:
    for setting, order in _MILDEST_FIRST.items():
        value, strict = getattr(policy, setting), getattr(usual, setting)
        if order.index(value) < order.index(strict):
            yield Eased(setting=setting, value=value, usual=strict)


def _thresholds(policy: Policy, usual: Policy) -> Iterator[Eased]:
    for part in ("ready", "conditional"):
        for name, value in getattr(policy, part):
            strict = getattr(getattr(usual, part), name)
            if value < strict:
                yield Eased(setting=f"{part}.{name}", value=_shown(value), usual=_shown(strict))


def _areas(policy: Policy, usual: Policy) -> Iterator[Eased]:
    for area, value in policy.areas.items():
        if value < usual.ready.area:
            yield Eased(setting=f"areas.{area}", value=str(value), usual=str(usual.ready.area))


def _blockers(policy: Policy, criteria: Criteria) -> Iterator[Eased]:
    for name, blocks in policy.blockers.items():
        check = criteria.checks.get(name)
        if check and check.blocker and not blocks:
            yield Eased(setting=f"blockers.{name}", value="false", usual="true")


def _waivers(policy: Policy, usual: Policy) -> Iterator[Eased]:
    mine, strict = policy.waivers, usual.waivers
    if mine.blockers and not strict.blockers:
        yield Eased(setting="waivers.blockers", value="true", usual="false")
    if strict.longest is not None and (mine.longest is None or mine.longest > strict.longest):
        value = "no limit" if mine.longest is None else f"{mine.longest}d"
        yield Eased(setting="waivers.longest", value=value, usual=f"{strict.longest}d")


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else amount(value, "ratio")


def check(written: Policy, criteria: Criteria, document: Document) -> None:
    """Raise ConfigurationError for what `written`, at `policy` of `document`, cannot mean."""
    found = [*_unknown(written, criteria), *_contradictions(effective(written))]
    if found:
        raise document.error([one.below(("policy",)) for one in found])


def _unknown(written: Policy, criteria: Criteria) -> Iterator[Complaint]:
    known: Mapping[str, Mapping[str, Any]] = {
        "area": criteria.areas,
        "blocker": criteria.checks,
    }
    for noun, names in known.items():
        for name in getattr(written, f"{noun}s"):
            if name not in names:
                what = "is no area" if noun == "area" else "is no check"
                yield Complaint((f"{noun}s", name), what, suggest(name, names))


def _contradictions(policy: Policy) -> Iterator[Complaint]:
    """Yield the thresholds of READY that are below those of CONDITIONAL."""
    for name, least in policy.conditional:
        if getattr(policy.ready, name) < least:
            what = f"is below what CONDITIONAL takes, {_shown(least)}"
            yield Complaint(("ready", name), what, f"Lower conditional.{name} too, or raise this.")
