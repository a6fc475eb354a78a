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


def conclusion(found: Assessment) -> str:
    """Return verdict, score and the first things to fix."""
    decision, card, signal = found.model.decision, found.model.card, found.evidence.interrupted
    applied = sum(f.outcome != "not_applicable" for f in found.model.findings)
    lines = [
        "",
        f"{VERDICTS[decision.verdict]}  {decision.value}/100 {decision.grade}{_around(found)}",
        f"Coverage {card.coverage * 100:.0f} %, {_counted(applied, 'check')} on "
        f"{_counted(len(found.services), 'service')}",
    ]
    if found.evidence.residue:
        lines.append(
            f"LEFT BEHIND: {', '.join(found.evidence.residue[:FIRST])} (readiness cleanup)"
        )
    lines += _sampled(found)
    if signal:
        lines.append(f"PARTIAL: interrupted by {signal}")
    if not found.evidence.policy.gate:
        lines.append("GATE DISABLED: --no-gate")
    lines += _work(found)
    return "\n".join(ci_log(line) for line in lines)


def _sampled(found: Assessment) -> list[str]:
    seen = found.sampling
    if not seen.open:
        return []
    return [
        f"Too close to call: {_counted(len(seen.open), 'check')} of {seen.checks} by "
        f"{seen.samples:,} samples; a longer --deadline decides more"
    ]


def _around(found: Assessment) -> str:
    decision, card, previous = found.model.decision, found.model.card, found.evidence.previous
    upper = f" ({decision.upper} if all that is unknown passes)"
    delta = f", {decision.value - previous.value:+d} since the run before" if previous else ""
    return (
        (upper if decision.upper != decision.value else "")
        + (f", {card.raw} before caps" if card.raw != decision.value else "")
        + ("" if found.evidence.interrupted else delta)
    )


def _work(found: Assessment) -> list[str]:
    if not found.work:
        needed = [f"  - {c.text}" for c in found.conditions[:FIRST]]
        return ["Needed first:", *needed] if needed else []
    ready = found.model.decision.verdict == "ready"
    lines = ["Could be better:" if ready else "Fix first:"]
    for n, work in enumerate(found.work[:FIRST], 1):
        effort, gain = work.head.fix.effort_hours, float(work.gain * 100)
        lines.append(
            f"  {n}. {work.head.title}, {work.head.service}: {work.head.because}"
            f" ({effort:g} h, {gain:+.1f} before caps)"
        )
    hours = sum(w.head.fix.effort_hours for w in found.work)
    all_of_it = _counted(len(found.work), "piece") + " of work"
    return [
        *lines,
        f"The whole plan: {all_of_it}, {hours:g} h, then {found.work[-1].together_score}",
    ]


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def files(written: Sequence[Path]) -> str:
    """Return where the report and its data are."""
    return "Written: " + ", ".join(str(path) for path in written)
