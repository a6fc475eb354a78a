from typing import Any

import pytest

from readiness.failure import ProbeError
from readiness.load.arrivals import Stage
from readiness.load.check import Check
from readiness.load.engine import DriverName
from readiness.load.open import Schedule
from readiness.load.twins import Duel, Target, duel
from tests import servers
from tests.load.runs import GET, at, soon

pytestmark = pytest.mark.anyio

OK = servers.response(200, "fine")


async def played(first: int, second: int, samples: int = 60, rate: float = 200, **how: Any) -> Duel:
    schedule = Schedule((Stage(rate, 30),), how.pop("in_flight", 4), samples, seed="a")
    how = {"timeout": 5.0, **how, "deadline": soon(how.get("deadline", 30.0))}
    one, other = (Target(at(port), GET, Check()) for port in (first, second))
    return await duel(one, other, schedule, **how)


@pytest.mark.light
async def test_both_are_asked_at_the_same_moments(driver: DriverName) -> None:
    first, second = servers.Web(lambda _: OK, delay=0.002), servers.Web(lambda _: OK, delay=0.012)
    async with servers.serving(first) as one, servers.serving(second) as other:
        found = await played(one, other, rate=100, driver=driver)
    warm = [pair for pair in found.pairs if pair.warm]
    assert len(warm) == found.first.offered == found.second.offered == 60
    assert len(first.requests) == len(second.requests) == found.first.n == found.second.n
    assert len(found.pairs) > len(warm)  # the first ones only warmed up
    timed = [(p.first.ms, p.second.ms) for p in warm if p.first.ms and p.second.ms]
    assert len(timed) > 40  # asyncio's own stalls void some
    later = sorted(theirs - ours for ours, theirs in timed)
    assert later[len(later) // 2] == pytest.approx(10, abs=1.5)


async def test_neither_is_always_the_first_of_a_pair() -> None:
    order: list[str] = []

    def noting(name: str) -> servers.Web:
        def answer(_: servers.Request) -> bytes:
            order.append(name)
            return OK

        return servers.Web(answer)

    async with servers.serving(noting("a")) as one, servers.serving(noting("b")) as other:
        found = await played(one, other, samples=100)
    late = order[-2 * len([pair for pair in found.pairs if pair.warm]) :]
    first = late[::2].count("a")
    assert 20 < first < 80


async def test_failures_of_the_one_leave_the_other_alone() -> None:
    asked = 0

    def every_third(_: servers.Request) -> bytes:
        nonlocal asked
        asked += 1
        return servers.response((503, 429, 200)[asked % 3])

    async with (
        servers.serving(servers.Web(every_third)) as one,
        servers.serving(servers.always(OK)) as other,
    ):
        found = await played(one, other)
    assert all(pair.second.ok for pair in found.pairs)
    third = pytest.approx(len(found.pairs) / 3, abs=2)
    assert sum(pair.first.ok for pair in found.pairs) == third
    assert sum(pair.first.limited for pair in found.pairs) == third
    assert all(pair.first.ms is None for pair in found.pairs if not pair.first.ok)


async def test_one_that_hangs_holds_up_nobody() -> None:
    async with (
        servers.serving(servers.silent) as one,
        servers.serving(servers.always(OK)) as other,
    ):
        found = await played(one, other, samples=20, timeout=0.3)
    assert not found.first.statuses and set(found.first.faults) == {"timeout"}
    assert not any(pair.first.ok for pair in found.pairs)
    assert found.second.successes == found.second.n


async def test_bytes_that_nobody_asked_for_convict_one_side_alone() -> None:
    async with (
        servers.serving(servers.always(OK + servers.response(200, "more"))) as one,
        servers.serving(servers.always(OK)) as other,
    ):
        found = await played(one, other, samples=20)
    assert not any(pair.first.ok for pair in found.pairs)
    assert all(pair.second.ok for pair in found.pairs)


async def test_the_deadline_ends_both() -> None:
    async with servers.serving(servers.silent) as one, servers.serving(servers.silent) as other:
        with pytest.raises(ProbeError) as caught:
            await played(one, other, deadline=0.3)
    assert caught.value.failure.kind == "deadline"


async def test_the_caps_hold_for_both_together() -> None:
    with pytest.raises(ProbeError) as caught:
        await played(9, 9, in_flight=6000)
    assert caught.value.failure.kind == "not_allowed"
