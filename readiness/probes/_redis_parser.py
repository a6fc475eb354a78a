"""The bytes of a Redis server, hostile perhaps -> replies of bounded size, length and depth."""

import re
from typing import Any

from redis._parsers.resp2 import _AsyncRESP2Parser
from redis.exceptions import InvalidResponse

_LONGEST_REPLY = 1 << 20
_MOST_ELEMENTS = 100_000
_DEEPEST = 4
_HEADER = re.compile(rb"[+-].*|:-?\d{1,18}|\$(-1|\d{1,9})|\*(-1|\d{1,9})", re.DOTALL)


class BoundedParser(_AsyncRESP2Parser):
    """Reads RESP2 of the few kinds and the size that our commands are answered with.

    The library's own believes a server that announces gigabytes, and nests without end. `_open`
    holds how many elements each list under way still lacks.
    """

    _elements = 0
    _bytes = 0

    async def read_response(self, disable_decoding: bool = False) -> Any:
        self._elements, self._bytes = 0, 0
        self._open: list[int] = []
        return await super().read_response(disable_decoding)

    async def _readline(self) -> bytes:
        try:
            line = await super()._readline()
        except ValueError as error:  # asyncio's limit of a line
            raise InvalidResponse("a line without an end") from error
        if not _HEADER.fullmatch(line):
            raise InvalidResponse("not RESP")
        announced = max(0, int(line[1:])) if line[:1] in (b"$", b"*") else 0
        self._bytes += len(line) + (announced if line.startswith(b"$") else 0)
        if self._bytes > _LONGEST_REPLY:
            raise InvalidResponse("a reply of more than 1 MiB")
        self._count(announced if line.startswith(b"*") else 0)
        return line

    def _count(self, announced: int) -> None:
        """Note one more element, which is a list of so many."""
        if self._open:
            self._open[-1] -= 1
        self._elements += announced
        if self._elements > _MOST_ELEMENTS:
            raise InvalidResponse(f"lists of more than {_MOST_ELEMENTS} elements")
        if announced:
            self._open.append(announced)
        while self._open and not self._open[-1]:
            self._open.pop()
        if len(self._open) > _DEEPEST:
            raise InvalidResponse("lists within lists without end")
