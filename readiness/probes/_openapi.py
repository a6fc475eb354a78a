"""An OpenAPI document -> the operations that only read, and whether each requires a proof."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

METHODS = ("get", "head")
"""The operations that change nothing (RFC 9110, section 9.2.1), as OpenAPI writes them."""

_LONGEST_VALUE = 200
_DEEPEST = 5
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNFIT = re.compile("[\\s\\x00-\\x20\\x7f\ud800-\udfff{}?#]")
"""What no path that is asked for may hold, lone surrogates of JSON included."""


@dataclass(frozen=True)
class Operation:
    """One operation that can be asked for."""

    method: str
    path: str
    secured: bool

    @property
    def request(self) -> str:
        """Method and path, as a step is written."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Operations:
    """What a document offers: the secured ones first, then by path and method."""

    asked: tuple[Operation, ...]
    left_out: int
    """Operations that only read but cannot be asked: for want of an example, or of a fit path."""
    secures: bool
    """Whether some operation that only reads is secured, asked or not."""


def version_fault(document: Any) -> str:
    """Return why `document` cannot be read, empty if it is OpenAPI 3."""
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        return "it is no OpenAPI document in JSON"
    if not str(document.get("openapi", "")).startswith("3."):
        return "it is not OpenAPI 3.0 or later"
    return ""


def operations(document: Mapping[str, Any], below: str = "") -> Operations:
    """Read what `version_fault` finds nothing wrong with; `below` is the service's own path.

    An operation is secured unless its `security` (else the document's) is empty or offers the
    empty requirement (OpenAPI 3.1.1, section 4.8.30). References leave the document never.
    """
    found, left_out, secures = list[Operation](), 0, False
    base = _base(document, below)
    for path, item, method, operation in _each(document):
        filled = _filled(
            path, [*_list(item, "parameters"), *_list(operation, "parameters")], document
        )
        secured = _secured(document, operation)
        secures = secures or secured
        if filled is None or _UNFIT.search(base + filled):
            left_out += 1
        else:
            found.append(Operation(method.upper(), base + filled, secured))
    found.sort(key=lambda one: (not one.secured, one.path, one.method))
    return Operations(tuple(found), left_out, secures)


def _each(document: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            operation = item.get(method) if isinstance(item, Mapping) else None
            if isinstance(path, str) and path.startswith("/") and isinstance(operation, Mapping):
                yield path, item, method, operation


def _secured(document: Mapping[str, Any], operation: Mapping[str, Any]) -> bool:
    required = operation.get("security", document.get("security"))
    return isinstance(required, list) and bool(required) and all(required)


def _filled(path: str, parameters: Sequence[Any], document: Mapping[str, Any]) -> str | None:
    """Put examples in for the parameters of a path; None if one cannot be sent.

    A parameter without an example stays in braces, which makes the path unfit.
    """
    for written in parameters:
        parameter = _resolved(written, document)
        name = parameter.get("name")
        if parameter.get("in") == "path" and isinstance(name, str):
            value = _example(parameter, document)
            if value is not None and _SURROGATE.search(value):
                return None
            if value is not None:
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def _example(parameter: Mapping[str, Any], document: Mapping[str, Any]) -> str | None:
    schema = _resolved(parameter.get("schema"), document)
    examples = parameter.get("examples")
    named = list(examples.values())[:1] if isinstance(examples, Mapping) else []
    offered = [
        parameter.get("example"),
        *(_resolved(one, document).get("value") for one in named),
        schema.get("example"),
        *_list(schema, "examples")[:1],
        schema.get("default"),
    ]
    for value in offered:
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)[:_LONGEST_VALUE]
    return None


def _resolved(written: Any, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references within the document; what leads nowhere is empty."""
    for _ in range(_DEEPEST):
        reference = written.get("$ref") if isinstance(written, Mapping) else None
        if not isinstance(reference, str):
            return written if isinstance(written, Mapping) else {}
        written = document if reference.startswith("#/") else None
        for key in reference.removeprefix("#/").split("/"):
            key = key.replace("~1", "/").replace("~0", "~")
            written = written.get(key) if isinstance(written, Mapping) else None
    return {}


def _base(document: Mapping[str, Any], below: str) -> str:
    """Return the path of the first server, whatever its origin, without the service's own."""
    servers = _list(document, "servers")
    url = servers[0].get("url") if servers and isinstance(servers[0], Mapping) else None
    try:
        path = urlsplit(url).path.rstrip("/") if isinstance(url, str) else ""
    except ValueError:
        return ""
    path = path.removeprefix(below.rstrip("/"))
    return path if path.startswith("/") and not set("{}") & set(path) else ""


def _list(data: Any, key: str) -> list[Any]:
    value = data.get(key) if isinstance(data, Mapping) else None
    return value if isinstance(value, list) else []
