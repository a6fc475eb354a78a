"""A client on raw connections for the tests: what a server does, with no library between."""

import asyncio
import contextlib
import socket
import statistics
import time
from urllib.parse import urlsplit


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str
) -> tuple[int, bytes]:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    return int(head.split()[1]), await reader.readexactly(int(length.split(b":")[1]))


async def median_ms(url: str, n: int) -> float:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    with contextlib.closing(writer):
        times = []
        for _ in range(n):
            start = time.perf_counter()
            status, _ = await exchange(reader, writer, parts.path)
            times.append((time.perf_counter() - start) * 1000)
            assert status == 200
    return statistics.median(times)


async def closed_loop(
    url: str, users: int, requests: int, bodies: list[bytes] | None = None
) -> list[int]:
    """Let `users` ask again as soon as they are answered, until `requests` have been made."""
    parts, left, statuses = urlsplit(url), iter(range(requests)), list[int]()

    async def user() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        with contextlib.closing(writer):
            for _ in left:
                status, body = await exchange(reader, writer, parts.path)
                statuses.append(status)
                if bodies is not None:
                    bodies.append(body)

    await asyncio.gather(*(user() for _ in range(users)))
    return statuses


def listens(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((parts.hostname, parts.port)) == 0
