"""Assessment -> readiness.sarif: SARIF 2.1.0, one rule for each check, one result a problem."""

import json
import re
from collections.abc import Mapping
from typing import Any

from readiness.assessment import Assessment
from readiness.checks import Check
from readiness.escape import line
from readiness.report.problems import INVENTORY, Problem, problems

FILE = "readiness.sarif"

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(assessment: Assessment) -> str:
    """Return the log of one run (OASIS SARIF 2.1.0, as far as code hosts read it)."""
    evidence, checks = assessment.evidence, assessment.model.criteria.checks
    order = {check: index for index, check in enumerate(checks)}
    driver = {
        "name": line(evidence.tool.name),
        "version": line(evidence.tool.version),
        "rules": [_rule(check) for check in checks.values()],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "readiness/"},
        "invocations": [
            {
                "executionSuccessful": evidence.interrupted is None,
                "startTimeUtc": f"{evidence.started_at:%Y-%m-%dT%H:%M:%SZ}",
                "endTimeUtc": f"{evidence.finished_at:%Y-%m-%dT%H:%M:%SZ}",
            }
        ],
        "results": [_result(p, order[p.finding.check]) for p in problems(assessment)],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


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
                "physicalLocation": {"artifactLocation": {"uri": INVENTORY}},
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
