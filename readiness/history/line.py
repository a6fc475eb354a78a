"""A kept run <-> one line of JSON, with all that it takes to judge it again elsewhere."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from readiness import criteria, evidence
from readiness.checks import Criteria
from readiness.document import ConfigurationError
from readiness.history.packed import pack
from readiness.history.run import HistoryError, Kept, Packed, Run, facts

SCHEMA = "readiness/history/v1"


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
    """Return the run of the line `text`; HistoryError if it is none, or contradicts itself."""
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
    return pack(Kept(line.run, found, rules))


def _rules(data: dict[str, Any]) -> Criteria:
    try:
        return criteria.from_json(json.dumps(data))
    except (KeyError, TypeError, ValueError):
        raise _refused("the criteria of this run cannot be read") from None


def _refused(what: str) -> HistoryError:
    return HistoryError(f"{what}.", fix="Export it anew.")
