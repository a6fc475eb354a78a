"""A word that names a run (`last`, `pinned`, an id or its beginning) -> that run."""

from readiness.history.run import History, HistoryError, Run

LAST, PINNED = "last", "pinned"


def chosen(
    history: History,
    word: str,
    system: str | None = None,
    environment: str | None = None,
    *,
    complete: bool = False,
) -> Run:
    """Return the run that `word` names; `last` and `pinned` among those of system and environment.

    With `complete`, `last` is the newest that was neither interrupted nor in part. HistoryError
    if there is no such run, or if several are pinned.
    """
    if word == LAST:
        found = history.runs(system, environment, limit=1, complete=complete)
    elif word == PINNED:
        found = [run for run in history.runs(system, environment) if run.pinned]
    else:
        return history.find(word)
    if not found:
        of = " ".join(name for name in (system, environment) if name)
        raise HistoryError(
            f"no run{f' of {of}' if of else ''} is {_SPOKEN[word]} in {history.where}.",
            fix="`readiness history` lists what is there.",
        )
    if len(found) > 1:
        ids = ", ".join(f"{run.run_id} ({run.system} {run.environment})" for run in found)
        raise HistoryError(f"several runs are pinned: {ids}.", fix="Write the id of one.")
    return found[0]


_SPOKEN = {LAST: "kept", PINNED: "pinned"}
