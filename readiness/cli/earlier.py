"""A file that `run` has written -> the run it tells of, with the score it told."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from readiness import __version__, evidence
from readiness.assessment import assess
from readiness.checks import Criteria
from readiness.cli import output
from readiness.document import ConfigurationError
from readiness.document.file import read_text, why
from readiness.evidence import Moment
from readiness.history import Kept
from readiness.history.run import kept

Rules = Callable[[Mapping[str, str]], Criteria]
"""Packs -> the criteria of this version with them."""


class Earlier(NamedTuple):
    """A run from a file, its score as it was told then, else as this version judges it."""

    kept: Kept
    told: bool
    """Whether an assessment.json tells the score."""

    @property
    def criteria_kept(self) -> bool:
        """Whether this version's criteria are those it was judged by."""
        return self.kept.evidence.tool.version == __version__


class _Score(BaseModel):
    value: int
    raw: int


class _Assessment(BaseModel):
    schema_: Literal["readiness/assessment/v1"] = Field(alias="schema")
    started_at: Moment
    score: _Score


def is_file(word: str) -> bool:
    """Whether `word` of the command line is a path, and not the id of a run."""
    return os.sep in word or word.endswith(".json") or Path(word).exists()


def of_file(path: Path, rules: Rules) -> Earlier:
    """Read an evidence.json, or an assessment.json beside one; ConfigurationError if it is none.

    A file holds no criteria: it is judged by those of this version and the packs in it.
    """
    text = _text(path)
    told = _told(text)
    if told is None:
        found = evidence.from_json(text, str(path))
        told = _beside(path)
    else:
        other = path.with_name(output.EVIDENCE)
        found = evidence.from_json(_text(other), str(other))
        if told.started_at != found.started_at:
            raise ConfigurationError(
                f"the {output.EVIDENCE} beside it is of another run.",
                file=str(path),
                fix=f"Name the {output.EVIDENCE} that belongs to it.",
            )
    one = kept(assess(found, rules(found.packs)))
    if told is None or told.started_at != found.started_at:
        return Earlier(one, told=False)
    return Earlier(one._replace(run=one.run.model_copy(update=dict(told.score))), told=True)


def _beside(path: Path) -> "_Assessment | None":
    """Return the assessment that lies beside the evidence at `path`, if one does."""
    other = path.with_name(output.ASSESSMENT)
    try:
        return _told(read_text(other))
    except (OSError, ValueError):
        return None


def _told(text: str) -> _Assessment | None:
    """Return what `text` tells as an assessment, None if it is none."""
    try:
        return _Assessment.model_validate_json(text)
    except ValidationError:
        return None


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"this file cannot be read ({why(error)}).",
            file=str(path),
            fix=f"Name an {output.EVIDENCE}, or an {output.ASSESSMENT} beside one.",
        ) from None
