"""Measurements of access -> who may do what, and how tokens stood up to forgery."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness.measurement import Measurement, Value, number

Kept = Literal["pass", "fail", "unknown"]
_CELL = re.compile(r"cells\.([1-9]\d{0,3})\.path")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MatrixCell(_Frozen):
    """What one role got, as a status or a word, and whether that is as declared."""

    got: str
    kept: Kept


class MatrixRow(_Frozen):
    """One path of a service: role -> what that got; roles that were not tried are left out."""

    service: str
    path: str
    cells: Mapping[str, MatrixCell]


class TokenRow(_Frozen):
    """The token of one service under attack; `minutes` from issue to expiry."""

    service: str
    algorithm: str
    kept: bool
    """Whether the real token was accepted before and after."""
    minutes: float | None
    forgeries: int
    refused: int


def matrix(measurements: Sequence[Measurement]) -> tuple[MatrixRow, ...]:
    """Return one row for each path that roles were tried on, in the order they were."""
    found: dict[tuple[str, str], dict[str, MatrixCell]] = {}
    for m in measurements:
        if m.probe != "access_matrix":
            continue
        found_at = filter(None, map(_CELL.fullmatch, m.values))
        for n in sorted(int(place[1]) for place in found_at):
            cell = {key: str(m.values.get(f"cells.{n}.{key}", "")) for key in _KEYS}
            row = found.setdefault((m.service, cell["path"]), {})
            kept = _KEPT.get(cell["kept"], "unknown")
            row[cell["role"]] = MatrixCell(got=cell["got"], kept=kept)
    return tuple(MatrixRow(service=s, path=p, cells=cells) for (s, p), cells in found.items())


_KEYS = ("path", "role", "got", "kept")
_KEPT: Mapping[str, Kept] = {"pass": "pass", "fail": "fail"}


def tokens(measurements: Sequence[Measurement]) -> tuple[TokenRow, ...]:
    """Return one row for each service whose token was forged."""
    last = {m.service: m.values for m in measurements if m.probe == "jwt"}
    return tuple(_token(s, values) for s, values in last.items() if number(values.get("forgeries")))


def _token(service: str, values: Mapping[str, Value]) -> TokenRow:
    lifetime = number(values.get("lifetime_ms"))
    return TokenRow(
        service=service,
        algorithm=str(values.get("algorithm", "unknown")),
        kept=values.get("control_kept") is True,
        minutes=None if lifetime is None else lifetime / 60_000,
        forgeries=int(number(values.get("forgeries")) or 0),
        refused=int(number(values.get("forgeries_refused")) or 0),
    )
