"""tcp_connect against ports that accept, refuse, or are not there."""

import asyncio
import dataclasses
import time

import pytest

from readiness.estimate import Estimate
from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes.tcp_connect import METRICS, Settings, measure
from tests import servers

pytestmark = pytest.mark.anyio


def service(port: int, host: str = "127.0.0.1") -> Service:
    return Service.model_validate({"name": "it", "kind": "tcp", "url": f"tcp://{host}:{port}"})


async def test_connects_are_timed_and_closed(context: Context) -> None:
    closed = asyncio.Semaphore(0)

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        writer.close()
        closed.release()

    async with servers.serving(listen) as port:
        many = dataclasses.replace(context, samples=1000)
        values = await measure(service(port), Settings(), many)
        async with asyncio.timeout(5):
            for _ in range(101):
                await closed.acquire()
    assert values["connected"] is True
    assert set(values) == set(METRICS)
    for metric in ("p50_ms", "p95_ms"):
        estimate = values[metric]
        assert isinstance(estimate, Estimate)
        assert estimate.n == 100
        assert estimate.value is not None
        assert 0 < estimate.value < 100


async def test_too_few_samples_say_so(context: Context) -> None:
    async with servers.serving(servers.silent) as port:
        values = await measure(service(port), Settings(), context)
    assert values["p95_ms"] == Estimate(value=None, low=None, high=None, n=20)
    assert values["p95_ms_because"] == "20 samples, a p95 needs 72"


async def test_a_deadline_in_the_past_is_not_blamed_on_the_port(context: Context) -> None:
    due = dataclasses.replace(context, deadline=time.monotonic())
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            await measure(service(port), Settings(), due)
    assert caught.value.failure.kind == "deadline"


@servers.needs_ipv6
async def test_ipv6_literals(context: Context) -> None:
    async with servers.serving(servers.silent, host="::1") as port:
        values = await measure(service(port, "[::1]"), Settings(), context)
    assert values["connected"] is True


async def test_a_port_where_nothing_listens(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(ConnectionRefusedError):
            await measure(service(port), Settings(), context)
