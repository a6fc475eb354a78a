"""One exchange repeated side by side."""

import asyncio

import pytest

from readiness.failure import ProbeError, classify
from readiness.probes import Context
from readiness.probes._sampling import sample

pytestmark = pytest.mark.anyio


async def test_who_fails_ends_it_for_all(context: Context) -> None:
    asked = 0

    async def exchange() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        if asked > 4:
            raise ProbeError("reset", "gone")

    with pytest.raises(ExceptionGroup) as caught:
        await sample(exchange, 100, context, at_once=4)
    assert classify(caught.value).kind == "reset"
    begun = asked
    await asyncio.sleep(0.05)
    assert asked == begun
