"""checks/*.yaml, added packs and a service's own overrides -> Criteria."""

import fnmatch
import functools
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from readiness import bundled
from readiness.checks import Area, Check, Criteria
from readiness.document import ConfigurationError, Document, Place, bind, parse, read
from readiness.document.complaint import named, suggest
from readiness.document.composer import MAX_BYTES
from readiness.document.file import read_text, why
from readiness.inventory import Artifact, Inventory, Service
from readiness.quantity import amount, quantity

Model = TypeVar("Model", bound=BaseModel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_PROSE = {"title", "why", "fix"}


class _Pack(_Frozen):
    checks: Mapping[str, Mapping[str, Any]]


class _Areas(_Frozen):
    areas: Mapping[str, Mapping[str, Any]]


@functools.cache
def bundled_criteria() -> Criteria:
    """Return the criteria this tool ships, read once."""
    packs = [read(p) for p in sorted(bundled.CHECKS.glob("*.yaml")) if p.name != "areas.yaml"]
    return Criteria(checks=_checks(packs), areas=_areas(read(bundled.CHECKS / "areas.yaml")))


def digest(criteria: Criteria) -> str:
    """Return what tells criteria apart: 12 hex digits, equal where they judge alike.

    What is said to people of a check (title, why, fix) is no part of it.
    """
    checks = [c.model_dump(mode="json", exclude=_PROSE) for c in criteria.checks.values()]
    areas = [a.model_dump(mode="json", exclude=_PROSE) for a in criteria.areas.values()]
    text = json.dumps([checks, areas], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_json(criteria: Criteria) -> str:
    """Return `criteria` as canonical JSON, from which `from_json` makes them again."""
    return json.dumps(
        {
            "checks": [c.model_dump(mode="json") for c in criteria.checks.values()],
            "areas": [a.model_dump(mode="json") for a in criteria.areas.values()],
            "added": sorted(criteria.added),
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def from_json(text: str) -> Criteria:
    """Return the criteria that `to_json` has written as `text`; raises ValueError."""
    data = json.loads(text)
    checks = [Check.model_validate(one) for one in data["checks"]]
    areas = [Area.model_validate(one) for one in data["areas"]]
    return Criteria(
        checks={c.id: c for c in checks},
        areas={a.id: a for a in areas},
        added=frozenset(data["added"]),
    )


Metrics = Mapping[str, Collection[str]]
"""Probe name -> its metrics, `*` standing for a number."""


def with_packs(
    criteria: Criteria, packs: Mapping[str, str], metrics: Metrics | None = None
) -> Criteria:
    """Return `criteria` and the checks of `packs` (name -> YAML text).

    A pack can add checks, never redefine one; with `metrics` it can name only these.
    ConfigurationError names the line.
    """
    documents = [parse(text, name) for name, text in packs.items()]
    added = _checks(documents, taken=criteria.checks, areas=criteria.areas)
    if metrics is not None:
        for document in documents:
            for name in document.data["checks"]:
                _check_metric(added[name], metrics, document)
    return Criteria(
        checks={**criteria.checks, **added}, areas=criteria.areas, added=frozenset(added)
    )


def narrowed(criteria: Criteria, patterns: Sequence[str], also: Collection[str] = ()) -> Criteria:
    """Return the part of `criteria` that `patterns` of check ids name, and the checks `also`.

    An area takes one result, for it may have no more left. ConfigurationError for a pattern that
    names none.
    """
    chosen = set(also)
    for pattern in patterns:
        found = fnmatch.filter(criteria.checks, pattern)
        if not found:
            raise ConfigurationError(
                f"--only-checks '{pattern}' is no file, and no check is called so.",
                fix=suggest(pattern, criteria.checks),
            )
        chosen.update(found)
    checks = {name: check for name, check in criteria.checks.items() if name in chosen}
    left = {check.area for check in checks.values()}
    areas = {
        name: area.model_copy(update={"min_checks": 1})
        for name, area in criteria.areas.items()
        if name in left
    }
    return Criteria(
        checks=checks,
        areas=areas,
        added=criteria.added & checks.keys(),
        only=(*patterns, *sorted(also)),
    )


def read_packs(paths: Iterable[Path]) -> dict[str, str]:
    """Read the pack files, or the *.yaml of the folders, at `paths`: name -> text."""
    files = [f for p in paths for f in (sorted(p.glob("*.yaml")) if p.is_dir() else [p])]
    return {str(file): _pack_text(file) for file in files}


def _pack_text(path: Path) -> str:
    try:
        return read_text(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"this checks pack cannot be read ({why(error)}).",
            file=str(path),
            fix="Name a YAML file or folder.",
        ) from None


def _checks(
    documents: Sequence[Document],
    taken: Mapping[str, Check] | None = None,
    areas: Mapping[str, Area] | None = None,
) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for document in documents:
        pack = bind(_Pack, document.data, document)
        for name, body in pack.checks.items():
            place = ("checks", name)
            if name in found or name in (taken or {}):
                raise ConfigurationError(
                    f"check '{name}' exists already.",
                    file=document.name,
                    line=document.line(place),
                    fix="Give it another id, or override its target under the service's checks.",
                )
            check = _bind(Check, name, body, document, place)
            if areas is not None and check.area not in areas:
                raise ConfigurationError(
                    f"check '{name}' names the unknown area '{check.area}'.",
                    file=document.name,
                    line=document.line((*place, "area")),
                    fix=f"Use one of {', '.join(areas)}.",
                )
            found[name] = check
    return found


def _check_metric(check: Check, metrics: Metrics, document: Document) -> None:
    known = metrics.get(check.probe)
    if known is None:
        raise ConfigurationError(
            f"check '{check.id}' names the unknown probe '{check.probe}'.",
            file=document.name,
            line=document.line(("checks", check.id, "probe")),
            fix=suggest(check.probe, metrics),
        )
    if not any(fnmatch.fnmatchcase(check.metric, pattern) for pattern in known):
        raise ConfigurationError(
            f"check '{check.id}' names a metric that {check.probe} does not measure.",
            file=document.name,
            line=document.line(("checks", check.id, "metric")),
            fix=suggest(check.metric, known),
        )


def _areas(document: Document) -> dict[str, Area]:
    bodies = bind(_Areas, document.data, document).areas
    return {
        name: _bind(Area, name, body, document, ("areas", name)) for name, body in bodies.items()
    }


def _bind(
    model: type[Model], name: str, body: Mapping[str, Any], document: Document, place: Place
) -> Model:
    """Bind `body` under the id that is its key; one written inside would redefine another."""
    if "id" in body:
        raise ConfigurationError(
            f"'id' is not a known key of '{name}'.",
            file=document.name,
            line=document.line((*place, "id")),
            fix=f"'{name}' is its id.",
        )
    return bind(model, {"id": name, **body}, document, place)


def check_overrides(inventory: Inventory, criteria: Criteria, document: Document) -> None:
    """Raise ConfigurationError for an override, waiver or tolerance that fits no check."""
    overriding: list[tuple[str, Service | Artifact]] = [
        *(("services", one) for one in inventory.services),
        *(("artifacts", one) for one in inventory.artifacts),
    ]
    for part, service in overriding:
        for name in service.checks:
            place = (part, service.name, "checks", name)
            if name not in criteria.checks or not criteria.checks[name].concerns(service):
                raise _unknown(
                    name,
                    f"of {part.removesuffix('s')} '{service.name}'",
                    document,
                    place,
                    [c.id for c in criteria.checks.values() if c.concerns(service)],
                )
            _bind_override(criteria.checks[name], service, document, place)
    for index, waiver in enumerate(inventory.waivers):
        if waiver.check not in criteria.checks:
            raise _unknown(
                waiver.check, "in a waiver", document, ("waivers", index), list(criteria.checks)
            )
    numeric = [check.id for check in criteria.checks.values() if check.target is not None]
    for name in inventory.regression.checks:
        if name not in numeric:
            where = ("regression", "checks", name)
            raise _unknown(name, "of a number, under regression", document, where, numeric)


def _bind_override(
    check: Check, service: Service | Artifact, document: Document, place: Place
) -> Check:
    """Return `check` as `service` overrides it; ConfigurationError names the line."""
    written = service.checks[check.id]
    if check.target is None or not set(written) <= {"target", "limit"}:
        raise ConfigurationError(
            f"check '{check.id}' takes "
            + ("target and limit only." if check.target is not None else "no override."),
            file=document.name,
            line=document.line(place),
            fix="Waive it under waivers: if it must be excused.",
        )
    _check_shares(check, written, document, place)
    return bind(Check, check.model_dump(exclude_unset=True) | dict(written), document, place)


def _check_shares(
    check: Check, written: Mapping[str, Any], document: Document, place: Place
) -> None:
    """Refuse 80 where 80 % is meant: as 8000 % it is always met, or never."""
    usual = check.target or 0.0
    if check.unit != "ratio" or max(usual, check.limit or 0.0) > 1:
        return
    for key in written:
        if (value := _number(written[key])) > 1:
            raise ConfigurationError(
                f"{named((*place, key))} is {amount(value, 'ratio')}, more than all there is.",
                file=document.name,
                line=document.line((*place, key)),
                fix=f"Write a share as in {amount(usual, 'ratio').replace(' ', '')}.",
            )


def _number(written: Any) -> float:
    try:
        return quantity(written, "ratio")
    except ValueError:
        return 0.0  # which the check itself complains of


def _unknown(
    name: str, where: str, document: Document, place: Place, known: Sequence[str]
) -> ConfigurationError:
    return ConfigurationError(
        f"unknown check '{name}' {where}.",
        file=document.name,
        line=document.line(place),
        fix=suggest(name, known),
    )
