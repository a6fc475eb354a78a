"""Every flaw, by what it is a flaw of: each subclass does one thing otherwise than the service."""

from types import ModuleType

from tests.mutants.flaw import DECOYS, FLAWS, Flaw
from tests.mutants.flaws import (
    access,
    browser,
    decoys,
    exposure,
    openid,
    sessions,
    tokens,
    transport,
    work,
)

__all__ = ["DECOYS", "FLAWS", "PARTS", "Flaw", "decoys"]
PARTS: tuple[ModuleType, ...] = (
    *(access, tokens, sessions, work, browser, exposure, transport, openid),
)
"""The modules that hold flaws; each says in its first line what of."""
