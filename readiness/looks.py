"""The confidence asked of a run -> that of each check, and of each look at its samples.

By the union bound (Bonferroni) all intervals of a run hold together with the confidence asked for,
if what each may miss adds up to no more than the run may. Each check gets an equal part of it, and
spends it over the looks at its samples in parts of 1/2, 1/6, 1/12, ..., 1 / (k (k + 1)): these add
up to 1 however many looks there will be, which nobody knows before (alpha spending: Lan and DeMets
1983, Biometrika 70:659). With looks at geometrically growing sizes that is stitching, which costs
but a log log n in width (Howard, Ramdas, McAuliffe and Sekhon 2021, Ann. Stat. 49:1055; for
quantiles Howard and Ramdas 2022, Bernoulli 28:1704).
"""

from dataclasses import dataclass

GROWTH = 1.5
"""So many times the samples are taken before the next look at them."""


@dataclass(frozen=True)
class Looks:
    """The looks at one check's samples: `confidence` (0..1) is what all of them have together."""

    confidence: float
    planned: bool = False
    """Whether there is one look only, at a size that was settled before the first sample."""

    def level(self, look: int) -> float:
        """Return the confidence of the intervals of the `look`-th look, counted from 1."""
        if self.planned:
            return self.confidence
        return 1 - (1 - self.confidence) / (look * (look + 1))


def each_of(checks: int, confidence: float) -> float:
    """Return the confidence of each of so many checks, that all may hold with `confidence`."""
    return 1 - (1 - confidence) / max(1, checks)
