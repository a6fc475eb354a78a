"""Assessment -> readiness.sarif: SARIF 2.1.0, one rule for each check, one result a problem."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from readiness.assessment import Assessment
from readiness.checks import Check
from readiness.escape import line
from readiness.evidence import Evidence
from readiness.report.problems import Problem, problems

FILE = "readiness.sarif"

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

MOST = 25_000
"""Results of one run beyond which GitHub refuses it; it shows the severest 5,000."""


def render(assessment: Assessment) -> str:
    """Return the log of one run (OASIS SARIF 2.1.0, as far as code hosts read it)."""
    evidence, checks = assessment.evidence, assessment.model.criteria.checks
    found = problems(assessment)
    order = {check: index for index, check in enumerate(checks)}
    driver = {
        "name": line(evidence.tool.name),
        "version": line(evidence.tool.version),
        "rules": [_rule(check) for check in checks.values()],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": _category(evidence)},
        "invocations": [_invocation(evidence, len(found) - MOST)],
        "results": [_result(p, order[p.finding.check]) for p in found[:MOST]],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _category(evidence: Evidence) -> str:
    """Return what tells the runs of this inventory from those of another in one repository.

    GitHub takes what comes before the last slash for the category, within which the results of
    a run take the place of those before.
    """
    parts = (evidence.inventory.system.name, evidence.environment, evidence.source.path)
    return "readiness/" + "/".join(quote(line(part), safe="") for part in parts) + "/"


def _invocation(evidence: Evidence, left_out: int) -> Mapping[str, Any]:
    told = {
        "executionSuccessful": evidence.interrupted is None,
        "startTimeUtc": f"{evidence.started_at:%Y-%m-%dT%H:%M:%SZ}",
        "endTimeUtc": f"{evidence.finished_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    if left_out > 0:
        text = f"{left_out} more results, the least severe, are in the full report only."
        told["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return told


def _rule(check: Check) -> Mapping[str, Any]:
    return {
        "id": check.id,
        "shortDescription": {"text": _message(check.title)},
        "fullDescription": {"text": _message(check.why)},
        "help": {"text": _message(f"{check.why} {check.fix.text}", 1000)},
        "defaultConfiguration": {"level": "error" if check.blocker else "warning"},
        "properties": {"tags": [check.area, check.severity]},
    }


def _result(problem: Problem, rule: int) -> Mapping[str, Any]:
    f = problem.finding
    result = {
        "ruleId": f.check,
        "ruleIndex": rule,
        "level": problem.level,
        "message": {"text": _message(problem.text, 1000)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(problem.place.path)},
                    "region": {"startLine": problem.place.line},
                },
                "logicalLocations": [{"name": f.service, "kind": "module"}],
            }
        ],
        # The second is the one by which GitHub tells results of a rule in the same file apart.
        "partialFingerprints": {
            "checkAndService/v1": problem.fingerprint,
            "primaryLocationLineHash": problem.fingerprint,
        },
        "properties": {"outcome": f.outcome},
    }
    if f.waiver:
        excuse = {"kind": "external", "justification": _message(f.waiver.reason)}
        result["suppressions"] = [excuse]
    return result


def _message(text: str, limit: int = 400) -> str:
    """Return `text` without what SARIF reads as a link (3.11.6) or a placeholder (3.11.5)."""
    text = line(text, limit).replace("](", "] (")
    return re.sub(r"\{(?=\d+\})", "{ ", text)
