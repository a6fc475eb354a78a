"""A word of the command line that names a run, kept or in a folder -> how it is judged."""

import os
from pathlib import Path

from readiness import evidence
from readiness.assessment import Assessment, assess
from readiness.cli import output
from readiness.cli.assess import judged_by
from readiness.cli.earlier import is_file
from readiness.cli.keeper import tell
from readiness.document import ConfigurationError
from readiness.history import open_history
from readiness.history.choose import chosen


def judged(word: str | None, folder: Path, where: str | None) -> Assessment:
    """Judge the evidence in the file or folder `word`, or of the kept run it names.

    None names that in `folder`. A kept run is judged by the criteria of its time, a file by
    those of this version. ConfigurationError if there is no such run.
    """
    if word is None and not (folder / output.EVIDENCE).is_file():
        raise ConfigurationError(
            "no run has written its evidence here.",
            file=str(folder / output.EVIDENCE),
            fix="Run `readiness run` first, or name an evidence.json or a kept run, as in `last`.",
        )
    if word is None or is_file(word):
        return _of_file(folder if word is None else Path(word))
    history = open_history(where, os.environ, tell, create=False)
    try:
        kept = history.get(chosen(history, word).run_id)
    finally:
        history.close()
    return assess(kept.evidence, kept.criteria)


def _of_file(path: Path) -> Assessment:
    file = path / output.EVIDENCE if path.is_dir() else path
    found = evidence.from_json(output.text(file), str(file))
    return assess(found, judged_by(found.packs))
