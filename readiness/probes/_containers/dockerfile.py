"""A Dockerfile -> what its last stage says of user and health, as far as it says so itself."""

import re
from pathlib import Path
from typing import NamedTuple

from readiness.document.file import read_text

_MOST_BYTES = 1 << 20
_INSTRUCTION = re.compile(r"\s*(FROM|USER|HEALTHCHECK)\s+(.+)", re.IGNORECASE)


class Built(NamedTuple):
    """`user` and `healthcheck` are empty where the file says nothing, so that its base decides."""

    base: str
    user: str
    healthcheck: str


def built(path: Path, target: str = "") -> Built | None:
    """Return what the stage `target`, or the last one, says; None if there is no such file."""
    try:
        text = read_text(path, _MOST_BYTES)
    except (OSError, ValueError):
        return None
    stages: dict[str, Built] = {}
    name, found = "", Built("", "", "")
    for line in re.sub(r"\\[ \t]*\r?\n", " ", text).splitlines():
        match = _INSTRUCTION.match(line)
        if not match:
            continue
        word, rest = match[1].upper(), match[2].strip()
        if word == "FROM":
            if target and name.lower() == target.lower():
                break
            words = [one for one in rest.split() if not one.startswith("--")]
            base, name = words[0] if words else "", words[2] if len(words) > 2 else ""
            found = stages.get(base.lower(), Built(base, "", ""))
        elif word == "USER":
            found = found._replace(user=rest.split()[0])
        else:
            found = found._replace(healthcheck=rest)
        stages[name.lower()] = found
    return found
