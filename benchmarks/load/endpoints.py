"""5,000 endpoints health-probed: our collecting beside blackbox_exporter, each on one core.

blackbox_exporter is asked for one probe per endpoint, 50 at a time, by h2load, whose own work is
a few per cent of it.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import cores
from benchmarks.load.peer import Broken
from benchmarks.load.rounds import median, ratio
from benchmarks.load.table import Bound, at_most, number, show
from benchmarks.load.yardstick import Yardstick

_ENDPOINTS = 5_000
_BLACKBOX = "prometheus-blackbox-exporter"
_AT_ONCE = 50
_LONGEST = 240
_MODULES = """
modules:
  http_2xx:
    prober: http
    timeout: 10s
    http: {preferred_ip_protocol: ip4}
"""


def run(rounds: int, seconds: float) -> list[Bound]:
    ours, memory, theirs = [], [], []
    with Yardstick("zero") as server, tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            lasted, mebibytes = _ours(server)
            ours.append(lasted)
            memory.append(mebibytes)
            theirs += _theirs(server, Path(folder))
    rows = [["readiness", number(median(ours)), number(max(memory), 0)]]
    rows += [[_BLACKBOX, number(median(theirs)), "-"]] if theirs else []
    show("5,000 endpoints health-probed", ["client", "seconds", "MiB"], rows)
    bounds = [at_most("5,000 endpoints: memory", max(memory), 200, " MiB")]
    if theirs:
        share = ratio(ours, theirs)
        bounds.append(at_most("5,000 endpoints: time, x blackbox_exporter", share, 1 / 3))
    return bounds


def _ours(server: Yardstick) -> tuple[float, float]:
    """Return the seconds of probing, start-up apart, and the peak MiB of the whole process."""
    command = [sys.executable, "-m", "benchmarks.load.many", server.url, str(_ENDPOINTS)]
    process = subprocess.Popen(cores.on(cores.CLIENT, command), stdout=subprocess.PIPE, text=True)
    assert process.stdout
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Broken(f"benchmarks.load.many ended with {process.returncode}")
    said = json.loads(out)
    if said["answered"] != _ENDPOINTS:
        raise Broken(f"only {said['answered']} of {_ENDPOINTS} health probes had an answer")
    return said["seconds"], used.ru_maxrss / 1024


def _theirs(server: Yardstick, folder: Path) -> list[float]:
    """Return the seconds that blackbox_exporter takes; nothing if it or h2load is absent."""
    if missing := [name for name in (_BLACKBOX, "h2load") if shutil.which(name) is None]:
        print(f"skipped  {missing[0]}: not found (apt install {_BLACKBOX} nghttp2-client)")
        return []
    with _blackbox(folder) as address:
        urls = (
            f"{address}/probe?module=http_2xx&target={server.url}{i}" for i in range(_ENDPOINTS)
        )
        (folder / "urls").write_text("\n".join(urls))
        command = ["h2load", "--h1", "-n", str(_ENDPOINTS), "-c", str(_AT_ONCE), "-i", "urls"]
        began = time.perf_counter()
        subprocess.run(
            cores.on(cores.CLIENT, command),
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=_LONGEST,
        )
        return [time.perf_counter() - began]


@contextlib.contextmanager
def _blackbox(folder: Path) -> Iterator[str]:
    (folder / "blackbox.yml").write_text(_MODULES)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = ["--config.file=blackbox.yml", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(
        cores.on(cores.CLIENT, [_BLACKBOX, *flags, "--log.level=error"]), cwd=folder
    )
    try:
        _await(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _await(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise Broken(f"{_BLACKBOX} does not listen")
