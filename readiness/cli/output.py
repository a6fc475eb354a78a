"""Assessment -> files, each written whole or not at all, and lines for a code host."""

import errno
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from readiness import report
from readiness.assessment import Assessment
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.document.complaint import suggest
from readiness.document.file import read_text, why

EVIDENCE, ASSESSMENT = "evidence.json", "assessment.json"
STEP_SUMMARY, STEP_OUTPUT = "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"
"""The variables in which GitHub Actions names the files of a step's summary and outputs."""


def known(formats: Sequence[str]) -> tuple[str, ...]:
    """Return `formats` with markdown first; ConfigurationError for an unknown one."""
    names = (*report.FORMATS, *report.PRINTED)
    for name in formats:
        if name not in names:
            raise ConfigurationError(f"--format does not know '{name}'.", fix=suggest(name, names))
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
        return read_text(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"this file cannot be read ({why(error)}).",
            file=str(path),
            fix="Name an evidence.json.",
        ) from None


def write(found: Assessment, folder: Path, formats: Sequence[str]) -> tuple[Path, ...]:
    """Write evidence, assessment and each format to its place; raises OSError.

    What is printed is printed even if nothing can be saved.
    """
    texts = {EVIDENCE: found.evidence.to_json(), ASSESSMENT: found.to_json()}
    for name in formats:
        if name in report.PRINTED:
            for line in report.PRINTED[name](found).splitlines():
                say(line, raw=True)
        else:
            file, render = report.FORMATS[name]
            texts[file] = render(found)
    save({folder / file: content for file, content in texts.items()})
    if "github" in formats:
        _append(STEP_SUMMARY, report.FORMATS["summary"].render(found))
        decision = found.model.decision
        _append(STEP_OUTPUT, f"verdict={decision.verdict}\nscore={decision.value}\n")
    return tuple(folder / file for file in texts)


def _append(variable: str, content: str) -> None:
    """Add `content` to the file that GitHub Actions names in `variable`, if it runs us."""
    path = os.environ.get(variable)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write(content)
    except OSError as error:
        reason = f"{variable} cannot be written to ({error.strerror})"
        raise OSError(error.errno, reason) from None


def save(content: Mapping[Path, str], mode: int = 0o644) -> None:
    """Put each text at its path, all or none: a full disk or a kill leaves every old file whole."""
    with ExitStack() as stack:
        staged = [(_staged(path, text, mode, stack), path) for path, text in content.items()]
        for temporary, path in staged:
            temporary.replace(path)


def _staged(path: Path, text: str, mode: int, stack: ExitStack) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    stack.callback(temporary.unlink, missing_ok=True)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(mode)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{path.name} is a folder")
    return temporary
