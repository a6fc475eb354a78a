"""One login request -> the headers that prove who we are, or why there are none."""

import json
import re
from collections.abc import Mapping

from readiness.failure import Failure
from readiness.inventory import HeaderName, Login, Service
from readiness.probes import Context
from readiness.probes._answer import Answer
from readiness.probes._http import attempt, public_path, target
from readiness.probes._refusal import mask, reason

__all__ = ["HeaderName", "Login", "log_in", "token_in"]

_TOKEN_LIMIT = 8192


async def log_in(service: Service, login: Login, context: Context) -> dict[str, str] | str:
    """Log in once; return the headers to send from now on, or the refusal as a sentence part."""
    method, _, path = login.request.partition(" ")
    media_type, body = login.body
    answer = await attempt(
        context,
        target(service, path, anonymous=True),
        method=method,
        headers={"Content-Type": media_type, "Accept": "application/json"},
        body=body,
    )
    step = f"{method} {public_path(path)}"
    if isinstance(answer, Failure):
        return f"{step}: {answer.kind}: {answer.detail}"
    if not answer.ok:
        why = reason(answer, login.sent)
        return mask(f"{step} answered {answer.outcome}", login.sent) + (f": {why}" if why else "")
    token = token_in(answer, login.token)
    if token is None:
        return f"{step} answered {answer.status} without a token at {login.token}"
    context.conceal(token)
    return {login.header: f"{login.scheme} {token}".strip()}


def token_in(answer: Answer, path: str) -> str | None:
    """Return the text at `path` if it can be sent in a header."""
    try:
        value = json.loads(answer.text)
    except (ValueError, RecursionError):
        return None
    for name, index in re.findall(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]", path):
        if name and isinstance(value, Mapping):
            value = value.get(name)
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    usable = isinstance(value, str) and re.fullmatch(rf"[!-~]{{1,{_TOKEN_LIMIT}}}", value)
    return value if usable else None
