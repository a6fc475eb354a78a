"""What else this machine was busy with, for whoever doubts a measurement made on it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_STAT = Path("/proc/stat")
_STEAL = 7
"""Place of the stolen time among the fields of the first line (proc_stat(5))."""


@dataclass(frozen=True)
class Machine:
    """The state of the machine at one moment."""

    stolen: float | None
    """Seconds, over all processors, that the hypervisor gave to others; None if nobody says."""
    at: float

    @classmethod
    def now(cls) -> "Machine":
        """Look."""
        return cls(_stolen(), time.monotonic())

    def steal(self, before: "Machine") -> float | None:
        """Return the share of the processors that was stolen since `before`, 0..1."""
        span = self.at - before.at
        if self.stolen is None or before.stolen is None or span <= 0:
            return None
        return max(0.0, self.stolen - before.stolen) / span / (os.cpu_count() or 1)


def load_average() -> float | None:
    """Return how many processes ran or waited to run, averaged over a minute; None if unknown."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _stolen() -> float | None:
    try:
        fields = _STAT.read_text().partition("\n")[0].split()
        return int(fields[1 + _STEAL]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
