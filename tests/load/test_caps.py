import pytest

from readiness.failure import ProbeError
from readiness.load import caps
from readiness.load.arrivals import Stage
from readiness.load.caps import Budget
from readiness.load.closed import Level
from readiness.load.open import Schedule


@pytest.mark.parametrize(
    "load",
    [
        Level(users=caps.USERS, requests=caps.REQUESTS, seconds=caps.SECONDS),
        Schedule((Stage(caps.RATE, 10),), caps.USERS),
        Schedule((Stage(1, caps.SECONDS),), 1),
    ],
)
def test_what_is_within_the_caps_may_be_asked(load: Level | Schedule) -> None:
    caps.check(load)


@pytest.mark.parametrize(
    ("load", "what"),
    [
        (Level(users=10_001, requests=1, seconds=1), "10,001 connections: the most is 10,000"),
        (Level(users=1, requests=10**8 + 1, seconds=1), "100,000,001 requests"),
        (Level(users=1, requests=1, seconds=1, longest=3601), "3,601 seconds"),
        (Level(users=1, requests=1, seconds=1, ramp=3600), "3,601 seconds"),
        (Schedule((Stage(1, 1),), 10_001), "10,001 connections"),
        (Schedule((Stage(200_001, 1),), 1), "200,001 requests/s"),
        (Schedule((Stage(1, 1, to=200_001),), 1), "200,001 requests/s"),
        (Schedule((Stage(1, 1800), Stage(1, 1801)), 1), "3,601 seconds"),
        (Schedule((Stage(100_000, 1001),), 1), "100,100,000 requests"),
        (Schedule((Stage(1, 1),), 1, samples=10**8 + 1), "100,000,001 requests"),
    ],
)
def test_what_is_beyond_is_refused(load: Level | Schedule, what: str) -> None:
    with pytest.raises(ProbeError) as caught:
        caps.check(load)
    assert caught.value.failure.kind == "not_allowed"
    assert what in caught.value.failure.detail


def test_each_host_has_a_budget() -> None:
    budget = Budget(per_host=100)
    budget.spend("a", 60)
    assert (budget.left("a"), budget.left("b")) == (40, 100)
    budget.spend("a", 40)
    with pytest.raises(ProbeError, match="of the 100 requests that one run may send a, 0 are left"):
        budget.left("a")
    with pytest.raises(ProbeError, match="send b, 100 are left"):
        budget.left("b", least=101)
