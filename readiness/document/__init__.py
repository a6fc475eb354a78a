"""A YAML file read safely: plain data with the line of every node, and errors that name them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from readiness.document.complaint import MOST, Complaint, Place, complaints
from readiness.document.composer import MAX_BYTES, Mistake, compose
from readiness.document.environment import StandIns
from readiness.document.file import read_bytes, why

__all__ = ["ConfigurationError", "Document", "Place", "bind", "parse", "read"]

Model = TypeVar("Model", bound=BaseModel)


class ConfigurationError(Exception):
    """A mistake of the user's in a file or an argument: what, where, and how to mend it.

    `errors` holds each mistake by itself where several were found at once.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        fix: str = "",
        errors: "Sequence[ConfigurationError]" = (),
    ) -> None:
        super().__init__(message)
        self.message, self.file, self.line, self.fix = message, file, line, fix
        self.errors: tuple[ConfigurationError, ...] = tuple(errors) or (self,)

    def __str__(self) -> str:
        if len(self.errors) > 1:
            more = [f"... and {len(self.errors) - MOST} more"] * (len(self.errors) > MOST)
            return "\n".join([*map(str, self.errors[:MOST]), *more])
        where = f"{self.file}:{self.line}: " if self.file and self.line else ""
        where = where or (f"{self.file}: " if self.file else "")
        return f"{where}{self.message}" + (f" {self.fix}" if self.fix else "")


@dataclass(frozen=True)
class Document:
    """Plain data (dicts, lists, scalars) with the 1-based line of each place in it."""

    name: str
    data: Any = field(repr=False)
    lines: Mapping[Place, int] = field(repr=False)
    unset: frozenset[Place] = frozenset()
    """Places whose text needs an environment variable that is not set, and need not be."""

    def line(self, place: Place) -> int | None:
        """Return the line of `place`, or of the nearest place around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)

    def at(self, place: Place) -> Any:
        """Return the data at `place`, None where there is none."""
        node = self.data
        for part in place:
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def error(self, found: Sequence[Complaint]) -> ConfigurationError:
        """Return one error that tells of all the mistakes `found` in this document, by line."""
        errors = [
            ConfigurationError(str(one), file=self.name, line=self.line(one.place), fix=one.fix)
            for one in found
        ]
        errors.sort(key=lambda error: error.line or 0)
        first = errors[0]
        return ConfigurationError(
            first.message, file=first.file, line=first.line, fix=first.fix, errors=errors
        )


def read(path: Path) -> Document:
    """Read the YAML file at `path`; raise ConfigurationError for whatever is wrong with it."""
    try:
        raw = read_bytes(path, MAX_BYTES)
    except FileNotFoundError:
        what, fix = "there is no such file.", "Check the path."
    except IsADirectoryError:
        what, fix = "this is a folder.", "Name the file in it."
    except (OSError, ValueError) as error:
        what, fix = f"cannot be read ({why(error)}).", "Make it readable, or name another."
    else:
        return _composed(raw, str(path))
    raise ConfigurationError(what, file=str(path), fix=fix)


def parse(text: str, name: str) -> Document:
    """Parse YAML `text`, called `name` in errors; ConfigurationError for whatever is wrong."""
    return _composed(text.encode("utf-8", "surrogatepass"), name)


def _composed(raw: bytes, name: str) -> Document:
    try:
        return Document(name, *compose(raw))
    except Mistake as error:
        message = f"{error.what}."
        raise ConfigurationError(message, file=name, line=error.line, fix=error.fix) from None


def bind(model: type[Model], data: Any, document: Document, at: Place = ()) -> Model:
    """Validate `data`, found at `at` in `document`, as `model`.

    ConfigurationError tells of all mistakes at once, each with line and fix and none with the
    value found, which may be a secret. What hangs on a variable that may stay unset is let pass.
    """
    stand_ins = StandIns(data)
    while True:
        try:
            return model.model_validate(stand_ins.data)
        except ValidationError as error:
            found = complaints(error, model, document.at(at))
        unset = [one.place for one in found if (*at, *one.place) in document.unset]
        if not stand_ins.advance(unset):
            raise document.error([one.below(at) for one in found])
