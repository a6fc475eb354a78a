"""Assessment -> files: each written whole or not at all."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from readiness import report
from readiness.assessment import Assessment
from readiness.document import ConfigurationError
from readiness.document.complaint import suggest

EVIDENCE, ASSESSMENT = "evidence.json", "assessment.json"


def known(formats: Sequence[str]) -> tuple[str, ...]:
    """Return `formats` with markdown first; ConfigurationError for an unknown one."""
    for name in formats:
        if name not in report.FORMATS:
            raise ConfigurationError(
                f"--format does not know '{name}'.", fix=suggest(name, report.FORMATS)
            )
    return tuple(dict.fromkeys(["markdown", *formats]))


def prepare(folder: Path) -> None:
    """Make sure, before any traffic, that files can be written to `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"the output folder cannot be written to ({error.strerror}).",
            file=str(folder),
            fix="Name another with --out.",
        ) from None


def text(path: Path) -> str:
    """Read the text file at `path`; ConfigurationError if that fails."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(
            f"this file cannot be read ({why}).", file=str(path), fix="Name an evidence.json."
        ) from None


def write(found: Assessment, folder: Path, formats: Sequence[str]) -> tuple[Path, ...]:
    """Write evidence, assessment and each format to `folder`; raises OSError."""
    texts = {EVIDENCE: found.evidence.to_json(), ASSESSMENT: found.to_json()}
    for name in formats:
        file, render = report.FORMATS[name]
        texts[file] = render(found)
    for file, content in texts.items():
        _replace(folder / file, content)
    return tuple(folder / file for file in texts)


def _replace(path: Path, content: str) -> None:
    """Put `content` at `path` atomically: a full disk or a kill leaves the old file whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
