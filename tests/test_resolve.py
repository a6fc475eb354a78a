import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from readiness import resolve as resolving
from readiness.failure import classify
from readiness.resolve import Resolver, resolve


def test_a_name_becomes_numeric_addresses() -> None:
    found = asyncio.run(resolve("localhost", 80))
    assert {address for _, address, _ in found} <= {"127.0.0.1", "::1"}
    assert all(port == 80 for _, _, port in found)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 300, "..", "\udcff"])
def test_what_has_no_address_is_a_resolution_error(host: str) -> None:
    with pytest.raises(socket.gaierror):
        asyncio.run(resolve(host, 80))


def test_a_hanging_resolver_holds_neither_the_deadline_nor_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = threading.Event()
    real = socket.getaddrinfo

    def hang(host: str, *args: object, **kwargs: object) -> object:
        if host == "hangs.test":
            released.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "too late")
        return real(host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", hang)

    async def scenario() -> float:
        began = time.monotonic()
        hanging = [asyncio.create_task(resolve("hangs.test", 80)) for _ in range(50)]
        async with asyncio.timeout(5):
            await resolve("localhost", 80)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.gather(*hanging)
        return time.monotonic() - began

    try:
        assert asyncio.run(scenario()) < 5
    finally:
        released.set()


class Lookups:
    """Stands for the C library: names that begin with `hangs` hang until `released`."""

    def __init__(self) -> None:
        self.released, self.asked = threading.Event(), list[str]()

    def __call__(self, host: str, *_args: object, **_named: object) -> list[object]:
        self.asked.append(host)
        if host.startswith("hangs"):
            self.released.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "too late")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lookups]:
    found = Lookups()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.released.set()


def test_a_literal_address_is_not_looked_up(lookups: Lookups) -> None:
    assert asyncio.run(resolve("127.0.0.1", 80)) == ((socket.AF_INET, "127.0.0.1", 80),)
    assert asyncio.run(resolve("::1", 443)) == ((socket.AF_INET6, "::1", 443),)
    assert lookups.asked == []


def test_a_name_of_many_services_is_looked_up_once(lookups: Lookups) -> None:
    async def scenario() -> None:
        resolver = Resolver()
        found = await asyncio.gather(*(resolver("one.test", port) for port in range(1, 500)))
        assert [address[0][2] for address in found] == list(range(1, 500))
        assert (await resolver("one.test", 9)).ms == found[0].ms > 0
        resolver.close()

    asyncio.run(scenario())
    assert lookups.asked == ["one.test"]


def test_forty_hanging_names_starve_no_other(lookups: Lookups) -> None:
    async def scenario() -> None:
        resolver = Resolver()
        hanging = [asyncio.create_task(resolver(f"hangs{n}.test", 80)) for n in range(40)]
        async with asyncio.timeout(5):
            found = await asyncio.gather(*(resolver(f"n{n}.test", 80) for n in range(100)))
        assert all(addresses[0][1] == "192.0.2.1" for addresses in found)
        assert not any(task.done() for task in hanging)
        resolver.close()

    asyncio.run(scenario())


def test_threads_are_bounded_and_what_finds_none_is_our_own_fault(
    lookups: Lookups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "MOST_THREADS", 3)
    monkeypatch.setattr(resolving, "PATIENCE_SECONDS", 0.0)

    async def scenario() -> list[BaseException]:
        resolver = Resolver()
        asked = [asyncio.create_task(resolver(f"hangs{n}.test", 80)) for n in range(200)]
        async with asyncio.timeout(10):
            while sum(task.done() for task in asked) < 197:
                await asyncio.wait(
                    [task for task in asked if not task.done()],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        lookups.released.set()
        told = await asyncio.gather(*asked, return_exceptions=True)
        return [error for error in told if isinstance(error, BaseException)]

    kinds = [classify(error).kind for error in asyncio.run(scenario())]
    assert (kinds.count("local_limit"), kinds.count("dns")) == (197, 3)
    assert len(lookups.asked) == 3


def test_threads_serve_one_name_after_the_other(lookups: Lookups) -> None:
    async def scenario() -> int:
        resolver = Resolver()
        before = set(threading.enumerate())
        for n in range(100):
            await resolver(f"n{n}.test", 80)
        return len(set(threading.enumerate()) - before)

    assert asyncio.run(scenario()) == 1
