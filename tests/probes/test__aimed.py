"""What measurements may ask of a host together."""

from dataclasses import replace

import pytest

from readiness.failure import ProbeError
from readiness.load.arrivals import Stage
from readiness.load.caps import Budget
from readiness.load.closed import Level
from readiness.load.open import Schedule
from readiness.probes import Context
from readiness.probes._aimed import Aimed
from readiness.probes._load import LoadSettings
from tests import servers
from tests.probes.test_http_latency import service

pytestmark = pytest.mark.anyio

OK = servers.response(200, "fine")


@pytest.mark.parametrize(
    "load",
    [
        Level(users=2, requests=1000, seconds=0.01, least=1000, longest=30),
        Schedule((Stage(500, 30),), 2),
        Schedule((Stage(500, 30),), 2, samples=1000),
    ],
    ids=["users", "rate", "samples"],
)
async def test_no_load_goes_beyond_what_a_host_may_get(
    load: Level | Schedule, context: Context
) -> None:
    web = servers.always(OK)
    context = replace(context, budget=Budget(per_host=60))
    async with servers.serving(web) as port:
        aimed = await Aimed.at(service(port), LoadSettings(), context)
        if isinstance(load, Level):
            result = await aimed.closed(load)
        else:
            result = await aimed.open(load, lambda _: False)
    assert 20 < len(web.requests) == result.n <= 60


async def test_a_host_that_got_what_it_may_gets_nothing_more(context: Context) -> None:
    web = servers.always(OK)
    context = replace(context, budget=Budget(per_host=60))
    context.budget.spend("127.0.0.1", 60)
    async with servers.serving(web) as port:
        aimed = await Aimed.at(service(port), LoadSettings(), context)
        with pytest.raises(ProbeError, match="0 are left"):
            await aimed.closed(Level(users=2, requests=10, seconds=1))
    assert not web.requests


async def test_a_path_is_asked_for_as_it_is_written(context: Context) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        settings = LoadSettings(request="GET //double//slash/")
        await (await Aimed.at(service(port), settings, context)).closed(Level(1, 1, 1.0))
    assert {request.target for request in web.requests} == {"//double//slash/"}
