"""A load, from beginning to end: measured, told, and turned into an exit code."""

import contextlib
import json

from readiness import loop
from readiness.cli.load import report, summary
from readiness.cli.load.request import Asked
from readiness.cli.load.session import Session
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.evidence import INTERRUPTED_EXIT_CODES
from readiness.load.caps import SPARE_FILES

DONE, NO_SUCCESS, NOT_TOLD = 0, 1, 6


def run(asked: Asked, *, as_json: bool) -> int:
    """Put the load on, show it, print what came of it; return the exit code."""
    make_room(asked.connections)
    with loop.Signals() as signals:
        session = Session(asked)
        loop.run(session.run(), session.seconds + loop.GRACE_SECONDS, signals)
        return _conclude(asked, session, signals.first, as_json=as_json)


def _conclude(
    asked: Asked, session: Session, interrupted: loop.Interruption | None, *, as_json: bool
) -> int:
    code = INTERRUPTED_EXIT_CODES[interrupted] if interrupted else NO_SUCCESS
    result = session.result
    if result is None:
        ended = "interrupted before any answer came" if interrupted else "no answer came in time"
        detail = session.failure.detail if session.failure and not interrupted else ended
        say(f"readiness: {asked.url}: {detail}.", err=True)
        return code
    facts = report.facts(asked, result, session, interrupted)
    told = tell(json.dumps(facts, indent=2) if as_json else summary.text(asked, result, facts))
    whole = result.successes and not interrupted and not result.aborted
    return (told or DONE) if whole else code


def tell(outcome: str) -> int:
    """Print what was measured; return the exit code of having lost it, or 0."""
    lost = say(outcome)
    if lost:
        say(f"readiness: the outcome could not be written: {lost.strerror}.", err=True)
    return NOT_TOLD if lost else 0


def make_room(connections: int) -> None:
    """Let this process open so many sockets; ConfigurationError if the system does not."""
    try:
        import resource
    except ImportError:  # no such limit on Windows
        return
    wanted = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigurationError(
            f"{connections:,} connections need {wanted:,} open files, and this process may have "
            f"{hard:,}.",
            fix="Raise the limit (ulimit -Hn), or lower --connections.",
        )
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
