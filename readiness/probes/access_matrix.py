"""Who gets in where, role by role, and who reads what belongs to another."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from readiness.failure import Failure, ProbeError
from readiness.inventory import NOBODY, Inventory, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, Named, ProbeSettings
from readiness.probes import _documented_access as documented
from readiness.probes._access import Asker, Policy, Reading, called, step_of, verdict
from readiness.probes._object_access import Attempt, Kept, OwnedObject, Request, Trial, attempts

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "anonymous_refused": "true or false: every path that is not for strangers refuses them",
    "roles_refused": "true or false: every path refuses the roles that it is not for",
    "roles_allowed": "true or false: every path lets in the roles that it is for",
    "objects_isolated": "true or false: what belongs to one is not read by others",
    "for_strangers": "true or false: some path refuses strangers",
    "for_roles": "true or false: some path refuses one of the roles",
    "for_someone": "true or false: some path is for someone",
    "cells.*.path": "method and path, without its query; an object's name goes before its own",
    "cells.*.role": "who asked",
    "cells.*.expected": "allow or refuse",
    "cells.*.got": "the answer's status, `no answer`, or `not asked`",
    "cells.*.kept": "pass, fail or unknown: whether that is as expected",
    **documented.METRICS,
}
_SECONDS = 180.0


def _status(status: int) -> int:
    if status in (401, 403, 404) or 300 <= status < 400:
        return status
    raise ValueError("a refusal is 401, 403 or 404, or a redirect where that is the policy")


class Access(ProbeSettings):
    """Who may ask for a path; everyone else must be refused."""

    allow: frozenset[str] = Field(description="roles, and `nobody` for those without any")


class Settings(ProbeSettings):
    """Who there is, who may do what, and whose objects are whose."""

    roles: tuple[str, ...] = Field((), description="identities; `nobody` is always there")
    paths: Mapping[Request, Access] = Field(
        default_factory=dict, description="`GET /path` -> who may (GET and HEAD only)"
    )
    objects: Mapping[str, OwnedObject] = Field(
        default_factory=dict, description="what belongs to one and must be kept from others"
    )
    openapi: Annotated[str, Field(pattern=r"^/[^\s{}]*$")] | None = Field(
        None, description="the path of an OpenAPI 3 document in JSON, to be held to"
    )
    refuse_with: frozenset[Annotated[int, AfterValidator(_status)]] = Field(
        frozenset({401, 403, 404}), min_length=1, description="statuses that count as a refusal"
    )

    @property
    def at_most_seconds(self) -> float:
        """Part of ProbeSettings."""
        return _SECONDS

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        known = (*inventory.identities, NOBODY)
        for role in self.roles:
            yield ("roles",), role, known, "identity"
        for path, access in self.paths.items():
            for role in sorted(access.allow):
                yield ("paths", path, "allow"), role, (*self.roles, NOBODY), "role"
        for name, owned in self.objects.items():
            for role in (owned.owner, *owned.others):
                yield ("objects", name), role, known, "identity"
            if owned.journey:
                journeys = [j.name for j in inventory.journeys]
                yield ("objects", name, "journey"), owned.journey, journeys, "journey"
                steps = inventory.steps_of(owned.journey)
                yield ("objects", name, "step"), owned.step or "", steps, "step"

    @model_validator(mode="after")
    def _something_to_try(self) -> "Settings":
        if not (self.paths or self.objects or self.openapi):
            raise ValueError("must name at least one path or object, or an OpenAPI document")
        known = {NOBODY, *self.roles}
        for request, access in self.paths.items():
            if unknown := sorted(access.allow - known):
                raise ValueError(f"{request} allows '{unknown[0]}', which is none of the roles")
        return self


@dataclass(frozen=True)
class Cell:
    """What one role got for one path; `without` says why it did not ask."""

    where: str
    role: str
    may: bool
    reading: Reading | None
    without: str = ""

    @property
    def entered(self) -> bool:
        """Whether it was let in."""
        return self.reading is not None and self.reading.got == "in"


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask for each path as each role, one after another, then for each object as each other."""
    policy = Policy(settings.refuse_with, service.kind == "web")
    asker = Asker(service, context, "matrix")
    cells = await _cells(settings, asker, policy)
    proven = _proven(cells)
    objects = list[Attempt]()
    lenient = Policy(settings.refuse_with | {404}, policy.login_pages)
    for name, owned in settings.objects.items():
        objects += await attempts(Trial(name, owned, asker, lenient, proven), context)
    values = {**_paths(cells, proven), **_objects(objects), **_table(cells, proven, objects)}
    if settings.openapi:
        values |= await documented.kept(settings.openapi, service, settings.roles, asker, policy)
    return values


