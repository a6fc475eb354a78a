"""Items that cost hours and help to meet needs -> the cheapest that meet all, and a proof of it."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

EFFORT = 150_000
"""Partial choices that are looked at before the answer is given with what it may be off by."""
_NEAR = 16
"""Cheaper choices that a choice is compared with when there are several needs."""
_COMPLETED = 200
"""How often, in all, the most promising choice is completed to have a better answer early."""
_PRICED = 30_000
_ROUNDING, _RELATIVE = 1e-6, 1e-12
"""More than a bound can be wrong by for its being a float, and for each unit of what all costs."""


class Item(NamedTuple):
    """Something that can be taken once: what it costs, and how much of each need it meets."""

    cost: int
    gains: tuple[int, ...]


class Cover(NamedTuple):
    """Indices of the items taken, what they cost, and the cost that nothing can be below."""

    chosen: tuple[int, ...]
    cost: int
    lower: int


_Shares = Sequence[Sequence[tuple[int, float]]]
"""For each item the needs that it helps to meet, each with the part of the need."""


class _Link(NamedTuple):
    """The items taken, the last one first."""

    item: int
    before: "_Link | None"


class _State(NamedTuple):
    """A partial choice: what it costs, what it leaves unmet, what it took."""

    cost: int
    unmet: tuple[int, ...]
    taken: _Link | None


def cheapest(items: Sequence[Item], needs: Sequence[int], effort: int = EFFORT) -> Cover | None:
    """Return the cheapest items that meet all `needs`; None if all of them together do not.

    A dynamic program over the items, in the order of what they are worth at the prices of the
    needs, with the linear relaxation as its bound (Martello and Toth, Knapsack Problems, 1990,
    ch. 2 and 3). Where more choices stay open than `effort` allows, the least promising are
    dropped, and `lower` is what one of them might still have come to.
    """
    open_ = [k for k, need in enumerate(needs) if need > 0]
    unmet = tuple(needs[k] for k in open_)
    useful = [
        (n, Item(item.cost, gains))
        for n, item in enumerate(items)
        if any(gains := tuple(min(item.gains[k], needs[k]) for k in open_))
    ]
    if any(sum(item.gains[k] for _, item in useful) < need for k, need in enumerate(unmet)):
        return None
    if not unmet:
        return Cover((), 0, 0)
    found = _solved([item for _, item in useful], unmet, effort)
    return Cover(tuple(sorted(useful[n][0] for n in found.chosen)), found.cost, found.lower)


def _solved(items: Sequence[Item], unmet: tuple[int, ...], effort: int) -> Cover:
    """Settle what the relaxation settles, and search among the rest."""
    prices = _prices(items, unmet)
    order = _ranked(items, prices)
    first = _completed(_State(0, unmet, None), [(n, items[n]) for n in order])
    assert first is not None  # all of them together are enough
    surely, core = _settled(items, order, unmet, prices, first.cost)
    base = _State(0, unmet, None)
    for n in surely:
        base = _with(items[n], n, base)
    best, lower = _search([(n, items[n]) for n in core], base, first, prices, effort)
    return Cover(tuple(_items(best.taken)), best.cost, lower)


def _slack(items: Sequence[Item]) -> float:
    """Return what is taken off a bound before it is rounded up to a whole cost."""
    return _ROUNDING + _RELATIVE * sum(item.cost for item in items)


def _settled(
    items: Sequence[Item],
    order: Sequence[int],
    unmet: Sequence[int],
    prices: Sequence[float],
    most: int,
) -> tuple[list[int], list[int]]:
    """Return the items that all choices cheaper than `most` hold, and those that some may hold.

    To go against the sign of an item's reduced cost costs that much more than the relaxation.
    """
    reduced = [_reduced(item, prices) for item in items]
    relaxed = sum(p * need for p, need in zip(prices, unmet, strict=True))
    relaxed += sum(r for r in reduced if r < 0)
    slack = _slack(items)
    open_ = [n for n in order if relaxed + abs(reduced[n]) - slack <= most - 1]
    known = set(open_)
    open_.sort(key=lambda n: _grouped(items, n))
    return [n for n in order if n not in known and reduced[n] < 0], open_


@dataclass(frozen=True)
class _Bound:
    """What it costs at least to meet needs with the items from a place on.

    At given prices, an item of negative reduced cost saves that much and no other saves any.
    Where only the first need is left to meet, as from `tail` on, items in the order of what
    they gain for their cost, the last of them in part, bound it closer.
    """

    prices: Sequence[float]
    saved: Sequence[float]
    """What the items from each place on save."""
    tail: int
    gains: Sequence[int]
    """Running sums of the first gain."""
    costs: Sequence[int]

    @classmethod
    def of(cls, items: Sequence[Item], prices: Sequence[float]) -> "_Bound":
        """Prepare the bound for `items`, in their order."""
        saved = [min(0.0, _reduced(item, prices)) for item in items]
        others = (n for n, item in enumerate(items) if any(item.gains[1:]))
        return cls(
            prices,
            list(accumulate(reversed(saved), initial=0.0))[::-1],
            max(others, default=-1) + 1,
            list(accumulate((item.gains[0] for item in items), initial=0)),
            list(accumulate((item.cost for item in items), initial=0)),
        )

    def __call__(self, start: int, unmet: Sequence[int]) -> float:
        """Return what meeting `unmet` costs at least with the items from `start` on."""
        priced = sum(p * need for p, need in zip(self.prices, unmet, strict=True))
        priced += self.saved[start]
        return max(priced, self._in_part(start, unmet[0])) if start >= self.tail else priced

    def _in_part(self, start: int, need: int) -> float:
        goal = self.gains[start] + need
        end = bisect_left(self.gains, goal, start)
        if end == len(self.gains):
            return math.inf
        if end == start:
            return 0.0
        below, cost = self.gains[end - 1], self.costs[end - 1]
        part = (goal - below) / (self.gains[end] - below)
        return cost + part * (self.costs[end] - cost) - self.costs[start]


def _ranked(items: Sequence[Item], prices: Sequence[float]) -> list[int]:
    """Return the order of `items` by their worth for their cost."""
    worth = [_worth(item, prices) for item in items]
    return sorted(range(len(items)), key=lambda n: (-worth[n] / items[n].cost, n))


def _worth(item: Item, prices: Sequence[float]) -> float:
    return sum(p * g for p, g in zip(prices, item.gains, strict=True))


def _reduced(item: Item, prices: Sequence[float]) -> float:
    """Return what `item` costs less what it is worth."""
    return item.cost - _worth(item, prices)


def _grouped(items: Sequence[Item], n: int) -> int:
    """Return where an item comes in turn: those that help the same needs come together.

    Each need but the first is then met or not when its own have had their turn, so that few
    choices differ in it.
    """
    helped = [k for k, gain in enumerate(items[n].gains) if gain and k]
    if len(helped) > 1:
        return 0
    return helped[0] if helped else len(items[n].gains)


def _prices(items: Sequence[Item], unmet: Sequence[int]) -> tuple[float, ...]:
    """Return what a unit of each need is worth: about the dual of the linear relaxation.

    Any prices give a valid bound, better ones a closer one. The dual is concave, so that the
    price of the first need is found by halving, and those of the others each in turn.
    """
    shares = [
        [(k, g / unmet[k]) for k, g in enumerate(item.gains) if g and unmet[k]] for item in items
    ]
    costs = [item.cost for item in items]
    if len(unmet) == 1:
        return (_alone(0, [0.0], costs, shares) / unmet[0],)
    low, high = 0.0, _alone(0, [0.0] * len(unmet), costs, shares) * 1.5
    best: tuple[float, list[float]] = (-math.inf, [])
    for _ in range(max(6, min(30, _PRICED // len(items)))):
        near, far = low + (high - low) * 0.382, low + (high - low) * 0.618
        at_near, at_far = (_valued(p, len(unmet), costs, shares) for p in (near, far))
        best = max(best, at_near, at_far)
        low, high = (low, far) if at_near[0] >= at_far[0] else (near, high)
    return tuple(price / need for price, need in zip(best[1], unmet, strict=True))


def _valued(
    first: float, needs: int, costs: Sequence[int], shares: _Shares
) -> tuple[float, list[float]]:
    """Return the dual's value with the price of the first need given, and all prices."""
    prices = [first] + [0.0] * (needs - 1)
    for _ in range(2):
        for k in range(1, needs):
            prices[k] = 0.0
            prices[k] = _alone(k, prices, costs, shares)
    reduced = (
        cost - sum(prices[k] * g for k, g in mine) for cost, mine in zip(costs, shares, strict=True)
    )
    return sum(prices) + sum(r for r in reduced if r < 0), prices


