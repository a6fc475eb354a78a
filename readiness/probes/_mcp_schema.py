"""A tool's JSON Schemas -> what is wrong with them, within bounds and without asking the network.

A schema comes from outside: it may be huge, nested without end, or refer to itself or to hosts of
its choice. So its size and the steps of its validation are bounded, no reference is followed but
within it, and no pattern of its own is run, since a pattern can take for ever.
"""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from readiness.failure import ProbeError

MOST_VALUES = 10_000
"""Values in one schema; what is larger is not checked."""
DEEPEST = 64
MOST_STEPS = 200_000
"""Steps of validation for all schemas of a server together: a few seconds of them."""
MOST_STEPS_EACH = 20_000
"""Steps for one schema: while they are taken, nothing else of this program goes on."""
_SHOWN = 60
_DATA = ("const", "enum", "default", "examples", "example")
"""Keywords whose values are data, in which `$ref` and the like mean nothing."""


class TooMuch(Exception):
    """Raised where a schema is beyond the bounds; says how."""


class Steps:
    """What validation may still take."""

    def __init__(self) -> None:
        self._left, self._here = MOST_STEPS, 0

    def begin(self) -> None:
        """Begin with the next schema."""
        self._here = MOST_STEPS_EACH

    def take(self) -> None:
        """Take one step; raises TooMuch where none is left."""
        self._left, self._here = self._left - 1, self._here - 1
        if self._left < 0 or self._here < 0:
            raise TooMuch("checking it takes too many steps")


def require_jsonschema() -> None:
    """Raise ProbeError `not_installed` without the validator, which comes with the MCP SDK."""
    try:
        import jsonschema  # noqa: F401
    except ImportError as error:
        how = "jsonschema is not installed: pip install 'readiness[mcp]'"
        raise ProbeError("not_installed", how) from error


def fault(schema: Any, steps: Steps, *, must_be_object: bool) -> str | None:
    """Return what makes `schema` no valid schema of its dialect, None if it is one.

    Raises TooMuch where that cannot be told within bounds.
    """
    if not isinstance(schema, dict):
        return "is no JSON Schema object"
    _measure(schema)
    dialect = _dialect(schema)
    if dialect is None:
        return "is of a dialect that is not known"
    if must_be_object and schema.get("type") != "object":
        return 'has not the type "object"'
    validator = _bounded(dialect, steps)(dialect.META_SCHEMA, registry=_registry())
    try:
        error = next(validator.iter_errors(schema), None)
    except RecursionError:
        raise TooMuch("it is nested too deep") from None
    if error is not None:
        return f"breaks its dialect at {_place(error.absolute_path)}"
    return "refers to a part of itself that is missing" if _dangles(schema) else None


def remote(schema: Any) -> bool:
    """Whether a reference leaves the schema, for a host or a file. Raises TooMuch."""
    if not isinstance(schema, dict):
        return False
    _measure(schema)
    own = {part["$id"] for part in parts(schema) if isinstance(part.get("$id"), str)}
    return any(
        not ref.startswith("#") and ref.partition("#")[0] not in own for ref in _references(schema)
    )


def breach(value: Any, schema: Mapping[str, Any], steps: Steps) -> str | None:
    """Return where `value` is not as `schema` has it, None if it is. Raises TooMuch."""
    _measure(value)
    if fault(schema, steps, must_be_object=False):
        raise TooMuch("its outputSchema is not valid itself")
    dialect = _dialect(schema)
    if remote(schema):
        raise TooMuch("its outputSchema refers to another host, which is not asked")
    if any("patternProperties" in part for part in parts(schema)):
        raise TooMuch("its outputSchema has patternProperties, which are not run")
    import referencing.exceptions

    validator = _bounded(dialect, steps)(schema, registry=_registry())
    try:
        error = next(validator.iter_errors(value), None)
    except referencing.exceptions.Unresolvable:
        raise TooMuch("its outputSchema refers to what is missing") from None
    except RecursionError:
        raise TooMuch("its outputSchema refers to itself without end") from None
    except ValueError:
        raise TooMuch("its outputSchema has a name that is no URL") from None
    return f"at {_place(error.absolute_path)}" if error is not None else None


