"""Assessment -> the few lines a run ends with."""

from collections.abc import Sequence
from pathlib import Path

from readiness.assessment import Assessment
from readiness.escape import ci_log
from readiness.report import words
from readiness.report.page import Page

FIRST = 3
"""How many things to fix are named at the end of a run."""

MOST_WAIVERS = 10

VERDICTS = {
    "ready": "READY",
    "conditional": "CONDITIONALLY READY",
    "not_ready": "NOT READY",
    "inconclusive": "INCONCLUSIVE",
}


def conclusion(found: Assessment) -> str:
    """Return verdict, score and the first things to fix."""
    decision, card, signal = found.model.decision, found.model.card, found.evidence.interrupted
    applied, page = sum(f.outcome != "not_applicable" for f in found.model.findings), Page(found)
    lines = [
        "",
        f"{VERDICTS[decision.verdict]}{_tier(found)}  {decision.value}/100 "
        f"{decision.grade}{_around(found)}",
        f"Coverage {card.coverage * 100:.0f} %, {_counted(applied, 'check')} on "
        f"{_counted(len(found.services), 'service')}",
    ]
    if found.evidence.residue:
        lines.append(
            f"LEFT BEHIND: {', '.join(found.evidence.residue[:FIRST])} (readiness cleanup)"
        )
    if found.model.criteria.only:
        lines.append(f"BY SOME CHECKS ONLY: {', '.join(found.model.criteria.only)}")
    lines += _sampled(found)
    if signal:
        lines.append(f"PARTIAL: interrupted by {signal}")
    lines += _policy(page)
    lines += _compared(found)
    lines += _work(found)
    told = [f"Waiver: {words.waived(row)}" for row in page.announced]
    lines += told[:MOST_WAIVERS]
    if len(told) > MOST_WAIVERS:
        lines.append(f"... and {len(told) - MOST_WAIVERS} more waivers to look at")
    return "\n".join(ci_log(line) for line in lines)


def _tier(found: Assessment) -> str:
    tier = found.evidence.policy.tier
    return "" if tier == "production" else f" ({tier})"


def _policy(page: Page) -> list[str]:
    """Return what keeps the gate from blocking, and what in the policy is easier than usual."""
    policy, code = page.model.evidence.policy, page.model.decision.gated_exit_code
    lines = []
    if policy.stage != "gate":
        what = "GATE DISABLED" if policy.stage == "report" else "WARNING ONLY"
        why = f": {words.joined(page.blocking, FIRST)}" if page.blocking else ""
        kept = code != 1  # only a failed gate is let pass
        told = f"exit code {code} stays" if kept else f"the gate would exit with {code}{why}"
        lines.append(f"{what} (stage {policy.stage}): {told}")
    easy = tuple(words.eased(one) for one in page.eased if one.setting != "stage")
    if easy:
        lines.append(f"EASED POLICY: {'; '.join(easy)}")
    return lines


def _compared(found: Assessment) -> list[str]:
    """Say what has got worse since the baseline, or that there is none though one was wanted."""
    if because := found.evidence.no_baseline:
        return [f"NO BASELINE: {because} Nothing was compared."]
    comparison = found.model.comparison
    if comparison is None:
        return []
    base, worse = comparison.baseline, comparison.regressed
    lines = [
        f"Compared with {base.asked} (run {base.run_id[:8]} of {base.started_at:%Y-%m-%d}): "
        f"{_counted(len(comparison.compared), 'metric')}, {len(worse)} regressed"
        + (f", {lost} not comparable" if (lost := len(comparison.of("not_comparable"))) else "")
    ]
    lines += [f"REGRESSED: {change.what}: {change.because}" for change in worse[:FIRST]]
    left = len(worse) - FIRST
    return lines + ([f"and {left} more regressed"] if left > 0 else [])


def _sampled(found: Assessment) -> list[str]:
    seen = found.sampling
    if not seen.open:
        return []
    return [
        f"Too close to call: {_counted(len(seen.open), 'check')} of {seen.checks} by "
        f"{seen.samples:,} samples; more decide more (a longer --deadline, no fixed `samples`)"
    ]


def _around(found: Assessment) -> str:
    decision, card, previous = found.model.decision, found.model.card, found.evidence.previous
    upper = f" ({decision.upper} if all that is unknown passes)"
    delta = f", {decision.value - previous.value:+d} since the run before" if previous else ""
    return (
        (upper if decision.upper != decision.value else "")
        + (f", {card.raw} before caps" if card.raw != decision.value else "")
        + ("" if found.evidence.interrupted or found.model.criteria.only else delta)
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
    return "Written: " + ", ".join(ci_log(str(path)) for path in written)
