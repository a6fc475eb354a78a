"""`comment`: a summary -> the comment of the pull or merge request that this job runs for."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from readiness import report
from readiness.cli.option import above_zero
from readiness.cli.output import STEP_SUMMARY
from readiness.cli.say import say
from readiness.comment import Host, Refused, Unanswered, put
from readiness.comment.github import GitHub
from readiness.comment.gitlab import GitLab
from readiness.comment.target import Nowhere, Target, target
from readiness.document import ConfigurationError
from readiness.document.file import read_text, why
from readiness.escape import ci_log
from readiness.report import summary as summaries

NOT_POSTED = 6
_GRACE_SECONDS = 1.0
_MAY_ONLY_READ = 403

_SAID: Mapping[str, str] = {
    "posted": "posted",
    "updated": "updated",
    "outrun": "left as it is, since a later run has written it",
}


def run(path: Path, number: int | None, deadline: str) -> int:
    """Put the summary at `path` where it belongs; return the exit code.

    No token, one that may only read, and a run that is for no pull request are no failures.
    """
    if number is not None and number < 1:
        raise ConfigurationError("--pr must be the number of a pull request.", fix="Write --pr 12.")
    seconds, text = above_zero(deadline, "--deadline"), _summary(path)
    try:
        asked = target(os.environ, number)
        said = _bounded(lambda: _put(asked, text, time.monotonic() + seconds), seconds)
    except Nowhere as error:
        return _withheld(str(error), path, text)
    except Refused as error:
        if error.status == _MAY_ONLY_READ:
            why = f"this token may only read ({error}), as in a run for a fork"
            return _withheld(why, path, text)
        return _failed(str(error))
    except Unanswered as error:
        return _failed(str(error))
    say(ci_log(f"Comment {said}"))
    return 0


def _put(asked: Target, text: str, deadline: float) -> str:
    host: Host = (GitHub if asked.host == "github" else GitLab)(asked, deadline)
    with host.ask:
        done = put(host, text)
    return f"{_SAID[done.what]}: {done.url}"


def _bounded(work: Callable[[], str], seconds: float) -> str:
    """Return what `work` does in a thread that is left behind when it takes too long.

    No deadline of a client bounds a name that is not resolved or an answer that drips.
    """
    done: list[str | Exception] = []

    def keep() -> None:
        try:
            done.append(work())
        except (Nowhere, Refused, Unanswered) as error:
            done.append(error)

    worker = threading.Thread(target=keep, daemon=True)
    worker.start()
    worker.join(seconds + _GRACE_SECONDS)
    if not done and not worker.is_alive():
        raise RuntimeError("the comment's thread broke")
    result = done[0] if done else Unanswered("no answer in time")
    if isinstance(result, Exception):
        raise result
    return result


def _summary(path: Path) -> str:
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        told, fix = f"cannot be read ({why(error)})", "Write it with --format summary."
    else:
        if summaries.marker(text) and len(text) <= summaries.LONGEST:
            return text
        told = "is no summary that `readiness` has written"
        fix = f"Name the {report.FORMATS['summary'].file} that --format summary writes."
    raise ConfigurationError(f"this file {told}.", file=str(path), fix=fix)


def _withheld(because: str, path: Path, text: str) -> int:
    """Say why there is no comment, and put the summary where a reader of the run finds it."""
    where = str(path)
    if file := os.environ.get(STEP_SUMMARY):
        try:
            with Path(file).open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            where = "the step summary"
        except OSError as error:
            say(ci_log(f"readiness: {STEP_SUMMARY}: {error.strerror}."), err=True)
    say(ci_log(f"No comment: {because}. The summary is in {where}."))
    return 0


def _failed(because: str) -> int:
    say(ci_log(f"readiness: no comment: {because}."), err=True)
    return NOT_POSTED
