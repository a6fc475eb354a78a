"""A model and its work -> the least of that work which brings the score to a target."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from readiness.assessment.covering import Item, cheapest
from readiness.assessment.goal import Goal
from readiness.assessment.model import Key, Standing
from readiness.assessment.plan import Work
from readiness.score import Ledger

_BRANCHED = 4
"""Areas with too few results whose coming to enough is tried each way."""
_TRIMMED = 300
"""Pieces of work of which each is tried for whether it is needed, where nothing better serves."""


class Choice(NamedTuple):
    """Indices of the work to do, and the hours that nothing which does as much can be below."""

    chosen: frozenset[int]
    least_hours: Fraction


@dataclass(frozen=True)
class Solver:
    """Finds the work that reaches a score; every answer is evaluated again on the whole model."""

    standing: Standing
    """Where the work begins."""
    work: Sequence[Work]

    def after(self, chosen: frozenset[int]) -> Standing:
        """Return the standing with the work of these indices done."""
        return self.standing.passing([f for n in sorted(chosen) for f in self.work[n].findings])

    def hours(self, chosen: frozenset[int]) -> Fraction:
        """Return what the work of these indices takes."""
        return sum((self.efforts[n] for n in chosen), Fraction(0))

    @cached_property
    def efforts(self) -> tuple[Fraction, ...]:
        """The hours of each piece of work, as they are written."""
        return tuple(Fraction(str(w.head.fix.effort_hours)) for w in self.work)

    @cached_property
    def best(self) -> Standing:
        """The standing with all work done: no part of it leads further."""
        return self.after(frozenset(range(len(self.work))))

    def least(self, goal: Goal) -> Choice | None:
        """Return the least work to `goal`.

        None if all of it together does not lead there. What a piece of work adds to an area is
        the same whatever else is done, so that the raw score, the areas and the coverage are
        needs that work helps to meet; an area with too few results adds nothing until it has
        enough of them, which at first is let pass.
        """
        if not goal.met(self.best):
            return None
        lower = Fraction(0)
        asked = _Asked.of(self, goal)
        if asked:
            found = asked.solved({})
            if found and goal.met(self.after(found.chosen)):
                return found
            lower = found.least_hours if found else lower
            found = self._branched(asked)
            if found:
                return found._replace(least_hours=max(lower, found.least_hours))
        return Choice(self._trimmed(goal), lower)

    def _branched(self, asked: "_Asked") -> Choice | None:
        """Try each way which of the areas with too few results come to enough of them."""
        closed = asked.closed
        if not 0 < len(closed) <= _BRANCHED:
            return None
        ways = [set(some) for n in range(len(closed) + 1) for some in combinations(closed, n)]
        tried = [asked.solved({area: area in way for area in closed}) for way in ways]
        found = [one for one in tried if one]
        sound = [one for one in found if asked.goal.met(self.after(one.chosen))]
        if not sound:
            return None
        best = min(sound, key=lambda one: (self.hours(one.chosen), sorted(one.chosen)))
        return best._replace(least_hours=min(one.least_hours for one in found))

    def _trimmed(self, goal: Goal) -> frozenset[int]:
        """Return all work but what is not needed, the longest tried first."""
        chosen = frozenset(range(len(self.work)))
        if len(chosen) > _TRIMMED:
            return chosen
        for n in sorted(chosen, key=lambda n: (-self.efforts[n], n)):
            if goal.met(self.after(chosen - {n})):
                chosen -= {n}
        return chosen


@dataclass(frozen=True)
class _Asked:
    """What a goal asks for once the work is done that nothing can be spared of."""

    solver: Solver
    goal: Goal
    forced: frozenset[int]
    open_ways: tuple[frozenset[int], ...]
    """For each blocker that several pieces of work mend, which these are."""
    ledger: Ledger

    @classmethod
    def of(cls, solver: Solver, goal: Goal) -> "_Asked | None":
        """Return what is asked for, None if no work mends one of the blockers in the way."""
        mending: dict[Key, list[int]] = {}
        for n, work in enumerate(solver.work):
            for key in work.keys:
                mending.setdefault(key, []).append(n)
        closing = sorted(goal.in_the_way(solver.standing))
        ways = [frozenset(mending.get(key, ())) for key in closing]
        if not all(ways):
            return None
        forced = frozenset(n for way in ways if len(way) == 1 for n in way)
        left = tuple(dict.fromkeys(way for way in ways if not way & forced))
        ledger = solver.after(forced).ledger
        return cls(solver, goal, forced, left, ledger)

    def solved(self, opened: Mapping[str, bool]) -> Choice | None:
        """Return the least work, with areas of too few results `opened` to enough or left so.

        What an area not named there has is taken as if it had enough of them.
        """
        needs = self._needs(opened)
        if needs is None:
            return None
        columns, wanted = needs
        units = math.lcm(*(effort.denominator for effort in self.solver.efforts))
        items = [
            Item(int(self.solver.efforts[n] * units), tuple(column[n] for column in columns))
            for n in self._free
        ]
        found = cheapest(items, wanted)
        if found is None:
            return None
        chosen = self.forced | {self._free[n] for n in found.chosen}
        return Choice(chosen, self.solver.hours(self.forced) + Fraction(found.lower, units))

    @cached_property
    def _free(self) -> tuple[int, ...]:
        return tuple(n for n in range(len(self.solver.work)) if n not in self.forced)

    @cached_property
    def _gains(self) -> Mapping[int, Mapping[str, tuple[int, int, int]]]:
        return {n: self.ledger.gains(self.solver.work[n].findings) for n in self._free}

    @cached_property
    def _few(self) -> Mapping[str, int]:
        """Area -> how many results it has too few, where it has."""
        missing = {
            name: self.ledger.areas[name].min_checks - self.ledger.sums[name].conclusive
            for name in self.ledger.wholes
        }
        return {name: n for name, n in missing.items() if n > 0}

    @cached_property
    def closed(self) -> tuple[str, ...]:
        """The areas with too few results that work can bring to enough."""
        return tuple(
            name for name, n in self._few.items() if sum(self._column(name, 2).values()) >= n
        )

    def _column(self, area: str, part: int) -> dict[int, int]:
        return {n: gains.get(area, (0, 0, 0))[part] for n, gains in self._gains.items()}

    def _needs(
        self, opened: Mapping[str, bool]
    ) -> tuple[list[Mapping[int, int]], list[int]] | None:
        """Return what each piece of work adds to each need, and the needs."""
        counted = [
            name
            for name in self.ledger.wholes
            if name not in self._few or (name in self.closed and opened.get(name, True))
        ]
        areas = self.goal.areas(self.ledger)
        if not areas.keys() <= set(counted):
            return None
        columns: list[Mapping[int, int]] = []
        wanted: list[int] = []

        def need(column: Mapping[int, int], amount: int) -> None:
            if amount > 0:
                columns.append(column)
                wanted.append(amount)

        whole, covered = self.ledger.whole, self.goal.demands.coverage
        for part, percent in ((0, self.goal.raw), (1, math.ceil(round(100 * covered, 6)))):
            amount = _part(percent, whole) - self._sum(counted, part)
            need(self._summed(counted, part), amount)
        for area in counted:
            enough = _part(areas.get(area, 0), self.ledger.wholes[area])
            need(self._column(area, 0), enough - self.ledger.sums[area].low)
            if area in self._few and (areas or opened.get(area)):
                need(self._column(area, 2), self._few[area])
        for way in self.open_ways:
            need({n: int(n in way) for n in self._free}, 1)
        return columns, wanted

    def _summed(self, areas: Sequence[str], part: int) -> Mapping[int, int]:
        """Return what each piece of work adds to the system's parts."""
        factors = self.ledger.factors
        return {
            n: sum(factors[area] * gains[area][part] for area in areas if area in gains)
            for n, gains in self._gains.items()
        }

    def _sum(self, areas: Sequence[str], part: int) -> int:
        sums = self.ledger.sums
        had = {area: (sums[area].low, sums[area].covered)[part] for area in areas}
        return sum(self.ledger.factors[area] * had[area] for area in areas)


def _part(percent: int, whole: int) -> int:
    """Return how many parts of `whole` are at least so many percent of it."""
    return -(-percent * whole // 100)
