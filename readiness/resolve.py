"""A host name -> its addresses, in threads of our own that nothing ever waits for."""

import asyncio
import socket
import threading
from collections.abc import Sequence

from readiness.probes import Address


async def resolve(host: str, port: int) -> Sequence[Address]:
    """Resolve `host` for a TCP connection to `port`; raises socket.gaierror.

    The resolver of the C library cannot be cancelled. In the loop's own pool, one that hangs
    would hold the process past every deadline, and forty would starve all other lookups.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Sequence[Address]] = loop.create_future()

    def settle(addresses: Sequence[Address], error: OSError | None) -> None:
        if found.done():
            return
        if error:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    def look_up() -> None:
        addresses: list[Address] = []
        failed: OSError | None = None
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = [(family, str(to[0]), int(to[1])) for family, _, _, _, to in infos]
        except OSError as error:
            failed = error
        except UnicodeError:
            failed = socket.gaierror(socket.EAI_NONAME, "not a possible host name")
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, addresses, failed)

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    return await found
