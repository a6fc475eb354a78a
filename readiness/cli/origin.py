"""The inventory's file -> where it stands in its repository, and the line of each subject."""

from collections.abc import Mapping
from pathlib import Path

from readiness.document import Document
from readiness.evidence import Source
from readiness.steps import Plan

_WORKSPACES = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
"""Where CI servers tell the top of the repository that a job works on."""
_SECTIONS = ("services", "journeys", "artifacts")


def origin(document: Document, plan: Plan, environ: Mapping[str, str]) -> Source:
    """Return the path and the lines of the inventory `document` that `plan` was made of."""
    names = {subject.name for subject in plan.inventory.subjects}
    lines = {
        str(place[1]): line
        for place, line in document.lines.items()
        if len(place) == 2 and place[0] in _SECTIONS and place[1] in names
    }
    return Source(path=path(Path(document.name), environ), lines=lines)


def path(file: Path, environ: Mapping[str, str]) -> str:
    """Return `file` from the top of its repository; outside of any, its name alone."""
    whole = file.resolve()
    given = [Path(environ[name]).resolve() for name in _WORKSPACES if environ.get(name)]
    found = [folder for folder in whole.parents if (folder / ".git").exists()]
    for top in (*given, *found[:1], Path.cwd()):
        if whole.is_relative_to(top):
            return whole.relative_to(top).as_posix()
    return whole.name
