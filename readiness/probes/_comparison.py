"""What two services showed when asked in step -> how their times and their failures compare."""

from collections.abc import Callable, Sequence

from readiness import paired
from readiness.estimate import Estimate, Sides, quantile, rate
from readiness.load.result import CPU_LIMIT
from readiness.load.twins import Duel, Pair
from readiness.measurement import Values
from readiness.probes._load import errors

_LOST, _LIMITED = 0.05, 0.01
"""With more pairs left out, what remains of them is another comparison."""


def unknown(because: str) -> Values:
    """Return what is known of a comparison that could not be made: why not."""
    return {"time_ratio_because": because, "failure_excess_because": because}


def told(found: Duel, sides: Callable[[str], Sides]) -> Values:
    """Return every metric of the comparison, and for one that is not known the reason.

    `sides` says of each metric how sure its interval must be.
    """
    values: Values = {
        "requests_per_second": round(found.first.offered / found.first.seconds, 1),
        "clock": found.first.clock,
        "cpu": round(max(found.first.cpu, found.second.cpu), 3),
        **_successes(found, sides("failure_excess")),
        **_times(found, sides("time_ratio")),
    }
    failed = {"errors": errors(found.first), "reference_errors": errors(found.second)}
    return values | {name: text for name, text in failed.items() if text}


def _successes(found: Duel, sides: Sides) -> Values:
    """Compare how often both failed; refusals for asking too often are no failures."""
    pairs = [pair for pair in found.pairs if not (pair.first.limited or pair.second.limited)]
    ours, theirs = [not pair.first.ok for pair in pairs], [not pair.second.ok for pair in pairs]
    n = len(pairs)
    values: Values = {
        "n": n,
        "success_rate": rate(n - sum(ours), n),
        "reference_success_rate": rate(n - sum(theirs), n),
    }
    if because := _no_comparison(found, n, sum(theirs)):
        return {**values, "failure_excess_because": because}
    only_ours = [mine and not yours for mine, yours in zip(ours, theirs, strict=True)]
    only_theirs = [yours and not mine for mine, yours in zip(ours, theirs, strict=True)]
    both = sum(ours) - sum(only_ours)
    excess = paired.excess(only_ours, only_theirs, both, sides)
    p = paired.mcnemar(sum(only_ours), sum(only_theirs))
    values |= {"failure_excess": _from_zero(excess), "success_p_value": round(p, 6)}
    if only_ours.count(True):
        values["failure_excess_because"] = (
            f"in {sum(only_ours)} of {n} pairs only this service failed, in {sum(only_theirs)} "
            f"only the reference: {errors(found.first)}"
        )
    return values


def _no_comparison(found: Duel, n: int, failed: int) -> str:
    """Return why the failures of both cannot be compared; empty if they can."""
    limited = len(found.pairs) - n
    if not n or limited > _LIMITED * len(found.pairs):
        return f"in {limited} of {len(found.pairs)} pairs a request was refused with 429"
    for side in (found.first, found.second):
        if doubt := side.doubted_timeouts:
            return f"local_limit: {doubt}"
    if failed > _LOST * n:
        return f"the reference failed in {failed} of {n} pairs: {errors(found.second)}"
    return ""


def _from_zero(estimate: Estimate) -> Estimate:
    """Return an excess as none where it is below zero."""
    parts = (estimate.value, estimate.low, estimate.high)
    value, low, high = (part and max(0.0, part) for part in parts)
    return Estimate(value=value, low=low, high=high, n=estimate.n)


def _times(found: Duel, sides: Sides) -> Values:
    """Compare the times of the pairs in which both succeeded."""
    warm = [pair for pair in found.pairs if pair.warm]
    timed = [
        (pair.first.ms, pair.second.ms)
        for pair in warm
        if pair.first.ms is not None and pair.second.ms is not None
    ]
    values: Values = {"pairs": len(timed)}
    if because := _no_times(found, warm, len(timed)):
        return {**values, "time_ratio_because": because}
    ours, theirs = [mine for mine, _ in timed], [yours for _, yours in timed]
    differences = [mine - yours for mine, yours in timed]
    p = paired.p_value(differences)
    values |= {
        "p50_ms": quantile(ours, 0.5),
        "p95_ms": quantile(ours, 0.95),
        "reference_p50_ms": quantile(theirs, 0.5),
        "reference_p95_ms": quantile(theirs, 0.95),
        "shift_ms": paired.shift(differences),
        "slower_probability": paired.slower(ours, theirs),
        "time_ratio": paired.ratio(ours, theirs, sides),
    }
    if p is not None:
        values["p_value"] = round(p, 6)
    return values


def _no_times(found: Duel, warm: Sequence[Pair], timed: int) -> str:
    """Return why the times of both cannot be compared; empty if they can."""
    for side in (found.first, found.second):
        if side.untrusted:
            return f"{side.untrusted} timed answers came over connections that answered unasked"
        if side.cpu > CPU_LIMIT:
            return f"local_limit: this process used {side.cpu:.0%} of its processor"
    failed = [pair for pair in warm if not (pair.first.ok and pair.second.ok)]
    if len(failed) > _LOST * len(warm):
        sides = {"this service's": found.first, "the reference's": found.second}
        whose = "; ".join(f"{whose}: {errors(s)}" for whose, s in sides.items() if errors(s))
        return f"in {len(failed)} of {len(warm)} pairs a request failed ({whose})"
    if timed < paired.FEWEST:
        return f"{timed} pairs, a comparison needs {paired.FEWEST}"
    return ""
