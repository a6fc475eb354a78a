"""The cheapest items that meet all needs, compared with every choice there is."""

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.assessment.covering import Cover, Item, cheapest
from tests.strategies import PROPERTY


@st.composite
def problems(draw: st.DrawFn, most: int = 9) -> tuple[list[Item], list[int]]:
    """Items of few costs and of gains great and small, and needs that some cannot meet."""
    needs = draw(st.integers(1, 4))
    gains = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 7, 10**30]), min_size=needs, max_size=needs)
    item = st.builds(Item, st.sampled_from([1, 1, 2, 4, 9]), gains.map(tuple))
    items = draw(st.lists(item, max_size=most))
    wanted = st.sampled_from([-1, 0, 1, 2, 5, 9, 10**30, 10**30 + 1])
    return items, draw(st.lists(wanted, min_size=needs, max_size=needs))


def met(items: list[Item], needs: list[int], taken: tuple[int, ...]) -> bool:
    return all(sum(items[n].gains[k] for n in taken) >= need for k, need in enumerate(needs))


def least_cost(items: list[Item], needs: list[int]) -> int | None:
    choices = product((False, True), repeat=len(items))
    costs = [
        sum(items[n].cost for n in taken)
        for choice in choices
        if met(items, needs, taken := tuple(n for n, is_in in enumerate(choice) if is_in))
    ]
    return min(costs, default=None)


@PROPERTY
@given(problem=problems())
def test_nothing_cheaper_meets_the_needs(problem: tuple[list[Item], list[int]]) -> None:
    items, needs = problem
    found, least = cheapest(items, needs), least_cost(items, needs)
    assert (found is None) == (least is None)
    if found:
        assert met(items, needs, found.chosen)
        assert found.cost == sum(items[n].cost for n in found.chosen)
        assert found.cost == least == found.lower


@pytest.mark.parametrize(("needs", "unit"), [(1, 1), (2, 1), (3, 1), (2, 10**17 + 3)])
def test_nothing_cheaper_meets_needs_that_are_close_to_each_other(needs: int, unit: int) -> None:
    """The greedy choice is seldom the best here, and the bound seldom tells it at once.

    In units of efforts that are written with many digits, costs are beyond what a float holds.
    """
    source = random.Random(needs)
    for _ in range(40):
        items = [
            Item(cost, tuple(cost + source.randint(-3, 3) for _ in range(needs)))
            for cost in (source.randint(5, 20) for _ in range(9))
        ]
        items = [Item(i.cost * unit + source.randint(0, 1), i.gains) for i in items]
        wanted = [
            int(sum(item.gains[k] for item in items) * source.uniform(0.3, 0.7))
            for k in range(needs)
        ]
        found = cheapest(items, wanted)
        assert found and met(items, wanted, found.chosen)
        assert found.cost == least_cost(items, wanted)
        assert found.cost - found.lower <= (found.cost * 1e-9 if unit > 1 else 0)


@PROPERTY
@given(problem=problems(), effort=st.integers(0, 3))
def test_what_is_not_searched_through_is_told_by_how_much(
    problem: tuple[list[Item], list[int]], effort: int
) -> None:
    items, needs = problem
    found, least = cheapest(items * 3, needs, effort), cheapest(items * 3, needs)
    assert (found is None) == (least is None)
    if found and least:
        assert met(items * 3, needs, found.chosen)
        assert found.lower <= least.cost <= found.cost


def test_a_choice_too_great_to_search_through_says_what_it_may_be_off_by() -> None:
    hard = [
        Item(1000 + n * 7919 % 997, (1000 + n * n * 31 % 997, 1000 + n**3 * 17 % 991))
        for n in range(120)
    ]
    needs = [sum(item.gains[k] for item in hard) // 2 for k in range(2)]
    quick, long = cheapest(hard, needs, 1), cheapest(hard, needs, 5000)
    assert quick and long
    assert quick.lower <= long.lower < long.cost <= quick.cost
    assert quick.cost - quick.lower < 0.05 * quick.cost


def test_nothing_asked_for_takes_nothing() -> None:
    assert cheapest([Item(1, (1,))], [0]) == Cover((), 0, 0)
    assert cheapest([], []) == Cover((), 0, 0)
    assert cheapest([], [1]) is None


@pytest.mark.parametrize("n", [40, 200])
def test_many_pieces_of_few_sorts_are_settled_exactly(n: int) -> None:
    items = [Item((1, 2, 4, 8)[k % 4], (3 + k % 5, k % 3)) for k in range(n)]
    found = cheapest(items, [2 * n, n // 2])
    assert found and found.cost == found.lower
