from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import (
    Draft202012Validator,
    FormatChecker,
)
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from readiness import probes
from readiness.document import parse, read
from readiness.inventory import schema
from readiness.probes import ProbeSettings
from tests.test_inventory import WHOLE


class _Key(BaseModel):
    kind: Literal["key"]
    key: SecretStr


class _Pair(BaseModel):
    kind: Literal["pair"]
    pair: tuple[str, str]


class _Settings(ProbeSettings):
    """What a probe takes.

    And what only its author wants to know.
    """

    request: str = Field("GET /", pattern="^(GET|HEAD) /", description="what to ask for")
    users: tuple[int, ...] = (1,)
    access: _Key | _Pair | None = Field(None, discriminator="kind")


class _Other:
    class _Settings(ProbeSettings):
        text: str = ""


class _Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


PROBES: Mapping[str, tuple[frozenset[str], type[BaseModel]]] = {
    "http_concurrency": (frozenset({"http", "web"}), _Settings),
    "http_access": (frozenset({"http"}), ProbeSettings),
    "web_page": (frozenset({"web"}), _Other._Settings),
}


def problems(document: dict[str, Any], data: object) -> list[str]:
    validator = Draft202012Validator(document, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)]


def whole(**service: object) -> dict[str, object]:
    api = {"kind": "http", "url": "http://h", **service}
    return {"version": 1, "system": {"name": "x"}, "services": {"api": api}}


def test_the_samples_follow_the_schema() -> None:
    found = {name: (probes.load(name).KINDS, probes.load(name).Settings) for name in probes.names()}
    Draft202012Validator.check_schema(schema(found))
    sample = read(Path(__file__).parents[1] / "services.yaml")
    assert problems(schema(found), sample.data) == []


def test_a_whole_file_follows_the_schema() -> None:
    anything: dict[str, tuple[frozenset[str], type[BaseModel]]] = {
        "http_access": (frozenset({"http"}), _Anything)
    }
    assert problems(schema({**PROBES, **anything}), parse(WHOLE, "f").data) == []


@pytest.mark.parametrize(
    "service",
    [
        {"criticality": "${C}", "timeout": "${T:-5s}", "samples": "${N}", "depends_on": ["$D"]},
        {"samples": 5, "timeout": 0.5, "health": {"ready": "/x"}},
        {"probes": {"http_concurrency": None, "http_access": False}},
        {"probes": {"http_concurrency": {"request": "GET /x", "users": [1, "${N}"]}}},
        {"probes": {"http_concurrency": {"access": {"kind": "key", "key": "${K}"}}}},
        {"probes": {"http_concurrency": {"access": {"kind": "${KIND}", "pair": ["a", "b"]}}}},
        {"checks": {"latency-p95": {"target": "100ms", "limit": 300}}},
        {"kind": "web", "probes": {"web_page": {"text": "x"}}},
    ],
)
def test_what_users_may_write_follows_the_schema(service: dict[str, object]) -> None:
    assert problems(schema(PROBES), whole(**service)) == []


@pytest.mark.parametrize(
    "service",
    [
        {"name": "x"},
        {"kind": "htp"},
        {"kidn": "http"},
        {"samples": "many"},
        {"samples": 0},
        {"timeout": "5x"},
        {"health": {"ready": "x"}},
        {"probes": {"http_acess": {}}},
        {"probes": {"web_page": {}}},
        {"probes": {"http_concurrency": {"user": 1}}},
        {"probes": {"http_concurrency": {"request": "PUT /"}}},
        {"checks": {"latency-p95": {"tagret": 1}}},
        {"depends_on": "auth"},
    ],
)
def test_what_users_may_not_write_breaks_the_schema(service: dict[str, object]) -> None:
    assert problems(schema(PROBES), whole(**service))


def test_the_frame_is_in_the_schema() -> None:
    document = schema(PROBES)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert problems(document, {**whole(), "services": [{"kind": "http", "url": "http://h"}]})
    assert problems(document, {**whole(), "services": {"a b": {"kind": "http", "url": "x"}}})
    assert problems(document, {**whole(), "objectives": {"avail": {"target": 1}}})
    assert problems(document, {**whole(), "services": {}})
    assert not problems(document, {**whole(), "objectives": {"availability": {"target": "95%"}}})


def test_descriptions_are_for_those_who_write_the_file() -> None:
    document = schema(PROBES)
    settings = [d for d in document["$defs"].values() if "users" in d.get("properties", {})]
    assert settings[0]["description"] == "What a probe takes."
    assert settings[0]["properties"]["request"]["description"] == "what to ask for"
    assert "dump" not in document["$defs"]["Service"]["description"]
