"""Compose files merged as `docker compose config` does it: the examples of the specification.

The expected values were compared with what compose-go v2.16.2, Compose's own loader, makes of them.
"""

from pathlib import Path
from typing import Any

import pytest

from readiness.document.tree import Node
from readiness.probes._compose.stack import Stack, load
from readiness.probes._containers.files import Unreadable
from tests.described import write


def merged(folder: Path, *texts: str, **more: str) -> Stack:
    files = {f"{index}.yaml": text for index, text in enumerate(texts)}
    write(folder, files | {f"{name}.yaml": text for name, text in more.items()})
    return load(folder, list(files))


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(one) for key, one in node.value.items()}
    return [plain(one) for one in node.value] if isinstance(node.value, list) else node.value


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mappings are merged": (
        "labels: {key1: value1, key2: value2}",
        "labels: {key2: VALUE, key3: value3}",
        {"labels": {"key1": "value1", "key2": "VALUE", "key3": "value3"}},
    ),
    "lists are appended": (
        "dns: [1.1.1.1]",
        "dns: [8.8.8.8]",
        {"dns": ["1.1.1.1", "8.8.8.8"]},
    ),
    "one text is a list of one": (
        "{dns: 1.1.1.1, env_file: a.env}",
        "{dns: [8.8.8.8], env_file: [b.env]}",
        {"dns": ["1.1.1.1", "8.8.8.8"], "env_file": ["a.env", "b.env"]},
    ),
    "commands are replaced": (
        "{command: [echo, foo], entrypoint: [a]}",
        "{command: [echo, bar], entrypoint: b}",
        {"command": ["echo", "bar"], "entrypoint": "b"},
    ),
    "tests are replaced, the rest of a healthcheck is merged": (
        "healthcheck: {test: [CMD, a], interval: 5s}",
        "healthcheck: {test: [CMD, b], retries: 2}",
        {"healthcheck": {"test": ["CMD", "b"], "interval": "5s", "retries": 2}},
    ),
    "volumes are unique by their target": (
        "volumes: ['./foo:/work', data:/data]",
        "volumes: ['./bar:/work']",
        {"volumes": ["./bar:/work", "data:/data"]},
    ),
    "ports are appended": (
        "ports: ['8080:80']",
        "ports: ['8081:80', '8080:80']",
        {"ports": ["8080:80", "8081:80"]},
    ),
    "environments are merged by name, in whatever form": (
        "environment: [A=1, B=2]",
        "environment: {A: three, C: }",
        {"environment": {"A": "three", "B": "2", "C": None}},
    ),
    "dependencies are merged by name": (
        "depends_on: [db, cache]",
        "depends_on: {db: {condition: service_healthy}}",
        {"depends_on": {"db": {"condition": "service_healthy"}, "cache": None}},
    ),
    "a build's context may be all of it": (
        "build: ./dir",
        "build: {dockerfile: D}",
        {"build": {"context": "./dir", "dockerfile": "D"}},
    ),
    "logging of another driver replaces": (
        "logging: {driver: json-file, options: {max-size: 1m}}",
        "logging: {driver: syslog}",
        {"logging": {"driver": "syslog"}},
    ),
    "logging of the same driver is merged": (
        "logging: {driver: json-file, options: {max-size: 1m}}",
        "logging: {options: {max-file: 2}}",
        {"logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": 2}}},
    ),
    "capabilities are unique": (
        "cap_add: [A, B]",
        "cap_add: [B, C]",
        {"cap_add": ["A", "B", "C"]},
    ),
    "!reset takes away": (
        "{ports: ['8080:80'], environment: {FOO: BAR}, command: a}",
        "{ports: !reset [], environment: {FOO: !reset null}, command: !reset null}",
        {"environment": {}},
    ),
    "!override replaces": (
        "{ports: ['8080:80'], environment: {FOO: BAR}}",
        "{ports: !override ['8443:443'], environment: !override {A: B}}",
        {"ports": ["8443:443"], "environment": {"A": "B"}},
    ),
    "nothing overrides nothing": (
        "{image: a, ports: ['80:80']}",
        "{image: , ports: }",
        {"image": "a", "ports": ["80:80"]},
    ),
    "limits are merged deep": (
        "deploy: {resources: {limits: {memory: 1G}}}",
        "deploy: {resources: {limits: {cpus: '1'}}}",
        {"deploy": {"resources": {"limits": {"memory": "1G", "cpus": "1"}}}},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_files_are_merged_by_the_rules_of_the_specification(name: str, tmp_path: Path) -> None:
    base, over, expected = CASES[name]
    first, second = (
        f"services:\n  foo: {text if text.startswith('{') else '{' + text + '}'}\n"
        for text in (base, over)
    )
    assert plain(merged(tmp_path, first, second).services["foo"].node) == expected


def test_every_value_keeps_the_line_of_its_own_file(tmp_path: Path) -> None:
    first = "services:\n  foo:\n    image: a\n    environment:\n      A: 1\n      B: 2\n"
    second = "services:\n  foo:\n    environment:\n      B: 3\n  bar:\n    image: b\n"
    stack = merged(tmp_path, first, second)
    foo = stack.services["foo"]
    assert foo.node.where == "0.yaml:2"
    assert {k: one.where for k, one in foo.keyed("environment").items()} == {
        "A": "0.yaml:5",
        "B": "1.yaml:4",
    }
    assert stack.services["bar"].node.where == "1.yaml:5"


def test_extending_puts_the_other_service_below_one_s_own(tmp_path: Path) -> None:
    text = "services:\n  web:\n    extends: {file: common.yaml, service: base}\n"
    text += "    environment: [B=2]\n"
    common = "services:\n  root: {image: r, environment: [A=1]}\n"
    common += "  base: {extends: root, command: a}\n"
    web = merged(tmp_path, text, common=common).services["web"]
    found = {"image": "r", "environment": {"A": "1", "B": "2"}, "command": "a"}
    assert plain(web.node) == found
    image = web.at("image")
    assert image is not None
    assert image.where == "common.yaml:2"


def test_what_is_included_can_be_overridden(tmp_path: Path) -> None:
    text = "include:\n  - db.yaml\n  - {path: [cache.yaml, cache2.yaml]}\n"
    text += "services:\n  web: {image: w, depends_on: [db, cache]}\n"
    stack = merged(
        tmp_path,
        text,
        "services: {db: {image: 'db:2'}}\n",
        db="services: {db: {image: db}}\nvolumes: {data: {}}\n",
        cache="services: {cache: {image: c}}\n",
        cache2="services: {cache: {user: u}}\n",
    )
    assert {name: plain(one.node) for name, one in stack.services.items()} == {
        "db": {"image": "db:2"},
        "cache": {"image": "c", "user": "u"},
        "web": {"image": "w", "depends_on": ["db", "cache"]},
    }
    assert stack.root.at("volumes", "data") is not None


def test_what_is_included_from_elsewhere_is_said_not_to_be_known(tmp_path: Path) -> None:
    stack = merged(tmp_path, "include: ['https://example.com/a.git']\nservices: {a: {image: x}}\n")
    assert stack.untold == "0.yaml:1 leads to a file that is not on this disk"
    assert set(stack.services) == {"a"}


def test_what_cannot_be_merged_is_refused_where_it_stands(tmp_path: Path) -> None:
    texts = ("services:\n  a:\n    volumes: [a]\n", "services:\n  a:\n    volumes: {a: b}\n")
    with pytest.raises(Unreadable, match=r"^1.yaml:3: this cannot override"):
        merged(tmp_path, *texts)


def test_anchors_and_merge_keys_are_followed_within_their_file(tmp_path: Path) -> None:
    text = "x-a: &a {restart: always, environment: &e {A: 1}}\nx-b: &b {image: b, user: u}\n"
    text += "services:\n  foo:\n    <<: [*a, *b]\n    image: own\n    environment: {<<: *e, B: 2}\n"
    foo = merged(tmp_path, text).services["foo"]
    assert plain(foo.node) == {
        "image": "own",
        "environment": {"A": 1, "B": 2},
        "restart": "always",
        "user": "u",
    }
    assert {key: one.line for key, one in foo.node.mapping.items()} == {
        "image": 6,
        "environment": 7,
        "restart": 1,
        "user": 2,
    }
