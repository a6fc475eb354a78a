"""A session that is refreshed -> whether its refresh token changes, and the old one is refused."""

from collections.abc import Mapping

from readiness.escape import line
from readiness.failure import Failure
from readiness.inventory import GIVEN, Journey, Step
from readiness.measurement import Values
from readiness.probes._expectation import unmet
from readiness.probes._session_door import cookies_of
from readiness.probes._taken import Asked
from readiness.probes._template import spelt
from readiness.probes._visit import take
from readiness.probes._visitor import Visitor

METRICS: Mapping[str, str] = {
    "refresh_rotates": "true or false: a refresh gives a new refresh token",
    "refresh_reuse_refused": "true or false: a refresh token that was used is refused",
}
_LONGEST = 300


async def refreshed(journey: Journey, step: Step, token: str | None, visitor: Visitor) -> Values:
    """Refresh once, then send the same refresh again; `token` names the refresh token."""
    if unknown := missing(step, visitor):
        return told(unknown)
    name = token or _named(step)
    old = visitor.variables.get(name) if name else None
    taken = await take(journey, step, visitor)
    if taken.outcome != "passed":
        return told(f"{step.shown}, the refresh itself, {taken.told}")
    asked = visitor.asked[step.name]
    rotated = _rotated(step, name, old, visitor, asked)
    if isinstance(rotated, str):
        return told(rotated)
    if not rotated:
        because = f"{step.shown} leaves the refresh token as it was"
        return {"refresh_rotates": False, "refresh_rotates_because": because}
    return {"refresh_rotates": True, **await _reused(step, asked, visitor)}


def missing(step: Step, visitor: Visitor) -> str:
    """Return which variable a step lacks, empty if it can be taken."""
    lacking = sorted(step.references - visitor.variables.keys())
    return f"{step.shown} needs {{{{{lacking[0]}}}}}, which is not known yet" if lacking else ""


def told(because: str) -> Values:
    """Return why nothing is known."""
    return {f"{metric}_because": because for metric in METRICS}


def _named(step: Step) -> str | None:
    """Return the variable of the refresh token: the only one sent, or the one called so."""
    sent = sorted(step.references - set(GIVEN))
    likely = [name for name in sent if "refresh" in name]
    return (likely or sent)[0] if len(likely or sent) == 1 else None


def _rotated(
    step: Step, name: str | None, old: object, visitor: Visitor, asked: Asked
) -> bool | str:
    """Whether the token that was sent is another one now, or why nobody knows."""
    if name and name in step.capture:
        return spelt(visitor.variables[name]) != spelt(old)
    if name:
        return f"the step {step.name} keeps no new {name}, so that nobody knows whether it changed"
    sent = cookies_of(asked)
    likely = [key for key in sent if "refresh" in key.lower()] or list(sent)
    if not likely:
        return f"the step {step.name} sends no refresh token that can be told from other values"
    jar = visitor.cookies_at(step).header(asked.to)
    now = cookies_of(Asked(asked.to, asked.method, jar, asked.payload))
    return any(now.get(key) != sent[key] for key in likely)


async def _reused(step: Step, asked: Asked, visitor: Visitor) -> Values:
    answer = await visitor.send(asked)
    metric = "refresh_reuse_refused"
    if isinstance(answer, Failure):
        return {f"{metric}_because": f"{step.shown} gave no answer ({answer.kind}) when repeated"}
    expect = step.expect.model_copy(update={"time": None})
    said = f"{step.shown} answered {line(answer.outcome, _LONGEST)} to a used refresh token"
    if not unmet(expect, answer, visitor.variables):
        return {metric: False, f"{metric}_because": said}
    if 400 <= answer.status < 500 and answer.status != 429:
        return {metric: True}
    return {f"{metric}_because": f"{said}, which tells nothing"}
