"""The models of an inventory and the settings of probes -> the JSON Schema of services.yaml."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Schema = dict[str, Any]
ProbeSettings = Mapping[str, tuple[frozenset[str], type[BaseModel]]]
"""Probe -> the kinds of service it can be pointed at, and the model of its settings."""

_VARIABLE: Schema = {
    "type": "string",
    "pattern": r"\$",
    "title": "Environment variable",
    "description": "Text filled from the environment: ${VAR}, ${VAR:-default} or ${VAR:?message}.",
}
_OUTER = ("title", "description", "default", "examples")
_FREE_TYPES = ("object", "array", "null")


def services_schema(inventory: type[BaseModel], probe_settings: ProbeSettings) -> Schema:
    """Return the JSON Schema (2020-12) of services.yaml as users write it.

    `inventory` is the model whose `services` are items of a definition called Service, written
    as a mapping by their names. Where a value is not free text, `${VAR}` may stand in for it.
    """
    models = [inventory, *(settings for _, settings in probe_settings.values())]
    references, whole = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}"
    )
    definitions = whole["$defs"]
    root = definitions.pop(_last(references[inventory, "validation"]["$ref"]))
    settings = {
        probe: (kinds, references[model, "validation"])
        for probe, (kinds, model) in probe_settings.items()
    }
    _by_name(root, "services", definitions["Service"], "Each service by its name.")
    _by_name(root, "journeys", definitions["Journey"], "Each journey by its name.")
    _by_name(root, "artifacts", definitions["Artifact"], "Each set of files by its name.")
    _fill_probes(definitions["Service"], settings)
    _fill_probes(definitions["Artifact"], settings)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_lenient({**root, "title": "services.yaml"}),
        "$defs": {
            "Variable": _VARIABLE,
            **{name: _lenient(schema) for name, schema in definitions.items()},
        },
    }


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def _by_name(root: Schema, key: str, item: Schema, description: str) -> None:
    """Make the list at `key` of `root` a mapping of names to `item`, a definition of its own."""
    name = item["properties"].pop("name")
    item["required"].remove("name")
    root["properties"][key] = {
        "type": "object",
        "description": description,
        "minProperties": 1,
        "patternProperties": {name["pattern"]: {"$ref": f"#/$defs/{item['title']}"}},
    }


def _fill_probes(service: Schema, settings: Mapping[str, tuple[frozenset[str], Schema]]) -> None:
    """Write into `service` the settings of each probe, and which probes each kind may have."""
    probes = service["properties"]["probes"]
    probes.pop("patternProperties", None)
    probes["properties"] = {
        probe: {"anyOf": [reference, {"type": ["boolean", "null"]}]}
        for probe, (_, reference) in settings.items()
    }
    probes["additionalProperties"] = False
    service["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": {"properties": {"probes": {"propertyNames": {"enum": _fit(kind, settings)}}}},
        }
        for kind in service["properties"]["kind"]["enum"]
    ]


def _fit(kind: str, settings: Mapping[str, tuple[frozenset[str], Schema]]) -> list[str]:
    return [probe for probe, (kinds, _) in settings.items() if kind in kinds]


def _lenient(schema: Schema) -> Schema:
    """Return `schema` such that `${VAR}` may stand wherever the text is not free."""
    inner = dict(schema)
    if "description" in inner:
        inner["description"] = inner["description"].partition("\n\n")[0].replace("\n", " ")
    if "patternProperties" in inner:
        inner["additionalProperties"] = False
    for key in ("properties", "patternProperties"):
        if key in inner:
            inner[key] = {name: _lenient(one) for name, one in inner[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(inner.get(key), dict):
            inner[key] = _lenient(inner[key])
    if "oneOf" in inner:
        inner["anyOf"] = inner.pop("oneOf")
        inner.pop("discriminator", None)
    if "anyOf" in inner:
        inner["anyOf"] = [_lenient(one) for one in inner["anyOf"]]
    return _or_variable(inner) if _is_narrow(inner) else inner


def _is_narrow(schema: Schema) -> bool:
    """Return whether `schema` is of scalars of which not every text is one."""
    types = schema.get("type", ())
    types = {types} if isinstance(types, str) else set(types)
    narrowed = any(key in schema for key in ("enum", "const", "pattern", "format", "maxLength"))
    text = not types or "string" in types
    return bool(types - {"string", *_FREE_TYPES}) or (text and narrowed)


def _or_variable(schema: Schema) -> Schema:
    outer = {key: schema[key] for key in _OUTER if key in schema}
    inner = {key: value for key, value in schema.items() if key not in outer}
    return {**outer, "anyOf": [inner, {"$ref": "#/$defs/Variable"}]}
