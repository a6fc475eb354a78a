"""The time left to a run -> how long a probe may go on whose samples do not decide yet."""

import math
from statistics import median

_USUAL_SECONDS = 3.0
"""What a probe that is measured alone takes, until it is known what they take here."""
_FEW = 4
"""So many of those are thought of beside what was seen, lest a first one seem to be the rule."""
_SPARED = 0.5
"""Of the time that nobody is going to need, the part that one probe may take."""
_OWN = 0.75
"""Of its equal part of all that is left, the part that each may take: some need more than that."""


class Patience:
    """Shares the time until `deadline` (loop time) among so many probes measured one by one.

    None gets more than `most` seconds: who waits for the verdict is not patient either.
    """

    def __init__(self, deadline: float, probes: int, most: float = math.inf) -> None:
        self._deadline, self._to_come, self._most = deadline, probes, most
        self._taken: list[float] = []

    def done(self, seconds: float) -> None:
        """Take down that one of them is done, and what it took."""
        self._taken.append(seconds)
        self._to_come -= 1

    def until(self, now: float) -> float:
        """Return the loop time by which the next one must be done, `now` being the present one."""
        left, to_come = max(0.0, self._deadline - now), max(1, self._to_come)
        spare = left - to_come * self._usual
        return now + min(self._most, max(_SPARED * spare, _OWN * left / to_come))

    @property
    def _usual(self) -> float:
        """What one takes that is in no need of patience: the median, which a few do not move."""
        return max(_USUAL_SECONDS, median([*self._taken, *[_USUAL_SECONDS] * _FEW]))
