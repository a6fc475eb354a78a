import ssl
from collections import Counter
from itertools import pairwise

import pytest

from readiness.failure import ProbeError
from readiness.load.arrivals import Stage, arrivals
from readiness.load.closed import Level
from readiness.load.open import Schedule
from readiness.load.request import Endpoint
from readiness.load.workers import run_shared, shares
from tests import servers
from tests.load.runs import GET, at, soon

OK = servers.response(200, "fine")


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_shares_of_a_level_add_up(n: int) -> None:
    level = Level(users=7, requests=1000, seconds=2, least=50)
    parts = [part for part in shares(level, n) if isinstance(part, Level)]
    assert sum(part.users for part in parts) == 7
    assert sum(part.requests for part in parts) >= 1000 * len(parts) // n
    assert {part.seconds for part in parts} == {2}
    assert min(part.users for part in parts) >= 1


def test_shares_of_a_rate_interleave() -> None:
    schedule = Schedule((Stage(90, 2),), in_flight=10, samples=100, spacing="constant")
    parts = [part for part in shares(schedule, 3) if isinstance(part, Schedule)]
    starts = sorted(
        start for p in parts for start in arrivals(p.stages, p.spacing, p.seed, p.phase or 0.0)
    )
    gaps = {round((b - a) / 1e6, 3) for a, b in pairwise(starts)}
    assert len(starts) == 180
    assert max(gaps) - min(gaps) < 0.001
    assert sum(part.in_flight for part in parts) == 10
    assert sum(part.samples or 0 for part in parts) == 100


def test_shares_of_random_arrivals_are_independent() -> None:
    schedule = Schedule((Stage(1000, 5),), in_flight=4)
    a, b = (
        set(arrivals(p.stages, p.spacing, p.seed, p.phase or 0.0))
        for p in shares(schedule, 2)
        if isinstance(p, Schedule)
    )
    assert len(a & b) < 5
    assert len(a | b) == pytest.approx(5000, rel=0.06)


@pytest.mark.anyio
@pytest.mark.alone
@pytest.mark.parametrize(
    "load",
    [
        Level(users=4, requests=120, seconds=30),
        Schedule((Stage(200, 30),), in_flight=4, samples=120),
    ],
)
async def test_two_processes_see_what_the_server_saw(load: Level | Schedule) -> None:
    web = servers.Web(lambda r: OK if len(web.requests) % 3 else servers.response(500))
    async with servers.serving(web) as port:
        result = await run_shared(at(port), GET, load, timeout=5, deadline=soon(30), processes=2)
    answered = Counter(200 if (place + 1) % 3 else 500 for place in range(len(web.requests)))
    assert dict(result.codes) == dict(answered)
    assert result.connections == web.connections == 4
    assert result.response.n == result.service.n > 0
    assert result.offered == (120 if isinstance(load, Schedule) else 0)


@pytest.mark.anyio
@pytest.mark.alone
async def test_what_stops_one_process_stops_all() -> None:
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            load = Level(users=2, requests=10, seconds=5)
            await run_shared(at(port), GET, load, timeout=5, deadline=soon(0.3), processes=2)
    assert caught.value.failure.kind == "deadline"


@pytest.mark.anyio
@pytest.mark.alone
async def test_each_process_makes_its_own_tls_context() -> None:
    async with servers.serving(servers.always(OK)) as port:
        endpoint = Endpoint(
            at(port).family, "127.0.0.1", port, ssl.create_default_context(), "localhost"
        )
        load = Level(users=2, requests=4, seconds=1)
        result = await run_shared(endpoint, GET, load, timeout=0.5, deadline=soon(20), processes=2)
    assert set(result.faults) <= {"tls", "timeout"}
    assert not result.statuses


def test_fewer_users_than_processes_still_make_all_requests() -> None:
    parts = [part for part in shares(Level(2, 1000, 1.0), 4) if isinstance(part, Level)]
    assert [part.users for part in parts] == [1, 1]
    assert sum(part.requests for part in parts) == 1000
