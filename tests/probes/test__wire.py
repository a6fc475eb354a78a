"""What lay unread because this process was busy is not in the time of an exchange."""

import asyncio
import dataclasses
import time
from pathlib import Path

import pytest

from readiness.probes import Address, Context
from readiness.probes._connection import Addresses, dial, handshake_ms
from readiness.probes._http import Target, exchange
from readiness.probes._wire import STAMPED
from tests import servers
from tests.background import background
from tests.certificates import Authority

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.alone,
    pytest.mark.skipif(not STAMPED, reason="the kernel does not tell when bytes came"),
]

BUSY_SECONDS = 0.3


async def exchange_while_busy(context: Context, to: Target) -> dict[str, float]:
    """Exchange with a server of another thread while this one is kept from reading."""
    task = asyncio.create_task(exchange(context, to))
    asyncio.get_running_loop().call_later(0.03, time.sleep, BUSY_SECONDS)
    began = time.perf_counter()
    answer = await task
    assert time.perf_counter() - began > BUSY_SECONDS
    return dict(answer.ms)


async def test_an_answer_that_waited_to_be_read_is_not_slow(context: Context) -> None:
    web = servers.always(servers.response(200, "hello"))
    web.delay = 0.1
    with background(web) as [port]:
        ms = await exchange_while_busy(context, Target(False, "127.0.0.1", port, "/"))
    assert 100 <= ms["first_byte"] < 200
    assert ms["transfer"] < 50


async def test_nor_is_an_encrypted_one(context: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = dataclasses.replace(context, tls=authority.client)
    web = servers.always(servers.response(200, "hello"))
    web.delay = 0.1
    async with servers.serving(web, tls=authority.server("127.0.0.1")) as port:
        to = Target(True, "127.0.0.1", port, "/")
        ms = await asyncio.to_thread(asyncio.run, exchange_while_busy(trusting, to))
    assert 100 <= ms["first_byte"] < 200
    assert ms["tls"] < 100


async def test_a_body_in_pieces_is_timed_from_its_first_byte_to_its_last(context: Context) -> None:
    async def halves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await servers.read_request(reader)
        whole = servers.response(200, "hello")
        writer.write(whole[:-3])
        await asyncio.sleep(0.15)
        writer.write(whole[-3:])
        await writer.drain()

    with background(halves) as [port]:
        ms = await exchange_while_busy(context, Target(False, "127.0.0.1", port, "/"))
    assert ms["first_byte"] < 100
    assert 140 <= ms["transfer"] < 250


async def test_a_connection_is_as_quick_as_the_kernel_counts() -> None:
    with background(servers.silent) as [port]:
        connection = await dial([(2, "127.0.0.1", port)])
        time.sleep(0.1)  # noqa: ASYNC251  # this process is busy
        counted = handshake_ms(connection)
        connection.close()
    assert counted is not None
    assert 0 < counted < 50


async def test_the_time_of_a_shared_look_up_is_the_look_ups_own(context: Context) -> None:
    async def found(host: str, port: int) -> Addresses:
        addresses = Addresses([(2, "127.0.0.1", port)])
        addresses.ms = 12.5
        return addresses

    async with servers.serving(servers.always(servers.response())) as port:
        known = dataclasses.replace(context, resolve=found)
        answer = await exchange(known, Target(False, "it.test", port, "/"))
    assert answer.cold["resolve_ms"] == 12.5


async def test_a_time_that_cannot_be_told_from_ours_is_left_out(context: Context) -> None:
    async def two(host: str, port: int) -> list[Address]:
        return [(2, "127.0.0.2", port), (2, "127.0.0.1", port)]

    several = dataclasses.replace(context, resolve=two)
    web = servers.always(servers.response())
    with background(web) as [port]:
        to = Target(False, "it.test", port, "/")
        answer = await exchange(several, to)
        web.delay = 0.1
        busy = await exchange_while_busy(several, to)
    assert answer.ms["connect"] < 50
    assert "connect" not in busy
