import asyncio
import sys

import pytest

from readiness.load import ceiling, responder

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


async def test_the_client_knows_what_it_can_do() -> None:
    found = await ceiling.measure_ceiling()
    assert found.requests_per_second > 1000
    assert found.lag_p99_ms >= 0


async def test_the_responder_ends_with_whoever_started_it() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(responder.__file__)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    port = int(await process.stdout.readline())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert await reader.readexactly(2 * len(responder.ANSWER)) == 2 * responder.ANSWER
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert await reader.read() == b""
    writer.close()
