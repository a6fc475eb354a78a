"""A kept run <-> one line of JSON, with all that it takes to judge it again elsewhere."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from readiness import __version__, criteria, evidence
from readiness.assessment import assess
from readiness.checks import Criteria
from readiness.document import ConfigurationError
from readiness.history.packed import pack
from readiness.history.run import HistoryError, Kept, Packed, Run, facts, kept

SCHEMA = "readiness/history/v1"

_AHEAD = timedelta(days=1)
"""How far the clock of the machine that measured may be before ours."""
_JUDGED = ("verdict", "value", "upper", "raw", "coverage", "exit_code")


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_: Literal["readiness/history/v1"] = Field(alias="schema")
    run: Run
    criteria: dict[str, Any]
    evidence: dict[str, Any]


def to_line(kept: Kept) -> str:
    """Return `kept` as one line of JSON, schema readiness/history/v1."""
    parts = {
        "schema": SCHEMA,
        "run": kept.run.model_dump(mode="json"),
        "criteria": json.loads(criteria.to_json(kept.criteria)),
        "evidence": json.loads(kept.evidence.to_json()),
    }
    return json.dumps(parts, separators=(",", ":"))


def from_line(text: str) -> Packed:
    """Return the run of the line `text`; HistoryError if it is none, or contradicts itself.

    What its row says of the verdict must follow from its evidence and criteria. Where another
    version judged, which may have judged otherwise, the row is taken as it is.
    """
    try:
        line = _Line.model_validate_json(text)
        found = evidence.from_json(json.dumps(line.evidence), "its evidence")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise _refused(f"this is no run of version {SCHEMA} ({place}: {first['msg']})") from None
    except ConfigurationError as error:
        raise _refused(str(error.message).rstrip(".")) from None
    rules = _rules(line.criteria)
    for name, value in facts(found, rules).items():
        if getattr(line.run, name) != value:
            raise _refused(f"what this run says of its {name} is not what its evidence says")
    check_times(line.run)
    if line.run.tool == __version__:
        _check_judgement(line.run, kept(assess(found, rules)).run)
    return pack(Kept(line.run, found, rules))


def check_times(run: Run) -> None:
    """HistoryError if a run ended before it began, or later than today.

    It would be the newest for years, whatever came after.
    """
    if run.finished_at < run.started_at:
        raise _refused("this run ended before it began")
    if run.finished_at > datetime.now(UTC) + _AHEAD:
        raise _refused("this run is of the future")


def _check_judgement(said: Run, judged: Run) -> None:
    for name in _JUDGED:
        if getattr(said, name) != getattr(judged, name):
            raise _refused(f"what this run says of its {name} is not what it is judged to be")


def _rules(data: dict[str, Any]) -> Criteria:
    try:
        return criteria.from_json(json.dumps(data))
    except (KeyError, TypeError, ValueError):
        raise _refused("the criteria of this run cannot be read") from None


def _refused(what: str) -> HistoryError:
    return HistoryError(f"{what}.", fix="Export it anew.")
