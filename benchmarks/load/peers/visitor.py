"""A closed load in a few lines over a Python client, as people write it; prints JSON.

Run: python visitor.py httpx2|aiohttp asyncio|uvloop URL USERS SECONDS
"""

import asyncio
import json
import sys
import time


async def over_httpx2(url, users, visit):
    import httpx2

    limits = httpx2.Limits(max_connections=users, max_keepalive_connections=users)
    async with httpx2.AsyncClient(limits=limits, verify=False) as client:

        async def ask():
            return (await client.get(url)).status_code

        await asyncio.gather(*(visit(ask) for _ in range(users)))


async def over_aiohttp(url, users, visit):
    import aiohttp

    connector = aiohttp.TCPConnector(limit=users, ssl=False)
    async with aiohttp.ClientSession(connector=connector) as client:

        async def ask():
            async with client.get(url) as answer:
                await answer.read()
                return answer.status

        await asyncio.gather(*(visit(ask) for _ in range(users)))


def main(library, loop, url, users, seconds):
    times, failures, end = [], 0, 0.0

    async def visit(ask):
        nonlocal failures, end
        end = end or time.perf_counter() + seconds  # from the first visit: imports take their time
        while (began := time.perf_counter()) < end:
            try:
                failures += await ask() != 200
            except Exception:  # noqa: BLE001 - each library has its own; all are failures here
                failures += 1
            times.append((time.perf_counter() - began) * 1e3)

    play = {"httpx2": over_httpx2, "aiohttp": over_aiohttp}[library]
    if loop == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(play(url, users, visit))
    lasted = time.perf_counter() - end + seconds
    times.sort()
    quantiles = [times[int(q * len(times))] for q in (0.5, 0.95, 0.99)]
    print(json.dumps([len(times) / lasted, *quantiles, failures]))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5]))
