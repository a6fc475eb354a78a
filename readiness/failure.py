"""Why a measurement could not be made, and whether the target or this tool is to blame."""

import asyncio
import errno
import socket
import ssl
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

FailureKind = Literal[
    "timeout",
    "refused",
    "dns",
    "tls",
    "reset",
    "protocol",
    "local_limit",
    "probe_bug",
    "not_allowed",
    "not_installed",
    "denied",
    "deadline",
]
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
TARGET_FAULTS: frozenset[FailureKind] = frozenset(
    {"timeout", "refused", "dns", "tls", "reset", "protocol"}
)


class Failure(BaseModel):
    """One reason for having no measurement. `detail` is a sentence part free of secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FailureKind
    detail: str

    @property
    def blames_target(self) -> bool:
        """Whether the probed system is at fault, so that its checks fail rather than go unknown."""
        return self.kind in TARGET_FAULTS


class ProbeError(Exception):
    """Raised by a probe that knows precisely which failure it met."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.failure = Failure(kind=kind, detail=detail)
