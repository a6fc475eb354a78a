"""Endpoint, request and model -> a Result, measured in a thread of its own."""

import asyncio
import contextlib
import gc
import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from readiness.failure import ProbeError
from readiness.load import caps
from readiness.load.check import Check
from readiness.load.closed import Closed, Level
from readiness.load.crew import Crew, Driver, Served
from readiness.load.open import Open, Schedule
from readiness.load.portable import Portable
from readiness.load.recorder import Enough
from readiness.load.request import Endpoint, Request
from readiness.load.result import Result

DriverName = Literal["epoll", "uvloop", "asyncio"]
Load = Level | Schedule
"""A number of users, or a schedule of arrivals."""
Watch = Callable[[Crew], None]
T = TypeVar("T")

_SWITCH_SECONDS = 0.0005
"""What another thread may keep the interpreter while a request waits to be sent."""
_lock = threading.Lock()
_before: list[tuple[bool, float]] = []
"""How the interpreter was set before the runs under way, once for each."""


def driver_name() -> DriverName:
    """Return the best driver there is: epoll with kernel stamps on Linux, else an asyncio loop."""
    if sys.platform == "linux":
        return "epoll"
    return "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"


async def run(
    endpoint: Endpoint,
    request: Request,
    load: Load,
    *,
    timeout: float,
    deadline: float,
    check: Check | None = None,
    enough: Enough = lambda _: True,
    watch: Watch | None = None,
    driver: DriverName | None = None,
) -> Result:
    """Send `request` as `load` says; each has `timeout` seconds from its intended start.

    Every connection makes one request before the clock starts. `deadline` (loop time) bounds the
    whole run; a load with patience goes on past its samples until `enough` says so. Raises
    ProbeError for what is wrong on our side.
    """
    caps.check(load)
    model = Closed(load, enough) if isinstance(load, Level) else Open(load, enough)
    channels = load.users if isinstance(load, Level) else load.in_flight
    loop = asyncio.get_running_loop()
    drive = driven(driver)
    crew = Crew(
        endpoint,
        request,
        check or Check(),
        model,
        drive,
        timeout=timeout,
        deadline_ns=time.monotonic_ns() + round((deadline - loop.time()) * 1e9),
        channels=channels,
        watch=watch,
    )
    return await in_thread([crew], lambda: _measure(crew, drive, model))


async def in_thread(crews: Sequence[Crew], measure: Callable[[], T]) -> T:
    """Return what `measure` does, which serves `crews`; they stop if this is cancelled."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="load")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, measure)
    finally:
        for crew in crews:
            crew.stopping = True
        thread.shutdown(wait=False)


def _measure(crew: Crew, drive: Driver, model: Open | Closed) -> Result:
    serve(crew, [crew], drive)
    return result_of(crew, drive, model)


def serve(whole: Served, crews: Sequence[Crew], drive: Driver) -> None:
    """Drive `whole`, made of `crews`, to its end; ProbeError for what is wrong on our side."""
    with undisturbed():
        for crew in crews:
            crew.watch_processor(time.monotonic_ns())
        drive.run(whole)
        for crew in crews:
            crew.leave_processor()
    for crew in crews:
        if crew.error:
            raise crew.error


def result_of(crew: Crew, drive: Driver, model: Open | Closed) -> Result:
    """Return what `crew` saw, which `drive` has served to its end."""
    recorder, now = crew.recorder, time.monotonic_ns()
    last = recorder.last_success()
    crew.finish()
    if not recorder.codes and crew.cut_off:
        raise ProbeError("deadline", "the run's time was up before an answer came")
    return Result(
        check=crew.check,
        codes=dict(recorder.codes),
        response=recorder.response,
        service=recorder.service,
        lag=recorder.lag,
        seconds=max((model.closed or now) - (model.opened or now) - model.paused, 1) / 1e9,
        in_window=recorder.in_window,
        offered=model.offered if isinstance(model, Open) else 0,
        queued=model.queued if isinstance(model, Open) else 0,
        clock=drive.clock,
        cpu=crew.cpu,
        settled=model.settled,
        silent=max(0, (model.closed or now) - last) / 1e9 if last else 0.0,
        late=recorder.late,
        cut_off=crew.cut_off,
        stalled=crew.stalled,
        connections=crew.connections,
        closed_by_server=crew.closed_by_server,
        retried=crew.retried,
        cut_bodies=crew.cut_bodies,
        untrusted=recorder.untrusted,
        asked_to_wait=crew.asked_to_wait,
        aborted=crew.aborted,
        first_fault=crew.first_fault,
        setups=crew.setups(),
        backlog=tuple(model.backlog) if isinstance(model, Open) else (),
    )


def driven(by: DriverName | None = None) -> Driver:
    """Return a driver, the best one unless it is named."""
    name = by or driver_name()
    if name == "epoll":
        from readiness.load.epoll import Epoll

        return Epoll()
    return Portable(importlib.import_module(name).new_event_loop())


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the collector of cycles, and other threads, from making requests late.

    A run that was cancelled may still be ending as the next begins: the last one puts things right.
    """
    with _lock:
        if not _before:
            _before.append((gc.isenabled(), sys.getswitchinterval()))
            gc.disable()
            sys.setswitchinterval(_SWITCH_SECONDS)
        else:
            _before.append(_before[0])
    try:
        yield
    finally:
        with _lock:
            collecting, switching = _before.pop()
            if not _before:
                sys.setswitchinterval(switching)
                if collecting:
                    gc.enable()
