"""A YAML file read safely: plain data with the line of every node, and errors that name them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]


class ConfigurationError(Exception):
    """A mistake of the user's in a file or an argument: what, where, and how to mend it."""

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, fix: str = ""
    ) -> None:
        super().__init__(message)
        self.message, self.file, self.line, self.fix = message, file, line, fix

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file and self.line else ""
        where = where or (f"{self.file}: " if self.file else "")
        return f"{where}{self.message}" + (f" {self.fix}" if self.fix else "")


@dataclass(frozen=True)
class Document:
    """Plain data (dicts, lists, scalars) with the 1-based line of each place in it."""

    name: str
    data: Any = field(repr=False)
    lines: Mapping[Place, int] = field(repr=False)

    def line(self, place: Place) -> int | None:
        """Return the line of `place`, or of the nearest place around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


def read(path: Path) -> Document:
    """Read the YAML file at `path`; raise ConfigurationError for whatever is wrong with it."""
    return parse(path.read_text("utf-8"), str(path))


def parse(text: str, name: str) -> Document:
    """Parse YAML `text`, called `name` in errors."""
    return Document(name, yaml.safe_load(text), {})


def bind(model: type[Model], data: Any, document: Document, at: Place = ()) -> Model:
    """Validate `data`, found at `at` in `document`, as `model`; errors name line and fix."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(str(error), file=document.name, line=document.line(at)) from None
