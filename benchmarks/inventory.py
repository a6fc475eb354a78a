"""How long health-probing N endpoints takes, beside blackbox_exporter, in turn: a table of ratios.

Run: python benchmarks/inventory.py [N [ROUNDS]]    (5000 endpoints, 3 rounds)

Each endpoint is a port of its own on a quick server in a process of its own. Ours is a fresh
process with every check of the health probe on: its seconds go from the inventory to finished,
masked measurements; its peak memory is that of the whole process. blackbox_exporter is asked for
one probe per endpoint over kept connections, at each of several concurrencies; the best counts.
Either has a core of its own: the server, and who asks the exporter, are kept to another.

To have the peer: apt install prometheus-blackbox-exporter
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

BLACKBOX = "prometheus-blackbox-exporter"
AT_ONCE = (10, 50, 200)
BODY = b'{"status": "ok", "version": "%010d", "checks": {"db": "ok", "queue": "ok"}}'
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/health+json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY % 0)
)
MODULE = "modules: {ok: {prober: http, timeout: 10s, http: {preferred_ip_protocol: ip4}}}"


CORES = sorted(os.sched_getaffinity(0))
"""The first is the probers', the last the server's, where there are two."""


def serve(ports: int) -> None:
    """Answer on so many free ports until standard input ends; print them first."""
    listeners = {s.fileno(): s for s in (_listener() for _ in range(ports))}
    peers: dict[int, socket.socket] = {}
    poll, number = select.epoll(), itertools.count()
    for fd in (sys.stdin.fileno(), *listeners):
        poll.register(fd, select.EPOLLIN)
    print(json.dumps([s.getsockname()[1] for s in listeners.values()]), flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd in listeners:
                peer, _ = listeners[fd].accept()
                peers[peer.fileno()] = peer
                poll.register(peer.fileno(), select.EPOLLIN)
            elif fd not in peers:
                return
            else:
                with peers.pop(fd) as peer, contextlib.suppress(OSError):
                    if peer.recv(1 << 14):
                        peer.send(HEAD + BODY % next(number))


def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=16)


def ours(inventory: Path) -> None:
    """Health-probe what `inventory` lists, as a run does; print what each stage took."""
    import resource

    from readiness import collect, document, steps
    from readiness import inventory as inventories

    began = time.perf_counter()
    source = document.read(inventory)
    wanted = inventories.from_document(source, {})
    loaded = time.perf_counter()
    plan = steps.plan(wanted, source, frozenset({"observe"}))
    health = tuple(step for step in plan.steps if step.name == "http_health")
    plan = dataclasses.replace(plan, steps=health)
    collector = collect.Collector(plan, "benchmark", 240, lambda _step, _measurement: None)
    asyncio.run(collector.run())
    found = collector.measurements("left")
    said = {
        "load": loaded - began,
        "seconds": time.perf_counter() - loaded,
        "cpu": time.process_time(),
        "healthy": sum(m.values.get("healthy") is True for m in found),
        "timed": sum("connect_ms" in m.values for m in found),
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(said))


def blackbox(exporter: int, ports: Sequence[int], at_once: int) -> float:
    """Return the seconds in which the exporter probes all ports, so many at once."""
    left = [f"GET /probe?module=ok&target=http://127.0.0.1:{p}/health HTTP/1.1\r\n" for p in ports]
    poll, began = select.epoll(), time.perf_counter()
    with contextlib.ExitStack() as stack:
        waiting = {}
        for _ in range(min(at_once, len(left))):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", exporter)))
            poll.register(peer.fileno(), select.EPOLLIN)
            waiting[peer.fileno()] = (peer, bytearray())
            peer.send(f"{left.pop()}Host: it\r\n\r\n".encode())
        answers = 0
        while answers < len(ports):
            for fd, _ in poll.poll(30):
                peer, buffer = waiting[fd]
                buffer += peer.recv(1 << 16)
                if not _whole(buffer):
                    continue
                assert b"\nprobe_http_status_code 200\n" in buffer, bytes(buffer)
                answers += 1
                buffer.clear()
                if left:
                    peer.send(f"{left.pop()}Host: it\r\n\r\n".encode())
    return time.perf_counter() - began


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"Content-Length: " not in head:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])


@contextlib.contextmanager
def _serving(ports: int) -> Iterator[list[int]]:
    os.sched_setaffinity(0, CORES[-1:])
    command = [sys.executable, __file__, "serve", str(ports)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as server:  # type: ignore[call-overload]
        yield json.loads(server.stdout.readline())
        server.stdin.close()


@contextlib.contextmanager
def _exporter(folder: Path) -> Iterator[int]:
    (folder / "blackbox.yml").write_text(MODULE)
    with _listener() as free:
        port = free.getsockname()[1]
    command = [BLACKBOX, "--config.file=blackbox.yml", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen([*command, "--log.level=error"], cwd=folder, preexec_fn=_alone)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


def _alone() -> None:
    os.sched_setaffinity(0, CORES[:1])


def main(endpoints: int, rounds: int) -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = stack.enter_context(_serving(endpoints))
        inventory = folder / "services.yaml"
        inventory.write_text(_inventory(ports))
        exporter = stack.enter_context(_exporter(folder)) if shutil.which(BLACKBOX) else None
        if exporter is None:
            print(f"skipped: {BLACKBOX} is not installed (apt install {BLACKBOX})")
        runs: dict[str, list[float]] = {}
        mine = []
        for _ in range(rounds):
            out = subprocess.check_output(
                [sys.executable, __file__, "ours", str(inventory)], preexec_fn=_alone
            )
            mine.append(json.loads(out))
            assert mine[-1]["healthy"] == endpoints, mine[-1]
            for at_once in AT_ONCE if exporter else ():
                name = f"blackbox_exporter, {at_once} at once"
                runs.setdefault(name, []).append(blackbox(exporter or 0, ports, at_once))
    _table(endpoints, mine, runs)


def _inventory(ports: Sequence[int]) -> str:
    lines = [
        f'  s{i}: {{kind: http, url: "http://127.0.0.1:{port}"}}' for i, port in enumerate(ports)
    ]
    return "version: 1\nsystem: {name: inventory}\nservices:\n" + "\n".join(lines) + "\n"


def _table(endpoints: int, mine: list[dict[str, float]], runs: dict[str, list[float]]) -> None:
    own = [run["seconds"] for run in mine]
    print(f"\n{endpoints} endpoints, median of {len(own)} rounds on {os.cpu_count()} cores")
    print(f"{'':32} {'seconds':>8} {'ours / it':>10}")
    print(f"{'readiness, health phase':32} {statistics.median(own):8.2f}")
    for name, theirs in runs.items():
        ratio = statistics.median(a / b for a, b in zip(own, theirs, strict=True))
        print(f"{name:32} {statistics.median(theirs):8.2f} {ratio:10.2f}")
    print(f"\ninventory read in {statistics.median(r['load'] for r in mine):.2f} s; ", end="")
    print(f"peak memory {max(r['mib'] for r in mine):.0f} MiB (at most 200); ", end="")
    print(f"cold times of {min(r['timed'] for r in mine):.0f} endpoints")
    if runs:
        best = [min(times) for times in zip(*runs.values(), strict=True)]
        ratio = statistics.median(a / b for a, b in zip(own, best, strict=True))
        print(f"ours / best of blackbox_exporter: {ratio:.2f} (at most 0.33)")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", number]:
            serve(int(number))
        case ["ours", path]:
            ours(Path(path))
        case numbers:
            main(*(int(n) for n in [*numbers, *("5000", "3")[len(numbers) :]]))
