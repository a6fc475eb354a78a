"""Files that describe containers, written for one test -> what the bundled checks say of them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readiness.finding import Finding
from readiness.inventory import ARTIFACT_PROBES, ArtifactKind, Inventory
from readiness.probes import Context
from tests.states import judged

Files = Mapping[str, str]


def write(folder: Path, files: Files) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def inventory(
    kind: ArtifactKind, names: list[str], services: Any = (), probes: Any = None
) -> Inventory:
    """One artifact called `run`, and services as services.yaml has them."""
    artifact = {"kind": kind, "files": names, "probes": {ARTIFACT_PROBES[kind]: probes or {}}}
    return Inventory.model_validate(
        {
            "version": 1,
            "system": {"name": "shop"},
            "services": services or [],
            "artifacts": {"run": artifact},
        }
    )


async def findings(
    context: Context,
    folder: Path,
    kind: ArtifactKind,
    files: Files,
    services: Any = (),
    probes: Any = None,
    names: list[str] | None = None,
) -> dict[str, dict[str, Finding]]:
    """Return the findings of each subject by check: the artifact is called `run`."""
    write(folder, files)
    of = inventory(kind, names or list(files), services, probes)
    lent = dataclasses.replace(context, inventory=of, folder=folder)
    only = [ARTIFACT_PROBES[kind]]
    return {one.name: await judged(one, lent, only) for one in of.subjects}
