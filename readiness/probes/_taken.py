"""One step of a journey: the request as it is sent, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from readiness.failure import Failure
from readiness.inventory import Step
from readiness.probes._http import Target
from readiness.probes._payload import Payload

Outcome = Literal["passed", "failed", "unknown", "not reached"]
_NOT_SENT = frozenset({"refused", "dns", "tls"})
"""Failures that come before a request is sent."""


@dataclass(frozen=True)
class Asked:
    """One request as it is sent; all of it may be secret but `shown`."""

    to: Target
    method: str
    headers: Mapping[str, str] = field(repr=False)
    payload: Payload = field(repr=False)
    shown: str = ""
    seconds: float = 0.0
    """What it may take; 0 leaves that to the context."""


@dataclass(frozen=True)
class Taken:
    """What became of one step. `because` says why it did not pass, without secrets."""

    step: Step
    outcome: Outcome
    because: str = ""
    answered: str = ""
    ms: float | None = None
    status: int | None = None
    failure: Failure | None = None
    said: str = ""
    """The reason that the server gave."""

    @property
    def told(self) -> str:
        """The answer's status, if one came, and why that did not pass."""
        if not self.status:
            return self.because
        said = f": {self.said}" if self.said else ""
        return f"answered {self.status}{said}, {self.because}"

    @property
    def why(self) -> str:
        """Why it did not pass, with the server's own words; empty if it did."""
        return f"{self.because}: {self.said}" if self.said else self.because

    @property
    def refused(self) -> bool:
        """Whether it is certain that what was asked for was not done.

        A 408 says that the server has lost patience, not that it has done nothing.
        """
        if self.failure:
            return self.failure.kind in _NOT_SENT
        return self.status is not None and 400 <= self.status < 500 and self.status != 408
