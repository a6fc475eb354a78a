"""An inventory and a waiver -> its file with that waiver and nothing else changed, proven so."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from readiness import document, inventory
from readiness.cli import output
from readiness.cli.say import say
from readiness.document import ConfigurationError, Document, edit
from readiness.inventory import Inventory, Waiver


def text(path: Path) -> str:
    """Return the whole text, its line ends and byte order mark included."""
    return path.read_bytes().decode("utf-8")


def edited(before: str, waiver: Waiver, wanted: Inventory, at: int | None) -> str:
    """Return `before` with `waiver` in it: instead of the one at `at`, or behind the last."""
    mark = "\ufeff" * before.startswith("\ufeff")
    rest = before.removeprefix(mark)
    parts = _written(waiver)
    if at is None:
        return mark + edit.appended(rest, "waivers", parts)
    old = _written(wanted.waivers[at])
    for name in ("owner", "reason", "until"):
        if parts[name] != old[name]:
            rest = edit.replaced(rest, ("waivers", at, name), parts[name])
    return mark + rest


def _written(waiver: Waiver) -> dict[str, str]:
    """Return the parts of `waiver` as they stand in a file, where a dollar is written twice."""
    parts = waiver.model_dump(mode="json", exclude_none=True)
    order = ("check", "service", "reason", "owner", "until")
    return {name: parts[name].replace("$", "$$") for name in order if name in parts}


def proven(listed: Document, after: str, waiver: Waiver, at: int | None) -> int:
    """Make sure that `after` says what the file said, and `waiver`; return the waiver's line."""
    try:
        new = document.parse(after, listed.name)
        found = inventory.from_document(inventory.tolerant(new, os.environ), os.environ)
    except ConfigurationError:
        raise _unsafe(listed, waiver) from None
    index = len(found.waivers) - 1 if at is None else at
    kept = {**new.data, "waivers": _without(new.data["waivers"], index)}
    usual = listed.data.get("waivers", [])
    same = kept == {**listed.data, "waivers": usual if at is None else _without(usual, index)}
    if not same or found.waivers[index] != waiver:
        raise _unsafe(listed, waiver)
    return new.line(("waivers", index)) or 1


def _without(items: Sequence[Any], index: int) -> list[Any]:
    return [item for n, item in enumerate(items) if n != index]


def _unsafe(listed: Document, waiver: Waiver) -> ConfigurationError:
    parts = ", ".join(f"{key}: {edit.scalar(text)}" for key, text in _written(waiver).items())
    return ConfigurationError(
        "this waiver cannot be written here without changing something else.",
        file=listed.name,
        line=listed.line(("waivers",)),
        fix=f"Write it by hand: {{{parts}}}.",
    )


def show(path: Path, before: str, after: str) -> None:
    """Print the change as a unified diff."""
    name = str(path)
    lines = (before.splitlines(), after.splitlines())
    for changed in difflib.unified_diff(*lines, name, name, lineterm=""):
        say(changed)


def save(path: Path, before: str, after: str) -> None:
    """Replace the file, where a link leads to what it leads to, and keep its permissions."""
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o777
        if not mode & 0o222 or not os.access(target, os.W_OK):
            raise PermissionError(0, "it is read-only")
        if text(target) != before:
            raise OSError(0, "it has changed in the meantime")
        output.save({target: after}, mode)
    except OSError as error:
        raise ConfigurationError(
            f"cannot be written ({error.strerror}).",
            file=str(path),
            fix="Make it writable, or see what would be written with --dry-run.",
        ) from None
