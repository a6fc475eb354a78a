"""The queue M/D/1, exactly: Poisson arrivals, one worker, a service time that never varies.

P(wait <= t) = (1 - rho) sum over k <= t/D of (lambda (k D - t))^k / k! * exp(-lambda (k D - t)),
with rho = lambda D (Erlang 1909; Tijms, A First Course in Stochastic Models, 9.6.1). The terms
alternate and grow, so they are summed in decimals of a precision that grows with them.
"""

from decimal import Decimal, localcontext


def within(rate: float, service: float, limit: float) -> float:
    """Return P(time in the system <= limit) at `rate` a second; times in seconds."""
    wait = limit - service
    if wait < 0 or rate * service >= 1:
        return 0.0
    terms = int(wait / service) + 1
    with localcontext(prec=50 + 2 * terms):
        a, d, t = Decimal(rate), Decimal(service), Decimal(wait)
        total, factorial = Decimal(0), Decimal(1)
        for k in range(terms):
            factorial *= k or 1
            x = a * (k * d - t)
            total += (x**k if k else Decimal(1)) / factorial * (-x).exp()
        return float((1 - a * d) * total)


def knee(service: float, limit: float, q: float) -> float:
    """Return the greatest rate at which the `q` quantile of the time in the system is `limit`."""
    low, high = 0.0, 1 / service
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, service, limit) >= q else (low, middle)
    return low
