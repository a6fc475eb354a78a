"""httpx2 and aiohttp: what a load test written in plain Python reports."""

import json
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer

_VISITOR = Path(__file__).with_name("visitor.py")


def _read(out: str, folder: Path) -> Figures:
    return Figures(*json.loads(out))


def _peer(name: str, library: str, loop: str = "asyncio") -> Peer:
    def command(program: str, load: Load, folder: Path) -> list[str]:
        what = [library, loop, load.url, str(load.users), str(load.seconds)]
        return [program, str(_VISITOR), *what]

    modules = [library, loop]
    install = "pip install " + " ".join(module for module in modules if module != "asyncio")
    return Peer(name, "python", command, _read, module=", ".join(modules), install=install)


HTTPX2 = _peer("httpx2", "httpx2")
HTTPX2_UVLOOP = _peer("httpx2+uvloop", "httpx2", "uvloop")
AIOHTTP = _peer("aiohttp", "aiohttp", "uvloop")
