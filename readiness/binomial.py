"""Successes of so many trials -> the rates that are compatible with them, exactly."""

import math

_ROUNDS = 60
"""Halvings of the range of rates: below the precision of a float."""
_TERMS = 3000
_TINY = 1e-300
_MANY = 100_000.0
"""Successes and failures, of each, from which on the normal limit is as good and much quicker."""


def least(successes: float, n: float, tail: float, z: float) -> float:
    """Return the least rate that leaves at least `tail` for so many `successes` of `n`, or more.

    Clopper and Pearson 1934 (Biometrika 26:404): at a lower rate so many would be seen with a
    probability below `tail`, whatever the rate is. Of dependent trials `n` is the effective size,
    and no whole number. `z` is the standard normal quantile at 1 - `tail`.
    """
    failures = n - successes
    if min(successes, failures) > _MANY:
        return _normal(successes / n, n, z)
    if successes <= 0:
        return 0.0
    if failures < 1e-9:
        return math.exp(math.log(tail) / n)
    low, high = 0.0, successes / n
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if _beta(middle, successes, failures + 1) < tail:
            low = middle
        else:
            high = middle
    return low


def surplus(failures: int, n: int, others: int, of: int) -> float:
    """Return how likely `failures` of `n`, or more, are beside `others` of `of` at the same rate.

    One-sided, and exact: given how many failed in all (Fisher 1922, JRSS 85:87).
    """
    together = failures + others
    ways = sum(
        math.comb(n, k) * math.comb(of, together - k) for k in range(failures, min(n, together) + 1)
    )
    return ways / math.comb(n + of, together)


def _normal(p: float, n: float, z: float) -> float:
    """Return the lower end of Wilson's score interval (Wilson 1927, JASA 22:209), the limit."""
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    return centre - z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))


def _beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b) (Abramowitz and Stegun 26.5.8)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    ways = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(ways + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction behind it, as Lentz does (1976, Applied Optics 15:668)."""
    c, d = 1.0, 1 / _apart(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _apart(1 + term * d)
            c = _apart(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-12:
            break
    return value


def _apart(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
