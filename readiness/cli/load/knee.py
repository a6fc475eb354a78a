"""An objective -> the greatest rate at which one URL holds it, searched step by step."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from readiness import loop
from readiness.cli.load import report
from readiness.cli.load.request import Asked
from readiness.cli.load.run import DONE, NO_SUCCESS, make_room, tell
from readiness.cli.load.session import Session
from readiness.cli.load.words import amount_ms
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.escape import ci_log
from readiness.evidence import INTERRUPTED_EXIT_CODES
from readiness.load.capacity import Capacity, Search
from readiness.load.caps import SLOTS
from readiness.load.knee import WORDS, Bounds, Cause, Objective, Step, cause
from readiness.load.request import Endpoint, Request
from readiness.probes._load import errors

_SPARE_SECONDS = 10.0
_START_SECONDS = 1.5
"""What starting, and ending the last step, takes of the time that was asked for."""
_CAUSES: Mapping[Cause, str] = {
    "latency": "too late",
    "errors": "requests fail",
    "backlog": "work piles up",
    "limited": "refused (429, Retry-After)",
    "our_limit": "this machine is the limit",
}


def find(asked: Asked, wanted: Objective, *, as_json: bool) -> int:
    """Search for as long as `asked` allows, print what came of it; return the exit code."""
    with contextlib.suppress(ConfigurationError):  # then it goes as far as the system lets it
        make_room(SLOTS)
    with loop.Signals() as signals:
        session = _Search(asked, wanted)
        loop.run(session.run(), session.seconds + loop.GRACE_SECONDS, signals)
        return _conclude(asked, session, signals.first, as_json=as_json)


def _conclude(
    asked: Asked, session: "_Search", interrupted: loop.Interruption | None, *, as_json: bool
) -> int:
    wanted = session.wanted
    if session.capacity is None:
        ended = f"interrupted by {interrupted}" if interrupted else "the search had no time to end"
        detail = session.failure.detail if session.failure and not interrupted else ended
        say(f"readiness: {asked.url}: {detail}.", err=True)
        return INTERRUPTED_EXIT_CODES[interrupted] if interrupted else NO_SUCCESS
    facts = _facts(asked, wanted, session.capacity, interrupted)
    text = _text(asked, wanted, session.capacity, interrupted)
    told = tell(json.dumps(facts, indent=2) if as_json else text)
    if interrupted:
        return INTERRUPTED_EXIT_CODES[interrupted]
    return NO_SUCCESS if session.capacity.knee.rate is None else told or DONE


class _Search(Session):
    """A session that searches instead of putting one load on."""

    def __init__(self, asked: Asked, wanted: Objective) -> None:
        super().__init__(asked)
        self.capacity: Capacity | None = None
        self.wanted, self._budget = wanted, asked.seconds

    @property
    def seconds(self) -> float:
        """What it may take at most."""
        return self._budget + 3 * self._asked.timeout + _SPARE_SECONDS

    async def put(self, endpoint: Endpoint, request: Request) -> None:
        """Search on `endpoint`."""
        search = Search(
            endpoint,
            request,
            self.wanted,
            Bounds(seconds=self._budget - _START_SECONDS),
            timeout=self._asked.timeout,
            deadline=asyncio.get_running_loop().time() + self.seconds,
            check=self._asked.check,
            seed=secrets.token_hex(8),
            progress=self._tell,
        )
        try:
            self.capacity = await search.run()
        except asyncio.CancelledError:
            self.capacity = search.so_far()
            raise

    def _tell(self, step: Step) -> None:
        say(_line(step, self.wanted), err=True)


def _line(step: Step, wanted: Objective) -> str:
    broke = cause(step, wanted)
    point = "not told, ended early" if step.point is None else amount_ms(step.point)
    return f"  {step.rate:>9,.1f}/s for {step.seconds:4.1f} s: p{wanted.q * 100:g} {point}, " + (
        "holds" if broke is None else f"breaks: {_CAUSES[broke]}"
    )


def _facts(
    asked: Asked, wanted: Objective, found: Capacity, interrupted: str | None
) -> dict[str, Any]:
    knee, failed = found.knee, found.failed
    return {
        "url": asked.url,
        "method": asked.method,
        "objective": {
            "quantile": wanted.q,
            "limit_ms": wanted.limit_ms,
            "error_rate": wanted.error_rate,
        },
        "knee_requests_per_second": {
            "value": knee.rate,
            "low": knee.low,
            "high": None if knee.at_least else knee.high,
            "n": len(knee.steps),
        },
        "at_least": knee.at_least,
        "reason": knee.reason,
        "overrun": found.overrun,
        "recovered_seconds": found.recovered_seconds,
        "errors": report.errors(failed) if failed else {"kind": {}, "status": {}},
        "rate_limited": failed.limited if failed else 0,
        "interrupted": interrupted,
        "steps": [_step(step, wanted) for step in knee.steps],
    }


def _step(step: Step, wanted: Objective) -> dict[str, Any]:
    facts = asdict(step)
    for name in ("backlog", "thirds"):
        del facts[name]
    for name in ("quantile", "over", "error_rate", "refused"):
        facts[name] = getattr(step, name).model_dump()
    return facts | {"cause": cause(step, wanted)}


def _text(asked: Asked, wanted: Objective, found: Capacity, interrupted: str | None) -> str:
    lines = ["", f"{asked.method} {ci_log(asked.url)}", *_told(wanted, found, interrupted)]
    if found.failed:
        lines.append(f"the last step with failures had: {errors(found.failed)}")
    if interrupted:
        lines.append(f"PARTIAL: interrupted by {interrupted}")
    return "\n".join(lines)


def _told(wanted: Objective, found: Capacity, interrupted: str | None) -> Iterator[str]:
    knee = found.knee
    holds = f"p{wanted.q * 100:g} within {amount_ms(wanted.limit_ms)}"
    if found.overrun and found.recovered_seconds is None:
        yield (
            f"it collapsed at {knee.steps[-1].rate:,.0f} requests/s and was not well again "
            "within 5 s: no rate can be named"
        )
        return
    if knee.rate is None and knee.reason in ("our_limit", "limited"):
        yield f"whether {holds} is held is not known: {WORDS[knee.reason]}"
        return
    if knee.rate is None:
        held = any(cause(step, wanted) is None for step in knee.steps)
        even = "steadily at any rate" if held else f"even at {knee.steps[0].rate:,.0f} requests/s"
        yield f"{holds} is not held {even}"
    else:
        least = "at least " if knee.at_least else ""
        bounded = knee.low and knee.high and not knee.at_least
        spread = f" ({knee.low:,.0f} to {knee.high:,.0f})" if bounded else ""
        yield f"{holds} up to {least}{knee.rate:,.0f} requests/s{spread}"
    why = WORDS[knee.reason].removesuffix("" if knee.rate else " beyond it")
    yield f"{'interrupted' if interrupted else why}; {len(knee.steps)} steps"
    if found.overrun:
        yield f"overrun, it was well again at half the rate after {found.recovered_seconds:.1f} s"
