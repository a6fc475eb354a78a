"""What an OpenAPI document requires -> whether the service requires it of strangers."""

import re
from collections.abc import Mapping, Sequence

from readiness.escape import line
from readiness.failure import Failure
from readiness.inventory import NOBODY, Service
from readiness.inventory.url import split
from readiness.measurement import Values
from readiness.probes._access import Asker, Policy, Reading, called, step_of, verdict
from readiness.probes._answer import Answer
from readiness.probes._expectation import read_json
from readiness.probes._http import public_path
from readiness.probes._openapi import Operation, operations, version_fault

METRICS: Mapping[str, str] = {
    "openapi_kept": "true or false: what OpenAPI secures refuses strangers (GET and HEAD only)",
    "openapi_secures": "true or false: the document secures something (GET and HEAD only)",
    "openapi_operations": "count of documented operations that were asked for",
    "openapi_secured": "count of those that refused a stranger, as documented",
    "openapi_untested": "count of those whose answer told nothing, so that none is judged by it",
    "openapi_left_out": "count of those not asked for: no example, an unfit path, or too many",
    "openapi_stricter": "count of those documented as open that refuse strangers",
}
MOST = 50
"""Operations of one document that are asked for."""

_ENDS_SESSIONS = re.compile(r"(log|sign)[-_]?(out|off)|revoke", re.IGNORECASE)
_LONGEST = 120


async def kept(
    path: str, service: Service, roles: Sequence[str], asker: Asker, policy: Policy
) -> Values:
    """Ask for each documented operation as a stranger; where that tells nothing, as someone."""
    document = await _document(path, roles, asker)
    if isinstance(document, str):
        return {"openapi_kept_because": document}
    offered = operations(document, split(service.url.get_secret_value()).path)
    if not offered.secures:
        return {"openapi_secures": False, "openapi_operations": len(offered.asked)}
    asked, offences, doubts = offered.asked[:MOST], list[str](), list[str]()
    secured = untested = stricter = 0
    for operation in asked:
        reading = await _as_stranger(operation, asker, policy)
        where = line(public_path(operation.request), _LONGEST)
        if not operation.secured:
            stricter += reading.status in (401, 403)
        elif reading.got == "in":
            offences.append(f"{where} let {called(NOBODY)} in ({reading.status})")
        elif reading.status in (401, 403) or reading.got == "form":
            secured += 1
        elif reading.status is None or reading.status == 429 or reading.status >= 500:
            doubts.append(f"{where} answered {called(NOBODY)} with {reading.said}")
        elif reading.got == "refused" and await _someone_gets_in(operation, roles, asker, policy):
            secured += 1
        else:
            untested += 1
    if not (offences or doubts or secured):
        doubts.append("no operation that it secures could be tested")
    return {
        "openapi_secures": True,
        **verdict("openapi_kept", offences, doubts),
        "openapi_operations": len(asked),
        "openapi_secured": secured,
        "openapi_untested": untested,
        "openapi_left_out": offered.left_out + len(offered.asked) - len(asked),
        "openapi_stricter": stricter,
    }


async def _document(path: str, roles: Sequence[str], asker: Asker) -> Mapping[str, object] | str:
    """Return the document as the first who may read it gets it, or why there is none."""
    shown, told = public_path(path), ""
    for role in (NOBODY, *roles):
        answer = await asker.ask(role, step_of(path))
        if isinstance(answer, Answer) and answer.ok:
            return _read(shown, answer)
        told = told or _refusal(answer)
    return f"{shown} {told}"


def _read(shown: str, answer: Answer) -> Mapping[str, object] | str:
    if not answer.complete:
        return f"{shown} is longer than 1 MiB"
    document = read_json(answer)
    fault = version_fault(document)
    return f"{shown} cannot be read: {fault}" if fault else document


def _refusal(answer: Answer | Failure | str) -> str:
    if isinstance(answer, Answer):
        return f"answered {line(answer.outcome, _LONGEST)}"
    return answer if isinstance(answer, str) else f"gave no answer ({answer.kind})"


async def _as_stranger(operation: Operation, asker: Asker, policy: Policy) -> Reading:
    answer = await asker.ask(NOBODY, step_of(operation.request))
    return Reading("unclear", answer) if isinstance(answer, str) else policy.read(answer)


async def _someone_gets_in(
    operation: Operation, roles: Sequence[str], asker: Asker, policy: Policy
) -> bool:
    """Whether a role is let in, so that what a stranger is told is a refusal."""
    if _ENDS_SESSIONS.search(operation.path):
        return False
    for role in roles:
        answer = await asker.ask(role, step_of(operation.request))
        if not isinstance(answer, str) and policy.read(answer).got == "in":
            return True
    return False
