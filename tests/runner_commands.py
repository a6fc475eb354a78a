"""What GitHub's runner takes for a command in the output of a step, by the rules of its source.

After `ActionCommand.cs` and `ActionCommandManager.cs` of actions/runner (MIT): a line that begins
with `::` after white space and has a second `::`, or else `##[` anywhere with a `]` behind it, if
the name is one that the runner knows. Characters that a comparison by culture ignores are ignored.
"""

import re
from typing import NamedTuple

KNOWN = frozenset(
    {
        *("add-matcher", "add-mask", "add-path", "debug", "echo", "endgroup", "error", "group"),
        *("internal-set-repo-path", "notice", "remove-matcher", "save-state", "set-env"),
        *("set-output", "stop-commands", "warning"),
    }
)
_IGNORED = re.compile("[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u200b-\u200f"
                      "\u202a-\u202e\u2060-\u206f\ufeff]")  # fmt: skip
_BREAKS = re.compile(r"\r\n|\r|\n")


class Command(NamedTuple):
    """A command that the runner obeys."""

    name: str
    properties: dict[str, str]
    data: str


def commands(output: str) -> list[Command]:
    """Return the commands in what a step writes to stdout or stderr."""
    found = (_new(line) or _old(line) for line in _BREAKS.split(_IGNORED.sub("", output)))
    return [command for command in found if command]


def suspicious(output: str) -> list[str]:
    """Return the lines that look like a command to this or another runner, of whatever name.

    Azure's and TeamCity's read `##name[`, and what is no command today may be one tomorrow.
    """
    lines = _BREAKS.split(_IGNORED.sub("", output))
    return [line for line in lines if re.match(r"\s*::", line) or re.search(r"##\w*\[", line)]


def _new(line: str) -> Command | None:
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, properties = _told(line[2:end], ",")
    if name.lower() not in KNOWN:
        return None
    pairs = {key: _unescaped(value, "\r\n:,%") for key, value in properties.items()}
    return Command(name.lower(), pairs, _unescaped(line[end + 2 :], "\r\n%"))


def _old(line: str) -> Command | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, properties = _told(line[start + 3 : end], ";")
    if name.lower() not in KNOWN:
        return None
    pairs = {key: _unescaped(value, ";\r\n]%") for key, value in properties.items()}
    return Command(name.lower(), pairs, _unescaped(line[end + 1 :], ";\r\n]%"))


def _told(info: str, separator: str) -> tuple[str, dict[str, str]]:
    name, _, rest = info.partition(" ")
    pairs = (part.split("=", 1) for part in rest.strip().split(separator) if part)
    return name, {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and all(pair)}


def _unescaped(text: str, characters: str) -> str:
    for one in characters:
        text = text.replace(f"%{ord(one):02X}", one)
    return text
