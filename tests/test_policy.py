"""What a release must reach: presets, what a team changes of them, and what no policy can do."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from readiness import policy
from readiness.assessment import Assessment, assess
from readiness.assessment.leniency import announced, waivers
from readiness.assessment.model import Model, evaluate
from readiness.document import ConfigurationError, parse
from readiness.evidence import Evidence, from_json
from readiness.gate import blockers, capping, decide
from readiness.inventory import Conditional, Policy, Ready, Waiving, from_document, schema
from readiness.policy import PRESETS, PRODUCTION, at_least, eased, effective
from tests.judging import ACCESS, CRITERIA, NOW, evidence, healthy, inventory, service
from tests.judging import waiver as a_waiver
from tests.strategies import PROPERTY, evidences
from tests.test_gate import FAILED, UNKNOWN, card, excused

HEAD = "version: 1\nsystem: {name: x}\nservices:\n  api: {kind: http, url: 'http://h'}\n"
API = inventory(service(probes=ACCESS, criticality="high"))
BLOCKER = "login-accepted"


def written(text: str) -> Policy:
    """Bind the `policy:` of an inventory, and check it as `run` does."""
    document = parse(HEAD + text, "f")
    found = from_document(document, {}).policy
    policy.check(found, CRITERIA, document)
    return found


def assessed(held: Policy, *waived: Any, **changes: Any) -> Assessment:
    of = API.model_copy(update={"waivers": waived})
    return assess(evidence(of, *healthy(**changes), policy=held), CRITERIA)


# Presets, and what stands over them.


def test_production_is_what_holds_where_nothing_is_said() -> None:
    held = effective(written(""))
    assert held == PRODUCTION == PRESETS["production"]
    assert (held.ready.score, held.ready.area, held.ready.coverage) == (85, 70, 0.95)
    assert (held.conditional.score, held.conditional.coverage) == (70, 0.80)
    assert (held.stage, held.fail_on) == ("gate", "not-ready")
    assert eased(held, CRITERIA) == ()


def test_each_tier_is_stricter_than_the_one_before() -> None:
    rising = [PRESETS[tier] for tier in ("prototype", "internal", "production", "regulated")]
    for mild, strict in pairwise(rising):
        for part in ("ready", "conditional"):
            for name, value in getattr(mild, part):
                assert value < getattr(getattr(strict, part), name)
    assert [one.tier for one in rising] == list(PRESETS)


def test_what_is_written_stands_over_the_preset_and_the_command_line_over_both() -> None:
    asked = written("policy: {tier: regulated, ready: {score: 95}, waivers: {announce: 7d}}\n")
    held = effective(asked)
    assert held.ready == Ready(score=95, area=80, coverage=0.98)
    assert held.conditional == Conditional(score=80, coverage=0.90)
    assert held.waivers == Waiving(blockers=False, longest=30, announce=7)
    assert held.fail_on == "conditional"
    over = effective(asked, fail_on="not-ready", stage="report")
    assert (over.fail_on, over.stage, over.ready) == ("not-ready", "report", held.ready)


def test_shares_points_and_days_are_read_as_people_write_them() -> None:
    held = written(
        'policy: {ready: {score: "${S:-90}", coverage: 97%}, waivers: {longest: 9d, announce: 3}}\n'
    )
    assert (held.ready.score, held.ready.coverage) == (90, 0.97)
    assert (held.waivers.longest, held.waivers.announce) == (9, 3)


WRONG = {
    "unknown key": ("policy:\n  tire: internal\n", "f:6: ", "Did you mean 'tier'?"),
    "unknown tier": ("policy:\n  tier: prod\n", "f:6: ", "Did you mean 'production'?"),
    "unknown stage": ("policy:\n  stage: warm\n", "f:6: ", "Did you mean 'warn'?"),
    "unknown verdict": ("policy:\n  fail_on: ready\n", "f:6: ", "Did you mean 'not-ready'?"),
    "the gate of old": ("policy:\n  gate: false\n", "f:6: ", "is not a known key"),
    "score over 100": ("policy:\n  ready: {score: 101}\n", "f:6: ", "at most 100"),
    "score of a half": ("policy:\n  ready: {score: 80.5}\n", "f:6: ", "must be"),
    "score yes": ("policy:\n  ready: {score: true}\n", "f:6: ", "Write digits only, such as 85"),
    "share of 95": ("policy:\n  ready: {coverage: 95}\n", "f:6: ", "or put % behind it"),
    "share below 0": ("policy:\n  ready: {coverage: -1}\n", "f:6: ", "at least 0"),
    "share of words": ("policy:\n  ready: {coverage: most}\n", "f:6: ", "such as 0.99 or 99%"),
    "days of hours": ("policy:\n  waivers: {longest: 5h}\n", "f:6: ", "Write it as in 30d"),
    "half a day": ("policy:\n  waivers: {announce: 0.5}\n", "f:6: ", "Write it as in 30d"),
    "for ever": ("policy:\n  waivers: {longest: 9999d}\n", "f:6: ", "Write it as in 30d"),
    "unknown area": (
        "policy:\n  areas:\n    securty: 80\n", "f:7: 'policy.areas.securty' is no area.",
        "Did you mean 'security'?",
    ),
    "area of nothing": ("policy:\n  areas: {data: 0}\n", "f:6: ", "at least 1"),
    "unknown blocker": (
        "policy:\n  blockers:\n    latency-p59: true\n",
        "f:7: 'policy.blockers.latency-p59' is no check.", "Did you mean 'latency-p99'?",
    ),
    "blocker maybe": ("policy:\n  blockers: {latency-p95: maybe}\n", "f:6: ", "true or false"),
    "upside down": (
        "policy:\n  ready: {score: 60}\n",
        "f:6: 'policy.ready.score' is below what CONDITIONAL takes, 70.", "Lower conditional.score",
    ),
    "upside down by the preset": (
        "policy:\n  tier: regulated\n  ready: {coverage: 80%}\n",
        "f:7: 'policy.ready.coverage' is below what CONDITIONAL takes, 90 %.", "or raise this.",
    ),
    "no mapping": ("policy: strict\n", "f:5: ", "must be a mapping"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_policy_is_explained_with_its_line(case: str) -> None:
    text, where, hint = WRONG[case]
    with pytest.raises(ConfigurationError) as error:
        written(text)
    assert where in str(error.value)
    assert hint in str(error.value)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"tier": "internal", "stage": "warn", "fail_on": "conditional"}, True),
        ({"ready": {"score": 80, "coverage": "95%"}, "conditional": {"coverage": 0.9}}, True),
        ({"areas": {"security": "${LEAST:-80}"}, "waivers": {"longest": "30d"}}, True),
        ({"blockers": {"latency-p95": False}}, True),
        ({"tier": "prod"}, False),
        ({"ready": {"score": 101}}, False),
        ({"ready": {"coverage": "most"}}, False),
        ({"waivers": {"longest": "5h"}}, False),
        ({"gate": False}, False),
    ],
)
def test_the_schema_knows_the_policy(wanted: dict[str, Any], fits: bool) -> None:
    api = {"kind": "http", "url": "http://h"}
    whole = {"version": 1, "system": {"name": "x"}, "services": {"api": api}, "policy": wanted}
    assert Draft202012Validator(schema({})).is_valid(whole) is fits


# The verdict.


@pytest.mark.parametrize(
    ("raw", "coverage", "weakest", "tiers"),
    [
        (90, 0.98, 80, ("ready", "ready", "ready", "ready")),
        (89, 0.98, 80, ("ready", "ready", "ready", "conditional")),
        (90, 0.97, 80, ("ready", "ready", "ready", "conditional")),
        (90, 0.98, 79, ("ready", "ready", "ready", "conditional")),
        (84, 0.95, 70, ("ready", "ready", "conditional", "conditional")),
        (79, 0.95, 70, ("ready", "conditional", "conditional", "inconclusive")),
        (85, 0.90, 60, ("ready", "ready", "conditional", "conditional")),
        (85, 0.89, 60, ("ready", "conditional", "conditional", "inconclusive")),
        (69, 0.95, 50, ("conditional", "conditional", "inconclusive", "inconclusive")),
        (70, 0.79, 50, ("conditional", "conditional", "inconclusive", "inconclusive")),
        (70, 0.69, 50, ("conditional", "inconclusive", "inconclusive", "inconclusive")),
        (49, 0.95, 50, ("inconclusive",) * 4),
        (70, 0.59, 50, ("inconclusive",) * 4),
    ],
)
def test_each_tier_judges_by_its_own_numbers(
    raw: int, coverage: float, weakest: int, tiers: tuple[str, ...]
) -> None:
    of = card(raw, 100, coverage, {"security": (weakest, 100)})
    assert tuple(decide(of, (), PRESETS[tier]).verdict for tier in PRESETS) == tiers


def test_a_regulated_system_does_not_pass_under_conditions() -> None:
    of = card(89, 100)
    codes = [decide(of, (), PRESETS[tier]).exit_code for tier in ("production", "regulated")]
    assert codes == [0, 1]


def test_an_area_has_the_least_score_that_is_written_for_it() -> None:
    of = card(97, areas={"security": (79, 79), "data": (71, 100)})
    found = decide(of, (), Policy(areas={"security": 80}))
    assert (found.verdict, found.value, found.upper) == ("conditional", 84, 84)
    assert [c.because for c in found.caps] == ["area below 80: Security"]
    assert decide(of, (), PRODUCTION).verdict == "ready"


def test_an_area_that_is_demanded_must_exist() -> None:
    of = card(97, areas={"security": (90, 90), "data": None})
    assert decide(of, (), PRODUCTION).verdict == "ready"
    found = decide(of, (), Policy(areas={"data": 60}))
    assert (found.verdict, found.value, found.upper) == ("conditional", 84, 84)


def test_a_removed_blocker_does_not_block_and_caps_all_the_same() -> None:
    off = FAILED.model_copy(update={"blocker": False, "usual_blocker": True})
    assert (blockers([off]), capping([off])) == ((), (off,))
    found = decide(card(97), [off], PRODUCTION)
    assert (found.verdict, found.value, found.exit_code) == ("ready", 59, 0)


def test_a_blocker_is_added_and_removed_where_it_matters() -> None:
    held = Policy(blockers={"latency-p95": True, BLOCKER: False})
    found = assessed(held, http_access__login_accepted=False)
    mine = {f.check: (f.blocker, f.usual_blocker) for f in found.model.findings}
    assert (mine["latency-p95"], mine[BLOCKER]) == ((True, False), (False, True))
    assert found.model.decision.verdict != "not_ready"
    assert found.model.decision.value == 59
    assert assessed(PRODUCTION, http_access__login_accepted=False).exit_code == 1
    low = inventory(service(probes=ACCESS, criticality="low"))
    unweighty = assess(evidence(low, *healthy(), policy=held), CRITERIA)
    assert not any(f.blocker for f in unweighty.model.findings)


@pytest.mark.parametrize("stage", ["report", "warn"])
@pytest.mark.parametrize(
    ("found", "fail_on", "gated", "code"),
    [
        ((), "not-ready", 0, 0),
        ((FAILED,), "not-ready", 1, 0),
        ((excused(FAILED),), "not-ready", 0, 0),
        ((excused(FAILED),), "conditional", 1, 0),
        ((UNKNOWN,), "not-ready", 4, 4),
    ],
)
def test_a_stage_turns_1_into_0_and_nothing_else(
    stage: Any, found: Any, fail_on: Any, gated: int, code: int
) -> None:
    decision = decide(card(97), found, Policy(stage=stage, fail_on=fail_on))
    assert (decision.gated_exit_code, decision.exit_code) == (gated, code)
    assert decide(card(97), found, Policy(fail_on=fail_on)).exit_code == gated


# What is easier than usual.


def test_what_is_easier_is_listed_against_the_stricter_of_tier_and_production() -> None:
    def told(text: str, **over: Any) -> dict[str, tuple[str, str]]:
        rows = eased(effective(written(text), **over), CRITERIA)
        return {row.setting: (row.value, row.usual) for row in rows}

    assert told("policy: {tier: regulated, ready: {score: 99}}\n") == {}
    assert told("policy: {areas: {security: 71}, blockers: {latency-p95: true}}\n") == {}
    assert told("", stage="report") == {"stage": ("report", "gate")}
    assert told("policy: {tier: internal}\n") == {
        "ready.score": ("80", "85"),
        "ready.area": ("60", "70"),
        "ready.coverage": ("90 %", "95 %"),
        "conditional.score": ("60", "70"),
        "conditional.coverage": ("70 %", "80 %"),
    }
    assert told(
        f"policy: {{tier: regulated, fail_on: not-ready, areas: {{data: 79}}, "
        f"blockers: {{{BLOCKER}: false, latency-p95: false}}, "
        "waivers: {blockers: true, longest: 31d}}\n"
    ) == {
        "fail_on": ("not-ready", "conditional"),
        "areas.data": ("79", "80"),
        f"blockers.{BLOCKER}": ("false", "true"),
        "waivers.blockers": ("true", "false"),
        "waivers.longest": ("31d", "30d"),
    }


def test_no_limit_on_waivers_is_easier_than_one() -> None:
    held = PRESETS["regulated"].model_copy(update={"waivers": Waiving(blockers=False)})
    assert [(e.setting, e.value) for e in eased(held, CRITERIA)] == [
        ("waivers.longest", "no limit")
    ]


# Waivers, on the day of the run.


def day(days: int) -> str:
    return str(NOW.date() + timedelta(days=days))


@pytest.mark.parametrize(
    ("ends", "state", "left", "excuses"),
    [
        (-1, "expired", -1, 0),
        (0, "expiring", 0, 1),
        (14, "expiring", 14, 1),
        (15, "in_force", 15, 1),
    ],
)
def test_how_a_waiver_stands(ends: int, state: str, left: int, excuses: int) -> None:
    found = assessed(PRODUCTION, a_waiver(BLOCKER, day(ends)), http_access__login_accepted=False)
    (row,) = waivers(found.model)
    assert (row.state, row.days_left, row.excuses) == (state, left, excuses)
    assert bool(announced(found.model)) is (state != "in_force")


def test_when_the_end_is_announced_is_the_policys() -> None:
    soon = a_waiver(BLOCKER, day(20))
    held = Policy(waivers=Waiving(announce=20))
    assert [
        r.state for r in waivers(assessed(held, soon, http_access__login_accepted=False).model)
    ] == ["expiring"]


def test_a_waiver_that_excuses_nothing_is_reported() -> None:
    (row,) = announced(assessed(PRODUCTION, a_waiver(BLOCKER, day(3))).model)
    assert (row.state, row.excuses) == ("not_needed", 0)


@pytest.mark.parametrize(
    ("held", "ends", "why"),
    [
        (PRESETS["regulated"], 20, "no blocker may be waived"),
        (Policy(waivers=Waiving(longest=30)), 31, "it ends more than 30 days from the run"),
    ],
)
def test_a_waiver_that_the_policy_refuses_excuses_nothing(
    held: Policy, ends: int, why: str
) -> None:
    found = assessed(held, a_waiver(BLOCKER, day(ends)), http_access__login_accepted=False)
    mine = next(f for f in found.model.findings if f.check == BLOCKER)
    assert mine.because.endswith(f"(the waiver of dana is not accepted: {why})")
    assert (found.model.decision.verdict, found.model.decision.value) == ("not_ready", 59)
    assert [row.state for row in waivers(found.model)] == ["not_accepted"]


def test_of_several_waivers_one_that_is_accepted_holds() -> None:
    both = (a_waiver(BLOCKER, day(20)), a_waiver(BLOCKER, day(90)))
    held = Policy(waivers=Waiving(longest=30))
    found = assessed(held, *both, http_access__login_accepted=False)
    assert next(f for f in found.model.findings if f.check == BLOCKER).waiver == both[0]
    assert [row.state for row in waivers(found.model)] == ["in_force", "not_accepted"]


def test_the_contract_grows_by_the_policy_and_the_waivers() -> None:
    held = Policy(stage="warn", areas={"security": 80})
    found = assessed(held, a_waiver(BLOCKER, day(3)), http_health__healthy=False)
    data = json.loads(found.to_json())
    assert data["exit_code"] == 0
    assert data["policy"] == {
        "tier": "production",
        "stage": "warn",
        "fail_on": "not-ready",
        "ready": {"score": 85, "area": 70, "coverage": 0.95},
        "conditional": {"score": 70, "coverage": 0.8},
        "areas": {"security": 80},
        "blockers": {},
        "waivers": {"blockers": True, "longest": None, "announce": 14},
        "gated_exit_code": 1,
        "eased": [{"setting": "stage", "value": "warn", "usual": "gate"}],
    }
    assert data["waivers"] == [
        {"check": BLOCKER, "service": None, "reason": "known", "owner": "dana", "until": day(3),
         "state": "not_needed", "days_left": 3, "excuses": 0}
    ]  # fmt: skip


@pytest.mark.parametrize(("gate", "stage"), [(True, "gate"), (False, "report")])
def test_evidence_from_before_there_were_stages_is_read(gate: bool, stage: str) -> None:
    data = json.loads(evidence(API).to_json())
    data["policy"] = {"fail_on": "conditional", "gate": gate}
    found = from_json(json.dumps(data), "f").policy
    assert found == Policy(fail_on="conditional", stage=stage)


# What no policy can do.

POLICIES = st.builds(
    Policy,
    tier=st.sampled_from(list(PRESETS)),
    stage=st.sampled_from(["report", "warn", "gate"]),
    fail_on=st.sampled_from(["not-ready", "conditional"]),
    ready=st.builds(
        Ready,
        score=st.integers(0, 100),
        area=st.integers(0, 100),
        coverage=st.integers(0, 100).map(lambda n: n / 100),
    ),
    conditional=st.builds(
        Conditional, score=st.integers(0, 100), coverage=st.integers(0, 100).map(lambda n: n / 100)
    ),
    areas=st.dictionaries(st.sampled_from(sorted(CRITERIA.areas)), st.integers(1, 100), max_size=3),
    blockers=st.dictionaries(
        st.sampled_from(["health-ready", "success-rate", "latency-p95", "redis-up"]), st.booleans()
    ),
    waivers=st.builds(Waiving, blockers=st.booleans(), longest=st.none() | st.integers(0, 400)),
)
BEST_FIRST = ("ready", "conditional", "inconclusive", "not_ready")


def under(held: Policy, of: Evidence) -> Model:
    return evaluate(of.model_copy(update={"policy": held}), CRITERIA)


def stricter(held: Policy, other: Policy) -> Policy:
    """Return `held` with each demand of `other` that goes beyond it."""
    stages, levels = ("report", "warn", "gate"), ("not-ready", "conditional")
    limits = [w.longest for w in (held.waivers, other.waivers) if w.longest is not None]
    areas = {**held.areas, **other.areas}
    both = at_least(held, other)
    return both.model_copy(
        update={
            "stage": max(held.stage, other.stage, key=stages.index),
            "fail_on": max(held.fail_on, other.fail_on, key=levels.index),
            "areas": {a: max(held.minimum(a), other.minimum(a)) for a in areas},
            "blockers": {
                name: any(
                    p.blockers.get(name, CRITERIA.checks[name].blocker) for p in (held, other)
                )
                for name in {**held.blockers, **other.blockers}
            },
            "waivers": Waiving(
                blockers=held.waivers.blockers and other.waivers.blockers,
                longest=min(limits, default=None),
            ),
        }
    )


@PROPERTY
@given(of=evidences(), held=POLICIES, other=POLICIES)
def test_a_stricter_policy_never_lets_more_pass(of: Evidence, held: Policy, other: Policy) -> None:
    mild = under(held, of).decision
    strict = under(stricter(held, other), of).decision
    assert BEST_FIRST.index(strict.verdict) >= BEST_FIRST.index(mild.verdict)
    assert strict.gated_exit_code != 0 or mild.gated_exit_code == 0
    assert strict.value <= mild.value
    assert strict.upper <= mild.upper


@PROPERTY
@given(of=evidences(), held=POLICIES)
def test_no_policy_raises_a_score_and_what_it_lets_pass_is_listed(
    of: Evidence, held: Policy
) -> None:
    usual, found = under(PRODUCTION, of), under(held, of)
    assert found.card == usual.card
    assert found.decision.value <= usual.decision.value
    assert found.decision.upper <= usual.decision.upper
    verdicts = [BEST_FIRST.index(model.decision.verdict) for model in (found, usual)]
    passes = found.decision.exit_code == 0 and usual.decision.exit_code != 0
    assert not (verdicts[0] < verdicts[1] or passes) or eased(held, CRITERIA)


@PROPERTY
@given(of=evidences(most=2), held=POLICIES)
def test_a_policy_is_replayed_to_the_byte(of: Evidence, held: Policy) -> None:
    ran = of.model_copy(update={"policy": held})
    again = from_json(ran.to_json(), "f")
    assert again.policy == held
    assert again.to_json() == ran.to_json()
    assert evaluate(again, CRITERIA).decision == evaluate(ran, CRITERIA).decision


def test_no_policy_raises_the_score_of_a_capability() -> None:
    of = inventory(
        service(probes=ACCESS, criticality="high"),
        capabilities={"sign-in": {"title": "Sign in", "services": ["api"]}},
    )
    held = Policy(blockers={BLOCKER: False})
    sick = evidence(of, *healthy(http_access__login_accepted=False), policy=held)
    assert [c.score for c in assess(sick, CRITERIA).capabilities] == [59]