async def _cells(settings: Settings, asker: Asker, policy: Policy) -> list[Cell]:
    """Ask those first who must not: a later control then shows that nobody was shut out."""
    cells, failures = list[Cell](), list[Failure]()
    for request, access in settings.paths.items():
        step = step_of(request)
        where = _where(step.shown, {cell.where for cell in cells})
        for role in sorted((NOBODY, *settings.roles), key=lambda role: role in access.allow):
            answer = await asker.ask(role, step)
            if isinstance(answer, Failure):
                failures.append(answer)
            without = answer if isinstance(answer, str) else ""
            reading = None if isinstance(answer, str) else policy.read(answer)
            cells.append(Cell(where, role, role in access.allow, reading, without))
    if failures and len(failures) == sum(cell.reading is not None for cell in cells):
        raise ProbeError(failures[0].kind, failures[0].detail)
    return cells


def _where(shown: str, taken: Collection[str]) -> str:
    """Tell apart what differs in its query alone, without showing that."""
    names = (f"{shown} ({n})" for n in itertools.count(2))
    return next(name for name in itertools.chain([shown], names) if name not in taken)


def _proven(cells: Sequence[Cell]) -> frozenset[str]:
    """Return the roles that were let in where strangers may not: their proofs are good."""
    closed = {cell.where for cell in cells if cell.role == NOBODY and not cell.may}
    return frozenset(
        cell.role for cell in cells if cell.where in closed and cell.may and cell.entered
    )


def _paths(cells: Sequence[Cell], proven: frozenset[str]) -> Values:
    if not cells:
        return {}
    strangers = [cell for cell in cells if not cell.may and cell.role == NOBODY]
    roles = [cell for cell in cells if not cell.may and cell.role != NOBODY]
    allowed = [cell for cell in cells if cell.may]
    values: Values = {
        "for_strangers": bool(strangers),
        "for_roles": bool(roles),
        "for_someone": bool(allowed),
    }
    for metric, kept_out in (("anonymous_refused", strangers), ("roles_refused", roles)):
        offences = [_told(cell, "let", "in", "who must not") for cell in kept_out if cell.entered]
        doubts = [_doubt(cell, cells, proven) for cell in kept_out if not cell.entered]
        values |= verdict(metric, offences, filter(None, doubts)) if kept_out else {}
    return values | _allowed(allowed)


def _allowed(cells: Sequence[Cell]) -> Values:
    refused = [c for c in cells if c.reading and c.reading.got == "refused"]
    offences = [_told(cell, "did not let", "in", "who may") for cell in refused]
    doubts = [_unclear(cell) for cell in cells if cell not in refused and not cell.entered]
    return verdict("roles_allowed", offences, doubts) if cells else {}


def _doubt(cell: Cell, cells: Sequence[Cell], proven: frozenset[str]) -> str:
    """Return why a refusal proves nothing, nothing if it does."""
    if cell.reading is None or cell.reading.got == "unclear":
        return _unclear(cell)
    may = [one for one in cells if one.where == cell.where and one.may]
    if not may and not any(one.may and one.entered for one in cells):
        return f"no one was let in anywhere, so that {cell.where} refusing them proves nothing"
    if may and not any(one.entered for one in may):
        silent = next((one for one in may if one.reading is None), None)
        why = f" ({_unclear(silent)})" if silent else ""
        return f"{cell.where} let no one in who may, so that refusing others proves nothing{why}"
    if cell.role != NOBODY and cell.role not in proven:
        return (
            f"{cell.role} was let in nowhere that is closed to strangers, "
            "so that refusing them proves nothing"
        )
    return ""


def _told(cell: Cell, verb: str, how: str, who: str) -> str:
    said = cell.reading.said if cell.reading else ""
    return f"{cell.where} {verb} {called(cell.role)} {how} ({said}), {who}"


def _unclear(cell: Cell) -> str:
    if cell.reading is None:
        return f"{cell.where} was not asked {cell.without}"
    return f"{cell.where} asked by {called(cell.role)}: {cell.reading.said}"


def _objects(objects: Sequence[Attempt]) -> Values:
    if not objects:
        return {}
    offences = [one.offence for one in objects if one.offence]
    return verdict("objects_isolated", offences, [one.doubt for one in objects if one.doubt])


def _table(cells: Sequence[Cell], proven: frozenset[str], objects: Sequence[Attempt]) -> Values:
    rows: list[tuple[Cell | Attempt, str, Kept]]
    rows = [(c, "allow" if c.may else "refuse", _kept(c, cells, proven)) for c in cells]
    rows += [(one, "refuse", one.kept) for one in objects]
    values: Values = {}
    for n, (one, expected, kept) in enumerate(rows, 1):
        got = "not asked" if one.reading is None else str(one.reading.status or "no answer")
        told = {"path": one.where, "role": one.role, "expected": expected}
        told |= {"got": got, "kept": kept}
        values |= {f"cells.{n}.{key}": value for key, value in told.items()}
    return values


def _kept(cell: Cell, cells: Sequence[Cell], proven: frozenset[str]) -> Kept:
    """Judge one cell as the verdicts do."""
    if cell.entered:
        return "pass" if cell.may else "fail"
    if cell.may:
        return "fail" if cell.reading and cell.reading.got == "refused" else "unknown"
    return "unknown" if _doubt(cell, cells, proven) else "pass"
