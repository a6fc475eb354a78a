"""What a flaw is: a service that does one thing otherwise, and the checks that must catch it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from readiness.failure import FailureKind
from tests.mutants.service import Service

S = TypeVar("S", bound=type[Service])
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Flaw:
    """One flaw of one service; a decoy has none, though it may look as if."""

    name: str
    told: str
    """What is wrong, in one sentence."""
    service: type[Service]
    caught_by: frozenset[str]
    """The checks that must not pass; each other one must pass, or not be applicable."""
    untestable: frozenset[str]
    """The probes of which some checks are unknown, because the flaw is in their way."""
    outage: FailureKind | None
    """How other probes fail that get no answer at all because of it."""


FLAWS: list[Flaw] = []
DECOYS: list[Flaw] = []
"""Services that are right, and look odd enough to be blamed."""


def flaw(
    *caught_by: str, untestable: tuple[str, ...] = (), outage: FailureKind | None = None
) -> Callable[[S], S]:
    """Enter a service, whose docstring is one sentence, as caught by these checks."""
    return _entered(FLAWS, frozenset(caught_by), frozenset(untestable), outage)


def decoy(*, untestable: tuple[str, ...] = ()) -> Callable[[S], S]:
    """Enter a service that nothing may be found wrong with."""
    return _entered(DECOYS, frozenset(), frozenset(untestable), None)


def _entered(
    into: list[Flaw],
    caught_by: frozenset[str],
    untestable: frozenset[str],
    outage: FailureKind | None,
) -> Callable[[S], S]:
    def enter(service: S) -> S:
        told = " ".join((service.__doc__ or "").split())
        name = re.sub(
            r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", service.__name__
        ).lower()
        into.append(Flaw(name, told, service, caught_by, untestable, outage))
        return service

    return enter
