"""Throughput at each number of users -> the Universal Scalability Law's fit, as advice only.

X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)): lambda is what one user gets, sigma the
share that must wait in line (contention), kappa the cost of keeping each other consistent
(Gunther, Guerrilla Capacity Planning, 2007, ch. 4 to 6). A law of shape, fitted to few points:
it may suggest where to look, and decides nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVELS = 6
"""Different numbers of users below which three coefficients are not fitted."""
RESIDUAL = 0.1
"""Relative root mean square beyond which the law does not describe the service."""
_STEPS = 200
_NONE = 1e-9
"""A coefficient below this, with any number of users one may have, is nothing."""

Point = tuple[float, float]
"""(users, requests per second)"""


@dataclass(frozen=True)
class Scalability:
    """Coefficients of the law, where its throughput is greatest, and how well it describes."""

    per_user: float
    """lambda, 1/s"""
    contention: float
    """sigma, at least 0"""
    coherency: float
    """kappa, at least 0"""
    peak_users: float | None
    """Beyond it more users get less; None if the law has no peak."""
    peak_rate: float | None
    """Throughput there, 1/s; without a peak the asymptote, None if it has none either."""
    residual: float
    """Root mean square of (measured - law) / measured."""
    extrapolated: bool
    """Whether the peak lies beyond the users that were measured."""

    def at(self, users: float) -> float:
        """Return the law's throughput, 1/s, at `users` (at least 1)."""
        return _law((self.per_user, self.contention, self.coherency), users)


def fit(points: Sequence[Point]) -> Scalability | None:
    """Return the law nearest to `points` by relative error, or None where it is no advice.

    None with fewer than six different numbers of users, with a throughput of 0, and where the
    residual is over 10 %. Levels below one user are a ValueError.
    """
    if any(users < 1 for users, _ in points):
        raise ValueError("the law is of one user and more")
    if len({users for users, _ in points}) < LEVELS or any(rate <= 0 for _, rate in points):
        return None
    best = min(
        (_refined(points, _linearised(points, used)) for used in _SUBSETS),
        key=lambda law: _residual(points, law),
    )
    residual = _residual(points, best)
    possible = best[1] <= 1  # more cannot wait in line than there is
    return _described(points, best, residual) if possible and residual <= RESIDUAL else None


_Law = tuple[float, float, float]
_SUBSETS = ((0, 1, 2), (0, 1), (0, 2), (0,))
"""Which coefficients are free: a negative one is not cut to 0, the rest is fitted without it."""


def _law(law: _Law, users: float) -> float:
    scale, sigma, kappa = law
    return scale * users / (1 + sigma * (users - 1) + kappa * users * (users - 1))


def _residual(points: Sequence[Point], law: _Law) -> float:
    return math.sqrt(sum((1 - _law(law, n) / x) ** 2 for n, x in points) / len(points))


def _terms(users: float) -> tuple[float, float, float]:
    return 1.0, users - 1, users * (users - 1)


def _linearised(points: Sequence[Point], used: Sequence[int]) -> _Law:
    """Return the law by linear least squares of N/X = (1, N-1, N(N-1)) . (1, sigma, kappa)/lambda.

    Each row is divided by N/X, so that every level counts by its relative error.
    """
    rows = [[_terms(n)[i] * x / n for i in used] for n, x in points]
    solved = _solve(_normal(rows), [sum(row[i] for row in rows) for i in range(len(used))])
    whole = [0.0, 0.0, 0.0]
    for i, value in zip(used, solved, strict=True):
        whole[i] = max(0.0, value)
    first = whole[0] or min(n / x for n, x in points)
    return 1 / first, whole[1] / first, whole[2] / first


def _normal(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    size = range(len(rows[0]))
    return [[math.fsum(row[i] * row[j] for row in rows) for j in size] for i in size]


def _solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Solve a small symmetric positive system by Gauss-Jordan elimination with pivots."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = max(range(i, len(rows)), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        if not rows[i][i]:
            continue
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for other in range(len(rows)):
            if other != i:
                factor = rows[other][i]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[i], strict=True)]
    return [row[-1] for row in rows]


def _refined(points: Sequence[Point], start: _Law) -> _Law:
    """Walk from the linearised law to the nearest in throughput itself, by halving steps.

    Each coefficient is tried a little more and a little less, in proportion, which keeps it
    from becoming negative and leaves 0 at 0 (pattern search, Hooke and Jeeves 1961).
    """
    law, step = start, 0.1

    def error(candidate: _Law) -> float:
        return _residual(points, candidate)

    for _ in range(_STEPS):
        better = min(_around(law, step), key=error)
        if error(better) < error(law):
            law = better
        else:
            step /= 2
    return law


def _around(law: _Law, step: float) -> list[_Law]:
    """Return the laws one step away: each coefficient alone, and each two together."""
    factors = (1 - step, 1.0, 1 + step)
    return [(law[0] * a, law[1] * b, law[2] * c) for a in factors for b in factors for c in factors]


def _described(points: Sequence[Point], law: _Law, residual: float) -> Scalability:
    scale, sigma, kappa = law
    sigma, kappa = (value if value > _NONE else 0.0 for value in (sigma, kappa))
    users = _peak(sigma, kappa)
    if users is not None:
        rate: float | None = _law((scale, sigma, kappa), users)
    else:
        rate = scale / sigma if sigma else None
    beyond = users is None or users > max(n for n, _ in points)
    return Scalability(scale, sigma, kappa, users, rate, residual, beyond)


def _peak(sigma: float, kappa: float) -> float | None:
    """Return the users of the greatest throughput: sqrt((1 - sigma) / kappa) (Gunther, eq. 5.3)."""
    return math.sqrt(max(1.0, (1 - sigma) / kappa)) if kappa else None
