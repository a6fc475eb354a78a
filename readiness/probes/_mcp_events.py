"""Server-sent events as they come in -> the messages they carry."""

from collections.abc import Iterator

from readiness.probes import _mcp_message
from readiness.probes._mcp_message import Message


class Events:
    """Reads a stream of events piece by piece; each event is looked at once."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, more: bytes) -> Iterator[Message]:
        """Take in what came; yield the messages that are whole by now."""
        *lines, self._rest = (self._rest + more).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                message = _mcp_message.read(b"\n".join(self._data))
                self._data = []
                if message is not None:
                    yield message
