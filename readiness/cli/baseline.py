"""The word after --baseline -> the run that this one is compared with, or why there is none."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from readiness.baseline import Baseline
from readiness.cli import earlier
from readiness.cli.keeper import tell
from readiness.history import History, HistoryError, is_asked, open_history
from readiness.history.baselines import WORDS, Wanted, made, unlike
from readiness.history.baselines import baseline as of_history
from readiness.history.nowhere import Nowhere


def find(
    word: str, where: str | None, environ: Mapping[str, str], wanted: Wanted, rules: earlier.Rules
) -> Baseline | str:
    """Return the run that `word` names, or a sentence on why it does not serve.

    That is no error, for the first run has nothing to be compared with. ConfigurationError where
    `word` names a run or file that does not exist, or the history asked for cannot be used.
    """
    if word not in WORDS and earlier.is_file(word):
        return _of_file(word, where, environ, wanted, rules)
    try:
        with contextlib.closing(_opened(where, environ)) as history:
            return of_history(history, word, wanted)
    except HistoryError as error:
        if is_asked(where, environ) or word not in WORDS:
            raise
        return f"The history cannot be used: {error}"


def _of_file(
    word: str, where: str | None, environ: Mapping[str, str], wanted: Wanted, rules: earlier.Rules
) -> Baseline | str:
    found = earlier.of_file(Path(word), rules)
    because = unlike(found.kept.run, wanted)
    if not because and not found.criteria_kept:
        version = found.kept.evidence.tool.version
        because = f"was judged by readiness {version}, whose criteria are not in the file"
    if because:
        return f"The run in {word} {because}."
    try:
        with contextlib.closing(_opened(where, environ)) as history:
            return made(history, word, found.kept, wanted)
    except HistoryError:
        if is_asked(where, environ):
            raise
        return made(Nowhere("no history"), word, found.kept, wanted)


def _opened(where: str | None, environ: Mapping[str, str]) -> History:
    return open_history(where, environ, tell, create=False)
