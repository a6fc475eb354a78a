"""How long `readiness --help` takes, as a ratio to `python -c "import typer"`, in turn.

Run: python benchmarks/startup.py [ROUNDS]
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "readiness --help": [sys.executable, "-m", "readiness", "--help"],
    "import typer": [sys.executable, "-c", "import typer"],
}


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def main(rounds: int) -> None:
    for command in COMMANDS.values():
        seconds(command)  # fill the caches
    times = [[seconds(command) for command in COMMANDS.values()] for _ in range(rounds)]
    for name, column in zip(COMMANDS, zip(*times, strict=True), strict=True):
        print(f"{name:18} {statistics.median(column) * 1000:7.1f} ms (median of {rounds})")
    ratio = statistics.median(ours / theirs for ours, theirs in times)
    print(f"ratio              {ratio:7.2f} (median of pairs; at most 2.5)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
