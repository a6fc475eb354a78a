"""Rendered manifests -> their objects and workloads, or an error that says how to render them."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from readiness.document.file import read_bytes
from readiness.document.tree import MAX_BYTES, Node
from readiness.probes._containers.files import Unreadable, read

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"),
            *("Job", "Rollout"),
        ),
        ("spec", "template"),
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
"""Kind of workload -> where its pod's template is."""

JOBS = ("Job", "CronJob")
SCALED = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout", "Pod")

_ACTION = re.compile(
    r"\{\{-?\s*(?:[.$(]|/\*|(?:include|template|if|else|range|with|end|define|toYaml|tpl|default"
    r"|quote|printf|block)\b)"
)


@dataclass(frozen=True, eq=False)
class Object:
    """One object of the manifests."""

    node: Node
    kind: str
    name: str
    namespace: str

    @property
    def who(self) -> str:
        """The object for people."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, eq=False)
class Container:
    """One container of a pod."""

    node: Node
    workload: "Workload"

    @property
    def who(self) -> str:
        """The container for people; by the workload alone where there is but one."""
        name = self.node.at("name")
        alone = len(self.workload.containers) == 1 and self in self.workload.containers
        return self.workload.who if alone or name is None else f"{self.workload.who} {name.text}"


@dataclass(frozen=True, eq=False)
class Workload:
    """One object that runs pods."""

    object: Object
    pod: Node
    """The template or the Pod itself: with metadata and spec."""

    @property
    def who(self) -> str:
        """The workload for people."""
        return self.object.who

    @property
    def kind(self) -> str:
        """Deployment and the like."""
        return self.object.kind

    @cached_property
    def once(self) -> bool:
        """Whether its pods end by themselves: jobs, and pods that are not started again."""
        policy = self.spec("restartPolicy")
        ends = policy is not None and policy.text in ("Never", "OnFailure")
        return self.kind in JOBS or (self.kind == "Pod" and ends)

    def at(self, *keys: str) -> Node | None:
        """Return what is written below these keys of the object."""
        return self.object.node.at(*keys)

    def spec(self, *keys: str) -> Node | None:
        """Return what is written below these keys of the pod's spec."""
        return self.pod.at("spec", *keys)

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels of its pods."""
        return texts(self.pod.at("metadata", "labels"))

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """What runs as long as the pod does, sidecars among the init containers included."""
        return self._listed("containers") + tuple(c for c in self.inits if _sidecar(c.node))

    @cached_property
    def inits(self) -> tuple[Container, ...]:
        """What runs before the others."""
        return self._listed("initContainers")

    @cached_property
    def everything(self) -> tuple[Container, ...]:
        """Every container, of whatever use."""
        once = tuple(c for c in self.inits if not _sidecar(c.node))
        return self.containers + once

    def _listed(self, key: str) -> tuple[Container, ...]:
        return tuple(Container(one, self) for one in self.pod.each("spec", key))


def _sidecar(node: Node) -> bool:
    policy = node.at("restartPolicy")
    return bool(policy and policy.text == "Always")


@dataclass(frozen=True)
class Manifests:
    """All objects of the files."""

    objects: tuple[Object, ...]
    workloads: tuple[Workload, ...]

    def of(self, *kinds: str, namespace: str | None = None) -> list[Object]:
        """Return the objects of these kinds, of one namespace if it is named."""
        return [
            one
            for one in self.objects
            if one.kind in kinds and (namespace is None or near(one.namespace, namespace))
        ]


def near(namespace: str, other: str) -> bool:
    """Whether two objects may be in one namespace: what names none goes where it is applied."""
    return not namespace or not other or namespace == other


def texts(node: Node | None) -> dict[str, str]:
    """Return a mapping of scalars as text."""
    return {key: one.text for key, one in node.mapping.items()} if node else {}


def load(folder: Path, files: Sequence[str]) -> Manifests:
    """Return what the files hold; raise Absent, or Unreadable with file and line."""
    objects = [one for name in files for one in _objects(folder, name)]
    if not objects:
        raise Unreadable(files[0], 1, "no object is in these files", "Name rendered manifests")
    return Manifests(tuple(objects), tuple(filter(None, map(_workload, objects))))


def _objects(folder: Path, name: str) -> Iterator[Object]:
    if posixpath.basename(name).lower().removesuffix("n.yaml").removesuffix("n.yml") == (
        "kustomizatio"
    ):
        raise _kustomization(name, 1)
    try:
        documents = read(folder, name)
    except Unreadable:
        if line := _action(folder, name):
            raise _template(name, line) from None
        raise
    for document in documents:
        yield from _flattened(document, name)


def _kustomization(name: str, line: int) -> Unreadable:
    fix = "Run kustomize build and name the file with what it prints"
    return Unreadable(name, line, "this is a kustomization and not what it renders", fix)


def _template(name: str, line: int) -> Unreadable:
    fix = "Run helm template and name the file with what it prints"
    return Unreadable(name, line, "this is a template and not what Helm renders", fix)


def _action(folder: Path, name: str) -> int | None:
    """Return the line of the first action of a template, None if there is none."""
    text = read_bytes(folder / name, MAX_BYTES).decode("utf-8", "replace")
    found = _ACTION.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else None


def _flattened(node: Node, name: str) -> Iterator[Object]:
    kind, of = node.at("kind"), node.at("metadata", "name") or node.at("metadata", "generateName")
    if kind is None or node.at("apiVersion") is None:
        what = "this is no Kubernetes object: it has no apiVersion or no kind"
        raise Unreadable(name, node.line, what, "Name rendered manifests only")
    if kind.text == "Kustomization":
        raise _kustomization(name, node.line)
    if kind.text.endswith("List") and node.at("items"):
        for one in node.each("items"):
            yield from _flattened(one, name)
        return
    for part in (kind, of):
        if part and _ACTION.search(part.text):
            raise _template(name, part.line)
    space = node.at("metadata", "namespace")
    yield Object(node, kind.text, of.text if of else "", space.text if space else "")


def _workload(one: Object) -> Workload | None:
    place = _TEMPLATES.get(one.kind)
    hook = one.node.at("metadata", "annotations", "helm.sh/hook")
    if place is None or (hook and "test" in hook.text):  # that is run by `helm test` alone
        return None
    pod = one.node.at(*place)
    if pod is None:
        return None
    if not pod.each("spec", "containers"):
        raise Unreadable(pod.file, pod.line, f"{one.who[:80]} has no containers")
    return Workload(one, pod)
