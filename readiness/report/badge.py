"""Assessment -> badge.json, the endpoint that shields.io draws a badge from."""

import json
from collections.abc import Mapping

from readiness.assessment import Assessment
from readiness.gate import Verdict
from readiness.report.words import spoken

FILE = "badge.json"

_COLOURS: Mapping[Verdict, str] = {
    "ready": "brightgreen",
    "conditional": "yellow",
    "not_ready": "red",
    "inconclusive": "lightgrey",
}


def render(assessment: Assessment) -> str:
    """Return the JSON of shields.io's endpoint schema, version 1."""
    decision, tier = assessment.model.decision, assessment.evidence.policy.tier
    judged_as = "" if tier == "production" else f" ({tier})"
    badge = {
        "schemaVersion": 1,
        "label": "production readiness",
        "message": f"{spoken(decision.verdict)}{judged_as}, {decision.value}/100",
        "color": _COLOURS[decision.verdict],
        "isError": decision.verdict == "not_ready",
    }
    return json.dumps(badge, indent=1) + "\n"
