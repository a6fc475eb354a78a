"""What a run takes from the history before it begins, and gives to it once it is judged."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from readiness.assessment import Assessment
from readiness.cli.say import say
from readiness.escape import ci_log
from readiness.evidence import Past, Previous
from readiness.history import History, HistoryError, Run, is_asked, open_history
from readiness.measurement import Measurement

TREND = 59
"""Earlier runs that a report draws."""


class Keeper:
    """The history as one run needs it: open at its beginning and at its end, not in between.

    Where the user named it, it must serve. The default one, for which a machine may have no
    place, costs a warning and the run's being kept, but never its exit code.
    """

    def __init__(
        self, option: str | None, environ: Mapping[str, str], system: str, environment: str
    ) -> None:
        """Read what came before; HistoryError if a history that was asked for cannot be used."""
        self._option, self._environ = option, environ
        self._asked, self._serves = is_asked(option, environ), True
        self._past: Sequence[Run] = ()
        try:
            with self._opened() as history:
                history.prepare()
                self._past = history.runs(system, environment, limit=TREND, complete=True)
        except HistoryError as error:
            if self._asked:
                raise
            self._serves = False
            say(f"readiness: this run will not be kept: {ci_log(str(error))}", err=True)

    @property
    def trend(self) -> tuple[Past, ...]:
        """The complete runs of this system and environment, the oldest first."""
        return tuple(
            Past(
                run_id=run.run_id,
                started_at=run.started_at,
                value=run.value,
                verdict=run.verdict,
            )
            for run in reversed(self._past)
        )

    def previous(self) -> tuple[Previous | None, tuple[Measurement, ...]]:
        """Return the score of the newest of them, and what it measured."""
        if not self._past:
            return None, ()
        last = self._past[0]
        score = Previous(value=last.value, started_at=last.started_at)
        try:
            with self._opened() as history:
                return score, history.get(last.run_id).evidence.measurements
        except HistoryError as error:  # no verdict hangs on what was measured before
            say(f"readiness: {ci_log(str(error))}", err=True)
            return score, ()

    def keep(self, found: Assessment) -> bool:
        """Keep the run; say it where that fails, and return False where it must not."""
        if not self._serves:
            return True
        try:
            with self._opened() as history:
                history.add(found)
            return True
        except HistoryError as error:
            say(f"readiness: this run is not kept: {ci_log(str(error))}", err=True)
            return not self._asked

    @contextlib.contextmanager
    def _opened(self) -> Iterator[History]:
        history = open_history(self._option, self._environ, tell)
        try:
            yield history
        finally:
            history.close()


def tell(sentence: str) -> None:
    """Say what a history has to tell its user."""
    say(f"readiness: {ci_log(sentence)}", err=True)
