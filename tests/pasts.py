"""Evidence of a system with a history of runs, hand-made."""

from datetime import timedelta

from readiness.evidence import Evidence, Past
from readiness.gate import Verdict

_VERDICTS: tuple[tuple[int, Verdict], ...] = (
    (41, "not_ready"),
    (69, "inconclusive"),
    (84, "conditional"),
    (91, "ready"),
    (59, "not_ready"),
)


def remembered(
    evidence: Evidence, runs: int = 7, apart: timedelta = timedelta(hours=18)
) -> Evidence:
    """Return `evidence` as if `runs` runs had gone before, the oldest first."""
    past = tuple(
        Past(
            run_id=f"{n:016x}",
            started_at=evidence.started_at - (runs - n) * apart,
            value=_VERDICTS[n % len(_VERDICTS)][0],
            verdict=_VERDICTS[n % len(_VERDICTS)][1],
        )
        for n in range(runs)
    )
    return evidence.model_copy(update={"trend": past})
