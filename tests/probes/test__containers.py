"""Files of any shape end with an answer; images, secrets, variables and names are told apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from readiness.document.composer import Mistake
from readiness.document.tree import trees
from readiness.probes import Context
from readiness.probes._containers import image, smell
from readiness.probes._containers.duration import milliseconds
from readiness.probes._containers.names import same
from readiness.probes._containers.template import HOLE, filled
from tests.described import findings
from tests.probes import test_compose_file, test_kubernetes_manifests

JUNK: tuple[Any, ...] = (
    *(None, 5, True, 1.5, "x", "${X}", "a:b:c:d:e", "-", [], {}, [[]], [None], {"a": None}),
    *({"a": {"b": [1]}}, ["CMD"], [{"x": 1}], "1" * 400),
)


def places(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    if isinstance(node, list):
        node = dict(enumerate(node))
    for key, one in node.items() if isinstance(node, dict) else ():
        yield from places(one, (*place, key))


def put(node: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    first, rest = place[0], place[1:]
    if isinstance(node, dict):
        return {key: put(one, rest, value) if key == first else one for key, one in node.items()}
    return [put(one, rest, value) if i == first else one for i, one in enumerate(node)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "clean"),
    [("compose", test_compose_file.CLEAN), ("kubernetes", test_kubernetes_manifests.CLEAN)],
)
async def test_a_file_of_any_shape_ends_in_no_fault_of_ours(
    kind: Any, clean: str, context: Context, tmp_path: Path
) -> None:
    documents = list(yaml.load_all(clean, yaml.CSafeLoader))
    wrong = [
        (put(documents, place, JUNK[index % len(JUNK)]))
        for index, place in enumerate(places(documents))
        if len(place) > 1
    ]
    for data in wrong:
        text = yaml.dump_all(data, Dumper=yaml.CSafeDumper)
        for finding in (await findings(context, tmp_path, kind, {"f.yaml": text}))["run"].values():
            assert finding.failure is None, (finding.failure, text)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("nginx", "has no tag"),
        ("registry:5000/nginx", "has no tag"),
        ("nginx:latest", "has the tag latest, which names no version"),
        ("redis:alpine", "has the tag alpine, which names no version"),
        ("nginx:1", ""),
        ("registry:5000/nginx:1.2", ""),
        ("nginx@sha256:00", ""),
        ("nginx@1.2", "has after its @ what is no digest"),
        ("nginx:latest@sha256:00", ""),
        (f"nginx:{HOLE}", ""),
        (HOLE, ""),
        (f"{HOLE}/nginx", "has no tag"),
        ("debian:bookworm-slim", ""),
        ("python:bookworm", "has the tag bookworm, which names no version"),
    ],
)
def test_an_image_is_pinned_or_not(reference: str, why: str) -> None:
    assert image.floating(reference) == why


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("POSTGRES_PASSWORD", "hunter2", True),
        ("POSTGRES_PASSWORD", "${P:-hunter2}", True),
        ("POSTGRES_PASSWORD", "${P}", False),
        ("POSTGRES_PASSWORD", "", False),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/p", False),
        ("DATABASE_URL", "postgres://u:hunter2@db/x", True),
        ("DATABASE_URL", "postgres://u:${P}@db/x", False),
        ("DATABASE_URL", "postgres://u@db/x", False),
        ("ALLOW_EMPTY_PASSWORD", "yes", False),
        ("INITIAL_ADMIN_PASSWORD", "hunter2", True),
        ("MIN_PASSWORD", "twelve", False),
        ("MYSQL_RANDOM_ROOT_PASSWORD", "1", False),
        ("ACCESS_TOKEN_TTL", "5m", False),
        ("AWS_ACCESS_KEY_ID", "minio", False),
        ("SECRET_KEY_BASE", "abcdef0123", True),
        ("COMPASS", "north", False),
        ("API_KEY", "{{ .Values.key }}", False),
    ],
)
def test_a_variable_holds_a_secret_or_not(name: str, value: str, secret: bool) -> None:
    assert smell.in_variable(name, filled(value)) is secret


@pytest.mark.parametrize(
    ("command", "secret"),
    [
        ("redis-server --requirepass hunter2", True),
        ("redis-server --requirepass ${P}", False),
        ("redis-server --requirepass $$P", False),
        ("mysqladmin ping -phunter2", True),
        ("mysqladmin ping -h localhost", False),
        ("redis-cli -a hunter2 ping", True),
        ("app --password-file /run/secrets/p", False),
        ("app --token=hunter2", True),
        ("curl http://u:hunter2@localhost", True),
        ("mkdir -p data", False),
    ],
)
def test_a_command_holds_a_secret_or_not(command: str, secret: bool) -> None:
    assert smell.in_command(filled(command)) is secret


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A:-b}", "b"),
        ("${A-b}", "b"),
        ("${A}${B:?message}$C", HOLE * 3),
        ("${A:+b}", HOLE),
        ("${A:-x${B:-y}z}", "xyz"),
        ("$$A costs $$5", "$A costs $5"),
        ("${A:-b", "b"),
        ("$5", "$5"),
    ],
)
def test_variables_are_filled_from_the_file_alone(text: str, expected: str) -> None:
    assert filled(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1m30s", 90_000), ("500ms", 500), ("1.5h", 5_400_000), ("0", 0), ("5", None), ("", None)],
)
def test_durations(text: str, expected: float | None) -> None:
    assert milliseconds(text) == expected


@pytest.mark.parametrize(
    ("service", "names", "project", "joined"),
    [
        ("api", ["api"], "", True),
        ("main_db", ["main-db"], "", True),
        ("api", ["shop_api_1"], "shop", True),
        ("shop-api", ["api"], "shop", True),
        ("api", ["api-gateway"], "", False),
        ("ap", ["api"], "", False),
        ("shop-api", ["api"], "", False),
    ],
)
def test_a_service_is_a_container_by_its_names(
    service: str, names: list[str], project: str, joined: bool
) -> None:
    assert same(service, names, project) is joined


HOSTILE = {
    "scheme": "a+" * 1_900_000,
    "urls": "a://b:" * 600_000,
    "options": "--a " * 900_000,
    "clients": "redis-cli " * 390_000,
    "defaults": "${A:-" * 780_000,
    "dollars": "$" * 3_900_000,
    "colons": "1:" * 1_900_000,
    "ends": "; echo " * 500_000,
    "spaces": "a" + " " * 3_900_000 + "b",
}


@pytest.mark.anyio
@pytest.mark.thorough
@pytest.mark.parametrize("name", HOSTILE)
async def test_long_texts_take_no_longer_than_short_ones(
    name: str, context: Context, tmp_path: Path
) -> None:
    text = HOSTILE[name]
    body = f"environment: [&t '{text}'], command: *t, ports: [*t], volumes: [*t], image: *t"
    files = {"c.yaml": f"services: {{a: {{{body}, healthcheck: {{test: *t}}}}}}\n"}
    every = await findings(context, tmp_path, "compose", files)
    for finding in every["run"].values():
        assert len(finding.because) < 700


def test_aliases_count_as_all_that_they_stand_for() -> None:
    lines = [f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 10)}]" for i in range(1, 9)]
    raw = "\n".join(["b0: &b0 [x]", *lines]).encode()
    with pytest.raises(Mistake, match="more than 200000 values"):
        trees(raw, "f.yaml")


def test_documents_keep_anchors_and_lines_of_their_own() -> None:
    found = trees(b"---\na: &x 1\n---\n---\nb: !t 2\n", "f.yaml", ("!t",))
    assert [sorted(one.mapping) for one in found] == [["a"], ["b"]]
    b = found[1].at("b")
    assert b is not None
    assert (b.where, b.tag, b.value) == ("f.yaml:5", "!t", 2)
    with pytest.raises(Mistake, match="no anchor"):
        trees(b"a: &x 1\n---\nb: *x\n", "f.yaml")
