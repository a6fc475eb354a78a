"""Scorecard, findings and policy -> caps, verdict and exit code, one branch after the other."""

from typing import Any

import pytest

from readiness.finding import Finding
from readiness.gate import Cap, Decision, blockers, decide, headline, weak_areas
from readiness.inventory import Policy
from readiness.policy import PRODUCTION
from readiness.score import AreaScore, Scorecard
from tests.judging import finding, outage, unknown, waiver


def card(
    raw: int = 100, upper: int = 100, coverage: float = 1.0, areas: dict[str, Any] | None = None
) -> Scorecard:
    rows = {"performance": (100, 100)} if areas is None else areas
    return Scorecard(
        raw=raw,
        upper=upper,
        coverage=coverage,
        areas=tuple(
            AreaScore(
                id=name,
                title=name.title(),
                weight=1,
                score=bounds and bounds[0],
                upper=bounds and bounds[1],
                coverage=bounds and 1.0,
                applicable=bounds is not None,
                because="",
            )
            for name, bounds in rows.items()
        ),
    )


def decided(of: Scorecard, *found: Finding, **policy: Any) -> Decision:
    return decide(of, found, Policy(**policy))


def test_a_regression_makes_ready_conditional_and_nothing_else_of_anything() -> None:
    ready = decide(card(97), [], Policy(), ["Speed on api"])
    assert (ready.verdict, ready.value, ready.upper) == ("conditional", 84, 84)
    assert ready.caps == (Cap(to=84, because="regressed: Speed on api"),)
    assert decide(card(97), [], Policy(fail_on="conditional"), ["x"]).exit_code == 1
    for one, verdict in ((FAILED, "not_ready"), (UNKNOWN, "inconclusive")):
        found = decide(card(97), [one], Policy(), ["Speed on api"])
        assert (found.verdict, found.value) == (verdict, 59)
    nothing = decide(card(0, areas={"data": None}), [], Policy(), ["Speed on api"])
    assert (nothing.verdict, nothing.value) == ("inconclusive", 0)


FAILED = finding(0, blocker=True)
OUT = outage(blocker=True)
UNKNOWN = unknown(blocker=True)
UNDECIDED = finding(0.4, 1.0, blocker=True, outcome="warn", undecided=True)
WARNED = finding(0.6, blocker=True, outcome="warn")
EXCUSE = {"waiver": waiver("speed", "2026-12-31")}


def excused(one: Finding) -> Finding:
    return one.model_copy(update=EXCUSE)


@pytest.mark.parametrize(
    ("one", "cap"),
    [
        (FAILED, Cap(to=59, because="blocker failed: Speed on api")),
        (OUT, Cap(to=59, because="blocker failed: Speed on api")),
        (UNKNOWN, Cap(to=59, because="blocker unknown: Speed on api")),
        (UNDECIDED, Cap(to=59, because="blocker undecided: Speed on api")),
        (excused(FAILED), Cap(to=84, because="blocker failed, waived: Speed on api")),
        (excused(UNKNOWN), Cap(to=84, because="blocker unknown, waived: Speed on api")),
        (excused(UNDECIDED), Cap(to=84, because="blocker undecided, waived: Speed on api")),
    ],
)
def test_an_open_blocker_caps_the_score(one: Finding, cap: Cap) -> None:
    found = decided(card(97), one)
    assert found.caps == (cap,)
    assert found.value == cap.to
    assert blockers([one]) == (one,)


@pytest.mark.parametrize(
    "one",
    [
        WARNED,
        finding(1, blocker=True),
        finding(0),
        unknown(),
        finding(0, 1, blocker=True, outcome="not_applicable"),
        finding(0.5, blocker=True, outcome="warn", flaky=True),
    ],
)
def test_what_is_no_open_blocker_caps_nothing(one: Finding) -> None:
    found = decided(card(97), one)
    assert (found.caps, found.value, found.verdict) == ((), 97, "ready")


@pytest.mark.parametrize(
    ("coverage", "value", "because"),
    [
        (0.79, 69, "coverage of 79 % is below 80 %"),
        (0.80, 84, "coverage of 80 % is below 95 %"),
        (0.94, 84, "coverage of 94 % is below 95 %"),
        (0.95, 97, None),
    ],
)
def test_coverage_caps_the_score(coverage: float, value: int, because: str | None) -> None:
    found = decided(card(97, coverage=coverage))
    assert found.value == value
    assert [c.because for c in found.caps] == ([because] if because else [])


def test_a_weak_area_caps_the_score() -> None:
    of = card(97, areas={"security": (69, 100), "performance": (70, 70), "data": None})
    assert weak_areas(of, PRODUCTION) == ("security",)
    found = decided(of)
    assert found.caps == (Cap(to=84, because="area below 70: Security"),)
    assert (found.value, found.upper) == (84, 100)
    assert decided(card(97, areas={"security": (10, 69)})).upper == 84


