"""`diff`: two runs, of the history or of files -> why their scores differ."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from readiness.assessment.difference import Side, difference
from readiness.cli import difference as written
from readiness.cli import earlier
from readiness.cli.assess import judged_by
from readiness.cli.keeper import tell
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.history import History, Run, open_history
from readiness.history.baselines import MAIN, PINNED, WORDS, newest_of_main
from readiness.history.choose import chosen


def show(a: str, b: str, where: str | None, as_json: bool) -> None:
    """Print why the score of `b` is not that of `a`; ConfigurationError if one is not there."""
    with _history(where, os.environ) as history:
        names = sorted([a, b], key=lambda word: (word in WORDS, word in WORDS and word != PINNED))
        found: dict[str, tuple[Run, Side]] = {}
        for word in names:
            of = next((run for run, _ in found.values()), None)
            found[word] = _side(word, history, of)
    (first, one), (second, other) = found[a], found[b]
    if first.system != second.system:
        raise ConfigurationError(
            f"{a} is a run of {first.system}, and {b} of {second.system}.",
            fix="Name two runs of one system.",
        )
    told = written.Told(a, first, b, second, difference(one, other))
    if as_json:
        say(written.to_json(told))
        return
    for line in written.lines(told):
        say(line)


def _side(word: str, history: History, of: Run | None) -> tuple[Run, Side]:
    """Return the run that `word` names; `last` and the like are of the system of the run `of`."""
    if word not in WORDS and earlier.is_file(word):
        found = earlier.of_file(Path(word), judged_by)
        run = found.kept.run
        told = (run.value, run.raw) if found.told else None
        evidence, criteria = found.kept.evidence, found.kept.criteria
        return run, Side(evidence, criteria, told, found.criteria_kept)
    system, environment = (of.system, of.environment) if of else (None, None)
    if word == MAIN:
        run = newest_of_main(history, system, environment)
    else:
        run = chosen(history, word, system, environment)
    kept = history.get(run.run_id)
    return run, Side(kept.evidence, kept.criteria, (run.value, run.raw))


@contextlib.contextmanager
def _history(where: str | None, environ: Mapping[str, str]) -> Iterator[History]:
    with contextlib.closing(open_history(where, environ, tell, create=False)) as history:
        yield history
