"""What reports say of each flaw, kept beside the flaws; `python -m tests.mutants.told` renews it.

The tests compare it with what is really said, so that the documentation can quote it.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.mutants.assess import Found, assess
from tests.mutants.flaws import FLAWS
from tests.mutants.service import Service

FILE = Path(__file__).with_name("told.json")
Told = Mapping[str, Mapping[str, str]]
"""Flaw -> check -> the reason in the report"""


def told() -> Told:
    """Return what is kept."""
    kept: Told = json.loads(FILE.read_text("utf-8"))
    return kept


def lasting(found: Found) -> dict[str, str]:
    """Return check -> what the report says, without ports and dates, which change."""
    return {
        check: re.sub(r"(?<=localhost):\d+|\d{4}-\d\d-\d\d", "…", because)
        for check, because in sorted(found.caught.items())
    }


def _assessed(service: type[Service]) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(assess(service(), Path(folder)))


def main() -> None:
    kept = {flaw.name: lasting(_assessed(flaw.service)) for flaw in FLAWS}
    FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
