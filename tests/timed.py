"""A load's result with given response times."""

from array import array

from readiness.load.check import Check
from readiness.load.result import Result
from readiness.load.series import Series


def timed(*milliseconds: float, n: int = 5) -> Result:
    """Return a result of nothing but successes that took so many milliseconds, `n` times each."""
    times = Series()
    times.add(array("q", [round(each * 1e6) for each in milliseconds] * n))
    n *= len(milliseconds)
    return Result(
        check=Check(),
        codes={200: n},
        response=times,
        service=times,
        lag=Series(),
        seconds=1,
        in_window=n,
        offered=0,
        queued=0,
        clock="kernel",
        cpu=0.1,
        settled=True,
        silent=0.0,
        late=0,
        cut_off=0,
        stalled=0,
        connections=1,
        closed_by_server=0,
        retried=0,
        cut_bodies=0,
        untrusted=0,
        asked_to_wait=0,
        aborted="",
        first_fault=None,
    )
