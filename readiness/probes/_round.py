"""Requests to one service, one after another, and no more of them once it falls silent."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from readiness.failure import Failure, ProbeError
from readiness.probes import Context
from readiness.probes._answer import Answer
from readiness.probes._http import Target, attempt

SILENCES = 2
"""Timeouts or rate limits in a row after which no more is asked."""


@dataclass
class Round:
    """What has come of the requests so far."""

    context: Context
    answered: bool = False
    first: Failure | None = None
    silences: int = 0

    async def ask(
        self, to: Target, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer | Failure:
        """Return the answer, the failure of the target, or why it was not asked.

        Raises ProbeError where neither of the first two requests is answered.
        """
        if excuse := self._excuse():
            return excuse
        answer = await attempt(self.context, to, method=method, headers=headers)
        if isinstance(answer, Failure):
            if self.first and not self.answered:
                raise ProbeError(self.first.kind, self.first.detail)
            self.first = self.first or answer
            silent = answer.kind == "timeout"
        else:
            self.answered, silent = True, answer.status == 429
        self.silences = self.silences + 1 if silent else 0
        return answer

    def _excuse(self) -> Failure | None:
        if self.silences >= SILENCES:
            because = f"not asked, since {SILENCES} requests in a row timed out or were limited"
            return Failure(kind="deadline", detail=because)
        if asyncio.get_running_loop().time() + self.context.timeout > self.context.deadline:
            return Failure(kind="deadline", detail="not asked, since no time was left")
        return None
