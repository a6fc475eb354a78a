"""Evidence and criteria <-> the compressed bytes that a store keeps of them."""

import hashlib
import zlib
from functools import lru_cache

from pydantic import ValidationError

from readiness import criteria, evidence
from readiness.checks import Criteria
from readiness.document import ConfigurationError
from readiness.history.run import HistoryError, Kept, Packed, Run

MOST_BYTES = 256 * 1024 * 1024
"""What a part may unpack to: more is no run of ours, but meant to fill the memory."""


def pack(kept: Kept) -> Packed:
    """Return `kept` as bytes, its texts to the letter."""
    rules = criteria.to_json(kept.criteria).encode()
    return Packed(
        kept.run,
        zlib.compress(kept.evidence.to_json().encode("utf-8", "surrogatepass")),
        hashlib.sha256(rules).hexdigest(),
        zlib.compress(rules),
    )


def unpack(run: Run, packed_evidence: bytes, packed_criteria: bytes) -> Kept:
    """Return what `pack` has packed; HistoryError if it is damaged or of another version."""
    try:
        found = evidence.from_json(_text(packed_evidence), run.run_id)
        return Kept(run, found, _criteria(packed_criteria))
    except (ConfigurationError, ValidationError, ValueError, KeyError, TypeError, zlib.error):
        raise HistoryError(
            f"what was kept of run {run.run_id} is damaged, or of another version of readiness.",
            fix=f"Judge it with readiness {run.tool}, or name another run.",
        ) from None


@lru_cache(maxsize=4)
def _criteria(packed: bytes) -> Criteria:
    return criteria.from_json(_text(packed))


def _text(packed: bytes) -> str:
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(packed, MOST_BYTES)
    if not unpacking.eof:
        raise ValueError("cut off, or too long")
    return data.decode("utf-8", "surrogatepass")
