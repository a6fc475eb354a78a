import asyncio
import socket
import time

import pytest

from readiness.resolve import resolve


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
    import threading

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
