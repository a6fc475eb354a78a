"""httpx2 and aiohttp: what a load test written in plain Python reports."""

import json
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer

_VISITOR = Path(__file__).with_name("visitor.py")


def _read(out: str, folder: Path) -> Figures:
    return Figures(*json.loads(out))


def _peer(library: str) -> Peer:
    def command(program: str, load: Load, folder: Path) -> list[str]:
        return [program, str(_VISITOR), library, load.url, str(load.users), str(load.seconds)]

    install = f"pip install {library} uvloop"
    return Peer(library, "python", command, _read, module=library, install=install)


HTTPX2, AIOHTTP = _peer("httpx2"), _peer("aiohttp")
