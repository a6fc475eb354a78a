"""One load, shared by a process for each core -> their results as one."""

import asyncio
import contextlib
import os
import pickle
import signal
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from readiness.failure import ProbeError
from readiness.load.check import Check
from readiness.load.closed import Level
from readiness.load.crew import Crew
from readiness.load.engine import Load, run
from readiness.load.request import Endpoint, Request
from readiness.load.result import Result, merge

_START_SECONDS = 10.0
"""What a process may take to start, beyond the deadline of its load."""
_READY, _GO = b"ready\n", b"go\n"
"""What a process says once it has its job, and what it then waits for: all begin together."""
_OWN_GROUP = 0 if os.name == "posix" else None
"""The keys that end us are not for them: they hand in what they have when we say so."""


@dataclass(frozen=True)
class Job:
    """What one process is told. A TLS context cannot be sent: each makes its own default one."""

    endpoint: Endpoint
    secure: bool
    request: Request
    load: Load
    check: Check
    timeout: float
    seconds: float
    """Until the deadline, from the common begin."""
    core: int | None


def cores() -> Sequence[int]:
    """Return the numbers of the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def shares(load: Load, n: int) -> list[Load]:
    """Split a load into `n` that make up the same: users, connections, rate and phase."""
    if isinstance(load, Level):
        n = min(n, load.users, load.requests)
        return [
            replace(
                load,
                users=_part(load.users, n, place),
                requests=_part(load.requests, n, place),
                least=max(1, _part(load.least, n, place)),
                per_second=load.per_second * _part(load.users, n, place) / load.users,
            )
            for place in range(n)
        ]
    n = min(n, load.in_flight, load.samples or n)
    stages = tuple(
        replace(stage, rate=stage.rate / n, to=None if stage.to is None else stage.to / n)
        for stage in load.stages
    )
    return [
        replace(
            load,
            stages=stages,
            in_flight=_part(load.in_flight, n, place),
            samples=None if load.samples is None else _part(load.samples, n, place),
            seed=f"{load.seed} {place}",
            phase=place / n if load.spacing == "constant" else None,
        )
        for place in range(n)
    ]


async def run_shared(
    endpoint: Endpoint,
    request: Request,
    load: Load,
    *,
    timeout: float,
    deadline: float,
    check: Check | None = None,
    processes: int | None = None,
    stop: asyncio.Event | None = None,
) -> Result:
    """Put `load` on the endpoint from `processes` processes, one for each core if not given.

    They hand in what they have when `stop` is set. Raises ProbeError for what is wrong on our
    side, if it was in all of them.
    """
    places = cores()
    left = deadline - asyncio.get_running_loop().time()
    jobs = [
        Job(
            endpoint=replace(endpoint, tls=None),
            secure=endpoint.tls is not None,
            request=request,
            load=share,
            check=check or Check(),
            timeout=timeout,
            seconds=left,
            core=places[place % len(places)],
        )
        for place, share in enumerate(shares(load, processes or len(places)))
    ]
    stop, begin = stop or asyncio.Event(), asyncio.Barrier(len(jobs))
    try:
        async with asyncio.timeout(left + _START_SECONDS), asyncio.TaskGroup() as group:
            tasks = [group.create_task(_delegate(job, begin, stop)) for job in jobs]
    except TimeoutError:
        late = "the processes that send load did not end in time"
        raise ProbeError("local_limit", late) from None
    outcomes = [task.result() for task in tasks]
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, ProbeError)]
    if not results:
        raise failed[0]
    whole = merge(results)
    return replace(whole, aborted=str(failed[0])) if failed else whole


async def _delegate(job: Job, begin: asyncio.Barrier, stop: asyncio.Event) -> Result | ProbeError:
    """Have a process of its own do the job; it ends early when its standard input does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "readiness.load.workers"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        process_group=_OWN_GROUP,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(pickle.dumps(job))
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        await process.stdout.readline()  # that it is ready, or has ended
        await begin.wait()
        process.stdin.write(_GO)
        reading = asyncio.create_task(process.stdout.read())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        process.stdin.close()
        out = await reading
        await process.wait()  # it ends now; to kill it would be a race for its exit code
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if not out:
        return ProbeError("local_limit", "a process that was to send load has ended")
    outcome = pickle.loads(out)  # from our own child
    if isinstance(outcome, Result):
        return outcome
    kind, detail = outcome
    return ProbeError(kind, detail)


async def _work(job: Job, ended: threading.Event) -> Result:
    def watch(crew: Crew) -> None:
        now = time.monotonic_ns()
        if ended.is_set():
            crew.deadline_ns = min(crew.deadline_ns, now)
        else:
            crew.leave_silence(now, job.load.seconds)

    if job.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {job.core})
    tls = ssl.create_default_context() if job.secure else None
    endpoint = replace(job.endpoint, tls=tls)
    deadline = asyncio.get_running_loop().time() + job.seconds
    return await run(
        endpoint,
        job.request,
        job.load,
        timeout=job.timeout,
        deadline=deadline,
        check=job.check,
        watch=watch,
    )


def _part(whole: int, n: int, place: int) -> int:
    """Return the share of one of `n` in a whole number; all shares add up to it."""
    return whole // n + (place < whole % n)


def main() -> None:
    """Take one job from standard input, do it, and put its outcome on standard output.

    The end of standard input, at the latest that of the parent, ends the job.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # who ends a group of processes sends it to us too
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    job = pickle.load(sys.stdin.buffer)  # from our own parent
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    sys.stdin.buffer.readline()
    ended = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    try:
        outcome: object = asyncio.run(_work(job, ended))
    except ProbeError as error:
        outcome = (error.failure.kind, error.failure.detail)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(pickle.dumps(outcome))
        sys.stdout.buffer.flush()
    os._exit(0)  # the thread still waits, and the interpreter would for it


if __name__ == "__main__":
    main()