def _alone(k: int, prices: Sequence[float], costs: Sequence[int], shares: _Shares) -> float:
    """Return the price of need `k` at which just enough items are worth taking."""
    worth: list[tuple[float, float]] = []
    for cost, mine in zip(costs, shares, strict=True):
        for j, g in mine:
            if j == k:
                rest = cost - sum(prices[i] * share for i, share in mine if i != k)
                worth.append((rest / g, g))
    worth.sort()
    met = 0.0
    for price, g in worth:
        met += g
        if met >= 1:
            return max(0.0, price)
    return max(0.0, worth[-1][0])


def _search(
    core: Sequence[tuple[int, Item]],
    base: _State,
    best: _State,
    prices: Sequence[float],
    effort: int,
) -> tuple[_State, int]:
    """Return the cheapest of `best` and all that `core` makes of `base`, and what is proven."""
    items = [item for _, item in core]
    bound, order = _Bound.of(items, prices), _ranked(items, prices)
    if not any(base.unmet):
        return (base if base.cost < best.cost else best), min(base.cost, best.cost)
    dropped: float = math.inf
    slack = _slack(items) + _RELATIVE * base.cost
    states = [base]
    width = max(8, effort // max(1, len(items)))
    left = _left(items, base.unmet)
    pause = max(1, len(items) // _COMPLETED)
    for n, (number, item) in enumerate(core):
        ranked = []
        for state in _dominant([*states, *(_with(item, number, state) for state in states)]):
            if not any(state.unmet):
                best = state if state.cost < best.cost else best
                continue
            if any(need > rest for need, rest in zip(state.unmet, left[n + 1], strict=True)):
                continue
            least = math.ceil(state.cost + bound(n + 1, state.unmet) - slack)
            if least < best.cost:
                ranked.append((least, state))
        ranked.sort(key=lambda pair: pair[0])
        dropped = min([dropped, *(least for least, _ in ranked[width : width + 1])])
        states = [state for _, state in ranked[:width]]
        if states and n % pause == 0:
            whole = _completed(states[0], [core[k] for k in order if k > n])
            best = whole if whole and whole.cost < best.cost else best
        if not states:
            break
    return best, int(min(best.cost, dropped))


def _with(item: Item, n: int, state: _State) -> _State:
    unmet = tuple(
        need - gain if need > gain else 0
        for need, gain in zip(state.unmet, item.gains, strict=True)
    )
    return _State(state.cost + item.cost, unmet, _Link(n, state.taken))


def _dominant(states: list[_State]) -> Iterator[_State]:
    """Leave out what costs no less than another choice and leaves no less unmet."""
    states.sort(key=lambda s: (s.cost, s.unmet))
    kept: list[tuple[int, ...]] = []
    for state in states:
        near = kept[-1:] if len(state.unmet) == 1 else kept[-_NEAR:]
        if not any(all(map(int.__le__, other, state.unmet)) for other in near):
            kept.append(state.unmet)
            yield state


def _left(items: Sequence[Item], needs: Sequence[int]) -> list[tuple[int, ...]]:
    """Return for each item what it and all after it can meet of each need."""
    sums = [tuple(0 for _ in needs)]
    for item in reversed(items):
        sums.append(tuple(a + b for a, b in zip(sums[-1], item.gains, strict=True)))
    return sums[::-1]


def _completed(state: _State, rest: Sequence[tuple[int, Item]]) -> _State | None:
    """Return `state` with what else it needs, best worth first, less what proves superfluous.

    None if all of `rest` is not enough.
    """
    taken: list[tuple[int, Item]] = []
    unmet = state.unmet
    for n, item in rest:
        if not any(unmet):
            break
        if any(need and gain for need, gain in zip(unmet, item.gains, strict=True)):
            taken.append((n, item))
            unmet = _with(item, n, _State(0, unmet, None)).unmet
    if any(unmet):
        return None
    spare = [sum(item.gains[k] for _, item in taken) - need for k, need in enumerate(state.unmet)]
    for n, item in sorted(taken, key=lambda pair: -pair[1].cost):
        if all(gain <= more for gain, more in zip(item.gains, spare, strict=True)):
            taken.remove((n, item))
            spare = [more - gain for more, gain in zip(spare, item.gains, strict=True)]
    for n, item in taken:
        state = _with(item, n, state)
    return state


def _items(link: _Link | None) -> Iterator[int]:
    while link:
        yield link.item
        link = link.before