def test_all_caps_are_told_the_lowest_first_and_the_lowest_holds() -> None:
    of = card(97, coverage=0.5, areas={"security": (10, 100)})
    found = decided(of, UNKNOWN, excused(FAILED))
    assert [c.to for c in found.caps] == [59, 69, 84, 84]
    assert found.value == 59


def test_the_headline_is_the_raw_score_under_its_caps() -> None:
    assert headline(card(50), [FAILED], PRODUCTION) == 50
    assert headline(card(97), [FAILED], PRODUCTION) == 59
    assert headline(card(97), [excused(FAILED)], PRODUCTION) == 84
    assert headline(card(97), [], PRODUCTION) == 97


@pytest.mark.parametrize(
    ("one", "upper"),
    [(FAILED, 59), (OUT, 59), (excused(FAILED), 84), (UNKNOWN, 100), (UNDECIDED, 100)],
)
def test_the_upper_score_takes_what_is_open_as_passed(one: Finding, upper: int) -> None:
    assert decided(card(97), one).upper == upper


BRANCHES: list[tuple[str, Scorecard, tuple[Finding, ...], str]] = [
    ("a blocker failed", card(97), (FAILED,), "not_ready"),
    ("a blocker is out", card(97), (OUT,), "not_ready"),
    ("a blocker failed, another is unknown", card(97), (UNKNOWN, FAILED), "not_ready"),
    ("upper below 70", card(20, 69), (), "not_ready"),
    ("upper below 70 before low coverage", card(20, 69, 0.1), (), "not_ready"),
    ("upper 70", card(69, 70), (), "inconclusive"),
    ("headline below 70", card(69, 100), (), "inconclusive"),
    ("low coverage", card(97, 100, 0.79), (), "inconclusive"),
    ("a blocker unknown", card(97), (UNKNOWN,), "inconclusive"),
    ("a blocker undecided", card(97), (UNDECIDED,), "inconclusive"),
    ("nothing applicable", card(0, 100, 0.0, {"data": None}), (), "inconclusive"),
    ("headline 70", card(70, 100), (), "conditional"),
    ("score 84", card(84), (), "conditional"),
    ("coverage 94", card(97, 100, 0.94), (), "conditional"),
    ("a weak area", card(97, 100, 1.0, {"data": (69, 100)}), (), "conditional"),
    ("a failed blocker is waived", card(97), (excused(FAILED),), "conditional"),
    ("an unknown blocker is waived", card(97), (excused(UNKNOWN),), "conditional"),
    ("an undecided blocker is waived", card(97), (excused(UNDECIDED),), "conditional"),
    ("waived, and upper below 70", card(50, 60), (excused(FAILED),), "not_ready"),
    ("score 85", card(85), (WARNED,), "ready"),
    ("coverage 95", card(97, 100, 0.95), (), "ready"),
    ("area 70", card(97, 100, 1.0, {"data": (70, 100)}), (), "ready"),
]


@pytest.mark.parametrize(
    ("of", "found", "verdict"), [b[1:] for b in BRANCHES], ids=[b[0] for b in BRANCHES]
)
def test_the_verdict(of: Scorecard, found: tuple[Finding, ...], verdict: str) -> None:
    assert decided(of, *found).verdict == verdict


@pytest.mark.parametrize(
    ("verdict", "policy", "code"),
    [
        ("ready", {}, 0),
        ("conditional", {}, 0),
        ("not_ready", {}, 1),
        ("inconclusive", {}, 4),
        ("ready", {"fail_on": "conditional"}, 0),
        ("conditional", {"fail_on": "conditional"}, 1),
        ("not_ready", {"fail_on": "conditional"}, 1),
        ("inconclusive", {"fail_on": "conditional"}, 4),
        ("ready", {"stage": "report"}, 0),
        ("conditional", {"stage": "report"}, 0),
        ("not_ready", {"stage": "report"}, 0),
        ("inconclusive", {"stage": "report"}, 4),
        ("conditional", {"stage": "report", "fail_on": "conditional"}, 0),
    ],
)
def test_the_exit_code(verdict: str, policy: dict[str, Any], code: int) -> None:
    of, found = next(b[1:3] for b in BRANCHES if b[3] == verdict)
    decision = decided(of, *found, **policy)
    assert (decision.verdict, decision.exit_code) == (verdict, code)


def test_the_letter_is_that_of_the_capped_score() -> None:
    assert (decided(card(97)).grade, decided(card(97), FAILED).grade) == ("A", "F")
