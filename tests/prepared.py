"""The program as far as every run of it gets: imported, its criteria and templates read."""

import importlib
from itertools import chain

from readiness.assessment import assess
from readiness.criteria import bundled_criteria
from readiness.report import markdown
from tests import samples

_USED = chain(
    ("readiness.__main__", "readiness.cli", "readiness.cli.assess", "readiness.cli.output"),
    (f"readiness.history.{name}" for name in ("sqlite", "store", "nowhere")),
    (f"readiness.cli.history.{name}" for name in ("one", "pruning", "table", "transfer")),
    (f"readiness.probes.http_{name}" for name in ("health", "latency", "concurrency", "access")),
    (f"readiness.probes.http_{name}" for name in ("headers", "cors", "exposure")),
)

for module in _USED:
    importlib.import_module(module)
markdown.render(assess(samples.broken(), bundled_criteria()))
