"""Assessment -> the few lines a run ends with."""

from collections.abc import Sequence
from pathlib import Path

from readiness.assessment import Assessment
from readiness.escape import ci_log

FIRST = 3
"""How many things to fix are named at the end of a run."""

VERDICTS = {
    "ready": "READY",
    "conditional": "CONDITIONALLY READY",
    "not_ready": "NOT READY",
    "inconclusive": "INCONCLUSIVE",
}


def conclusion(found: Assessment, out: Path) -> str:
    """Return verdict, score and the first things to fix."""
    decision, card = found.model.decision, found.model.card
    previous = found.evidence.previous
    delta = f", {decision.value - previous.value:+d} since the run before" if previous else ""
    bound = (
        f" ({decision.upper} if all that is unknown passes)"
        if (decision.upper != decision.value)
        else ""
    )
    raw = f", {card.raw} before caps" if card.raw != decision.value else ""
    lines = [
        "",
        f"{VERDICTS[decision.verdict]}  {decision.value}/100 {decision.grade}{bound}{raw}{delta}",
        f"Coverage {card.coverage * 100:.0f} %, {len(found.model.findings)} checks"
        f" on {len(found.services)} services",
    ]
    if found.evidence.interrupted:
        lines.append(f"PARTIAL: interrupted by {found.evidence.interrupted}")
    if not found.evidence.policy.gate:
        lines.append("GATE DISABLED: --no-gate")
    first = "Could be better:" if decision.verdict == "ready" else "Fix first:"
    lines += [first] if found.work else []
    lines += [
        f"  {n}. {work.head.title}, {work.head.service}: {work.head.because}"
        f" ({work.head.fix.effort_hours:g} h, then {work.together_score})"
        for n, work in enumerate(found.work[:FIRST], 1)
    ]
    if not found.work and found.conditions:
        lines += ["Needed first:", *(f"  - {c.text}" for c in found.conditions[:FIRST])]
    return "\n".join(ci_log(line) for line in lines)


def files(written: Sequence[Path]) -> str:
    """Return where the report and its data are."""
    return "Written: " + ", ".join(str(path) for path in written)
