"""Numbers of a load -> the words and little drawings that stand for them."""

from collections.abc import Sequence

from readiness.cli.load.request import Asked
from readiness.estimate import Estimate
from readiness.load.closed import Level

_BLOCKS = " ▁▂▃▄▅▆▇█"


def load_words(asked: Asked) -> str:
    """Return the model of the load in words."""
    load = asked.load
    if isinstance(load, Level):
        return f"closed model, {_counted(load.users, 'user')}"
    stage = load.stages[0]
    spacing = "Poisson" if load.spacing == "poisson" else "evenly spaced"
    rates = f"{stage.rate:,g}/s" if stage.to is None else f"{stage.rate:,g}/s to {stage.to:,g}/s"
    most = _counted(load.in_flight, "connection")
    return f"open model, {spacing} arrivals at {rates}, at most {most}"


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def amount_ms(value: float) -> str:
    """Write milliseconds to three digits: `0.0534 ms`, `1.2 ms`, `12.5 s`."""
    if value >= 10_000:
        return f"{value / 1000:,.1f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def sparkline(values: Sequence[float]) -> str:
    """Draw values as bars from 0 to the greatest."""
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    last = len(_BLOCKS) - 1
    return "".join(_BLOCKS[max(value > 0, round(value / top * last))] for value in values)


def bar(share: float, width: int) -> str:
    """Draw a share (0..1) of `width` characters to an eighth of one."""
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def spread(estimate: Estimate) -> str:
    """Write value and interval of milliseconds; what is unknown as `?`."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "?"
    low, high = amount_ms(estimate.low), amount_ms(estimate.high)
    if low.endswith("ms") == high.endswith("ms"):
        low = low.rpartition(" ")[0]
    return f"{amount_ms(estimate.value)} ({low} to {high})"
