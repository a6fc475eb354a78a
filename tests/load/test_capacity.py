"""The search for the knee on a real service; what it finds is asked of the benchmarks."""

import time

import pytest

from readiness.load.capacity import Search
from readiness.load.knee import Bounds, Objective
from tests import servers
from tests.load.runs import GET, at, soon

pytestmark = pytest.mark.anyio


async def test_what_a_search_has_sent_is_counted_whole() -> None:
    web = servers.always(servers.response(200, "fine"))
    async with servers.serving(web) as port:
        bounds = Bounds(start=100, rate=200, seconds=20)
        search = Search(at(port), GET, Objective(0.95, 500), bounds, timeout=5, deadline=soon(30))
        began = time.monotonic()
        found = await search.run()
    assert found.knee.reason == "cap"
    assert found.knee.rate == 200
    assert search.sent == len(web.requests)
    assert time.monotonic() - began < bounds.seconds
