"""The probes: one file, one probe, one name users type. The folder is the registry."""

import importlib
import pkgutil
import ssl
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict

from readiness.estimate import Sides
from readiness.inventory import Environment, Inventory, Login, Tier
from readiness.ledger import Ledger
from readiness.load.caps import Budget
from readiness.load.closed import Level
from readiness.load.result import Result
from readiness.looks import ALONE, Looks
from readiness.measurement import Values

PROBE_SECONDS = 60.0
"""The longest that one attempt of a probe may take, unless its settings ask for more."""

Address = tuple[int, str, int]
"""(socket family, numeric IP, port)"""


Noun = Literal["identity", "journey", "step", "role", "variable", "service"]
Named = tuple[tuple[str, ...], str, Collection[str], Noun]
"""(keys below the settings, the name there, the names that there are, what they name)"""


class ProbeSettings(BaseModel):
    """What a user may write under `probes: <name>:` of a service. Each probe subclasses it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @property
    def at_most_seconds(self) -> float:
        """What one attempt may take, within the run's deadline."""
        return PROBE_SECONDS

    @property
    def own_login(self) -> Login | None:
        """A login of its own, beside the identities that `named` tells of."""
        return None

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Yield each name in these settings that must be one of the inventory's."""
        return iter(())


@dataclass(frozen=True)
class Context:
    """What the collector lends a probe for one measurement."""

    deadline: float
    """The loop time (`asyncio.get_running_loop().time()`) by which the probe must be done."""
    timeout: float
    """Seconds allowed for one exchange, within the deadline."""
    samples: int
    """Samples to take of each quantity that is sampled."""
    limits: Mapping[str, tuple[float, float]]
    """Metric -> (target, limit), for a probe that stops when its samples decide."""
    allowed: frozenset[Tier]
    """Tiers of traffic that this run permits on this system."""
    run_id: str
    """Sent along as `Readiness-Run`, so that operators can find our requests in their logs."""
    tls: Callable[[], ssl.SSLContext]
    """The run's one client context, built on first use."""
    resolve: Callable[[str, int], Awaitable[Sequence[Address]]]
    """Name resolution that a hanging resolver cannot hold past the deadline."""
    budget: Budget
    """What the run may still ask of each host under load."""
    trials: MutableMapping[Hashable, tuple[Level, Result]]
    """What short trials of the run found, so that none is made twice."""
    conceal: Callable[[str], None]
    """Registers a secret learned at run time (a token), to be masked in whatever is written."""
    inventory: Inventory
    """The whole system, for a probe that asks more than one service or asks as someone."""
    ledger: Ledger
    """Where whatever is about to be created is noted first."""
    folder: Path
    """The inventory's folder, at which the paths written in it begin."""
    previous: Values
    """What this probe measured on this service in the run before; empty if there was none."""
    looks: Looks = ALONE
    """How sure intervals must be, at each look at the samples of one of the run's checks."""
    until: float = 0.0
    """The loop time until which a probe whose samples do not decide yet may take more."""
    environment: Environment = "local"
    """What the run takes the system for: the command line's word, else the inventory's."""

    def sides(self, metric: str) -> Sides:
        """Return how sure the interval of a metric must be whose samples are looked at once."""
        return self.looks.once().sides(1, self.limits.get(metric))


class Probe(Protocol):
    """What a module in this folder offers (its docstring's first line says what it measures)."""

    TIER: Tier
    """The safety tier of its traffic."""
    KINDS: frozenset[str]
    """Kinds of service it can be pointed at."""
    EXCLUSIVE: bool
    """Whether it must run with nothing else running, because it measures time under load."""
    METRICS: Mapping[str, str]
    """Metric -> one line: unit and meaning. `*` stands for a number in a name."""
    Settings: type[ProbeSettings]

    async def measure(self, service: Any, settings: ProbeSettings, context: Context) -> Values:
        """Measure `service` (for `journey`, a Journey; for files, an Artifact) once.

        Raise freely, the collector turns it into a Failure.
        """
        ...


def names() -> tuple[str, ...]:
    """Return the names of all probes, sorted, without importing any."""
    return tuple(
        sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    )


def load(name: str) -> Probe:
    """Import the probe called `name`, one of `names()`."""
    return cast(Probe, importlib.import_module(f"{__name__}.{name}"))
