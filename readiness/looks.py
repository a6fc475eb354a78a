"""The confidence asked of a run -> how sure each end of an interval is, at each look at samples.

A check fails falsely if the end towards its target is wrong, and passes falsely if the other is.

Many checks: the gate blocks a release if *any* check fails, so that false failures add up. What
they may miss is parted among all checks of the run (Bonferroni), so that all hold together. It lets
a release through only if *every* check holds, so that the chance to miss a given breach is that of
its own check and does not grow with their number (an intersection-union test: Berger 1982,
Technometrics 24:295). To part that too would cost samples and prove nothing more.

Many looks: half of what a check may miss is spent over the looks at its samples in parts of 1/2,
1/6, 1/12, ..., 1 / (k (k + 1)), which add up to 1 however many there will be (alpha spending: Lan
and DeMets 1983, Biometrika 70:659). With looks at geometrically growing sizes that costs but a log
log n in width (stitching: Howard, Ramdas, McAuliffe and Sekhon 2021, Ann. Stat. 49:1055; for
quantiles Howard and Ramdas 2022, Bernoulli 28:1704). The other half, and what the looks before did
not get to spend, is for the last one, after which no time is left: it comes when the clock says so,
whatever the samples say. So a service that is never far from its limit is judged by an interval
hardly wider than if all its samples had been looked at only once.
"""

from dataclasses import dataclass, replace
from typing import Self

from readiness.estimate import CONFIDENCE, Sides

GROWTH = 1.5
"""So many times the samples are taken before the next look at them."""


@dataclass(frozen=True)
class Looks:
    """How sure the looks at the samples of one check are, of so many `checks` in the run."""

    confidence: float = CONFIDENCE
    checks: int = 1
    planned: bool = False
    """Whether there is one look only, at a size that was settled before the first sample."""

    def once(self, planned: bool = True) -> Self:
        """Return the same for a single look."""
        return replace(self, planned=planned)

    def sides(
        self, look: int, bounds: tuple[float, float] | None = None, *, last: bool = False
    ) -> Sides:
        """Return how sure each end is at the `look`-th look, counted from 1.

        `bounds` are the target and the limit of the check; a metric without is looked at alone.
        The `last` look is the one that the end of the time leaves, not one that decides.
        """
        miss = (1 - self.confidence) * (1.0 if self.planned else _spent(look, last))
        if bounds is None:
            return Sides(1 - miss, 1 - miss)
        fails, passes = 1 - miss / max(1, self.checks), 1 - miss
        return Sides(fails, passes) if bounds[0] < bounds[1] else Sides(passes, fails)


def _spent(look: int, last: bool) -> float:
    """Return the part of what a check may miss that its `look`-th look may."""
    return (1 + 1 / look) / 2 if last else 1 / (2 * look * (look + 1))


ALONE = Looks()
"""The looks at the samples of the only check there is."""
