"""Small assessments, each a run of its own, for tests of the history."""

from datetime import timedelta
from typing import Any

from readiness.assessment import Assessment
from tests.judging import NOW, healthy, inventory, judged, service


def run(name: str = "r1", minute: int = 0, **changes: Any) -> Assessment:
    """Return the assessment of a small system, finished `minute` minutes after NOW."""
    at = NOW + timedelta(minutes=minute)
    of = changes.pop("of", None) or inventory(service())
    found = changes.pop("found", healthy())
    return judged(of, *found, run_id=name, started_at=at, finished_at=at, **changes)