def _measure(value: Any) -> None:
    """Raise TooMuch for what is too large or too deep."""
    waiting: list[tuple[int, Any]] = [(0, value)]
    count = 0
    while waiting:
        depth, one = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            raise TooMuch(f"it holds more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise TooMuch(f"it is nested more than {DEEPEST} deep")
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        waiting += [(depth + 1, child) for child in inner]


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a schema that may be schemas: all but data."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += [child for key, child in one.items() if key not in _DATA]
        elif isinstance(one, list):
            waiting += one


def _references(schema: Any) -> Iterator[str]:
    for part in parts(schema):
        for key in ("$ref", "$dynamicRef"):
            if isinstance(part.get(key), str):
                yield part[key]


def _dangles(schema: Mapping[str, Any]) -> bool:
    """Whether a reference into the schema leads nowhere; with ids in it that is not told."""
    all_parts = list(parts(schema))
    if any("$id" in part or "id" in part for part in all_parts):
        return False
    keys = ("$anchor", "$dynamicAnchor")
    anchors = {part[key] for part in all_parts for key in keys if isinstance(part.get(key), str)}
    inner = {ref[1:] for ref in _references(schema) if ref.startswith("#")} - anchors - {""}
    return not all(ref.startswith("/") and _leads(schema, ref) for ref in inner)


def _leads(schema: Mapping[str, Any], pointer: str) -> bool:
    at: Any = schema
    for step in unquote(pointer[1:]).split("/")[: DEEPEST + 1]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(at, dict) and key in at:
            at = at[key]
        elif isinstance(at, list) and re.fullmatch("[0-9]{1,5}", key) and int(key) < len(at):
            at = at[int(key)]
        else:
            return False
    return True


def _dialect(schema: Mapping[str, Any]) -> Any:
    """Return the validator of the dialect, 2020-12 where none is named; None if it is not known."""
    from jsonschema import Draft202012Validator, validators

    named = schema.get("$schema")
    if named is None:
        return Draft202012Validator
    if not isinstance(named, str):
        return None
    try:
        return validators.validator_for({"$schema": named}, default=None)
    except ValueError:  # it is no URL
        return None


@functools.cache
def _registry() -> Any:
    """Return the standard's own schemas and nothing that could fetch others."""
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

    return REGISTRY


def _bounded(dialect: Any, steps: Steps) -> Any:
    """Return the dialect's validator with its steps counted, its patterns left out."""
    import attrs
    from jsonschema import validators

    steps.begin()

    def counted(keyword: Callable[..., Any]) -> Callable[..., Any]:
        def check(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
            steps.take()
            return keyword(validator, value, instance, schema)

        return check

    own = {**dialect.VALIDATORS, "pattern": _nothing, "uniqueItems": _unique}
    bounded = validators.extend(dialect, {name: counted(check) for name, check in own.items()})
    # or a `$schema` within the schema brings the unbounded validator back
    bounded.evolve = lambda self, **changes: attrs.evolve(self, **changes)
    return bounded


def _nothing(_validator: Any, _value: Any, _instance: Any, _schema: Any) -> Iterator[Any]:
    return iter(())


def _unique(validator: Any, value: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    """Part of JSON Schema, in a time that grows with the items and not with their square."""
    from jsonschema.exceptions import ValidationError

    if value and validator.is_type(instance, "array"):
        texts = [json.dumps(item, sort_keys=True) for item in instance]
        if len(set(texts)) < len(texts):
            yield ValidationError("has an item twice")


def _place(path: Any) -> str:
    """Return where in a document, as a JSON pointer; what is not plain there is not shown."""
    steps = (step if re.fullmatch(r"[\w.$-]{1,40}", str(step)) else "?" for step in path)
    return ("/" + "/".join(map(str, steps)))[:_SHOWN] if path else "its top"
