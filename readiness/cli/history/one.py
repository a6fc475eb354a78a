"""`history show`, `pin` and `unpin`: one kept run -> what was said of it, or its pin."""

import os
from collections.abc import Iterator
from pathlib import Path

from readiness.assessment import Assessment, assess
from readiness.cli import output, words
from readiness.cli.keeper import tell
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.escape import ci_log
from readiness.history import Run, open_history
from readiness.history.choose import chosen
from readiness.report.words import moment


def show(where: str | None, word: str, out: Path | None) -> None:
    """Print a run's row and verdict; write its report, assessment and evidence again to `out`."""
    history = open_history(where, os.environ, tell, create=False)
    try:
        kept = history.get(chosen(history, word).run_id)
    finally:
        history.close()
    found = assess(kept.evidence, kept.criteria)
    for name, text in _told(kept.run, found):
        say(f"{name:9} {ci_log(text)}" if name else ci_log(text))
    say(words.conclusion(found))
    if out is not None:
        output.prepare(out)
        say(words.files(_written(found, out)))


def pin(where: str | None, word: str, pinned: bool) -> None:
    """Pin a run, or no longer."""
    history = open_history(where, os.environ, tell, create=False)
    try:
        run = history.pin(chosen(history, word).run_id, pinned)
    finally:
        history.close()
    of = f"{run.system} {run.environment}"
    state = f"is the baseline of {of}" if pinned else "is not pinned any more"
    say(ci_log(f"{run.run_id} ({run.value}/100 of {moment(run.started_at)}) {state}."))


def _told(run: Run, found: Assessment) -> Iterator[tuple[str, str]]:
    marks = {"pinned": run.pinned, "interrupted": run.interrupted, "in part": run.partial}
    yield "Run", ", ".join([run.run_id, *(mark for mark, is_so in marks.items() if is_so)])
    yield "System", f"{run.system} in {run.environment}"
    yield "Assessed", f"{moment(run.started_at)} on {run.runner}, by readiness {run.tool}"
    if source := " at ".join(part for part in (run.branch, run.commit) if part):
        yield "Source", source
    yield "Criteria", run.criteria
    now = found.model.decision
    if (now.verdict, now.value) != (run.verdict, run.value):
        then = f"{words.VERDICTS[run.verdict]} {run.value}/100"
        yield "", f"It was judged {then}; this version of readiness says by the same criteria:"


def _written(found: Assessment, out: Path) -> tuple[Path, ...]:
    try:
        return output.write(found, out, ("markdown",))
    except OSError as error:
        raise ConfigurationError(f"not saved ({error.strerror}).", file=str(out)) from None
