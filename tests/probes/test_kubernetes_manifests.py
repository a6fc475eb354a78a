"""kubernetes_manifests on files that are clean but for one mistake, joined, broken and hostile."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from readiness.inventory import Inventory
from readiness.probes import Context
from tests import states
from tests.described import findings, write
from tests.states import troubled, unknown

pytestmark = pytest.mark.anyio

CLEAN = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: api}}
  strategy: {rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}
  template:
    metadata: {labels: {app: api, tier: web}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 40
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname}]
      initContainers:
        - {name: prepare, image: "registry.example.com/shop/tools:2.0"}
      containers:
        - name: api
          image: registry.example.com/shop/api:1.4.2
          args: [serve]
          ports: [{name: http, containerPort: 8000}]
          env:
            - {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
            - {name: DATABASE_URL, value: "postgres://shop:$(DB_PASSWORD)@db/shop"}
          resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          startupProbe: {httpGet: {path: /live, port: http}, failureThreshold: 30}
          readinessProbe: {httpGet: {path: /ready, port: http}}
          livenessProbe: {httpGet: {path: /live, port: http}}
      volumes: [{name: scratch, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: api, namespace: shop}
spec: {maxUnavailable: 1, selector: {matchExpressions: [{key: app, operator: In, values: [api]}]}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api, namespace: shop}
spec: {minReplicas: 3, maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: api}}
"""


async def judged(context: Context, folder: Path, text: str, **more: Any) -> Any:
    return (await findings(context, folder, "kubernetes", {"k.yaml": text}, **more))["run"]


async def test_clean_manifests_have_no_finding(context: Context, tmp_path: Path) -> None:
    found = await judged(context, tmp_path, CLEAN)
    assert (troubled(found), unknown(found)) == (set(), set())
    assert {f.outcome for f in found.values()} == {"pass"}


CONTEXT = "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}"
BAD: dict[str, tuple[str, str, str]] = {
    # name: (check, what stands in the clean file, what stands there instead)
    "no readiness": (
        "kube-readiness",
        "readinessProbe: {httpGet: {path: /ready, port: http}}",
        "tty: false",
    ),
    "no liveness": (
        "kube-liveness",
        "livenessProbe: {httpGet: {path: /live, port: http}}",
        "tty: false",
    ),
    "a slow start": (
        "kube-startup",
        "startupProbe: {httpGet: {path: /live, port: http}, failureThreshold: 30}\n"
        "          readinessProbe: {httpGet: {path: /ready, port: http}}\n"
        "          livenessProbe: {",
        "readinessProbe: {httpGet: {path: /ready, port: http}}\n"
        "          livenessProbe: {initialDelaySeconds: 180, ",
    ),
    "the same probes": ("kube-probes-differ", "path: /ready", "path: /live"),
    "no CPU request": ("kube-cpu-request", "cpu: 100m, ", ""),
    "no memory limit": ("kube-memory-limit", ", limits: {memory: 256Mi}", ""),
    "one replica": (
        "kube-replicas",
        "spec: {minReplicas: 3, maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: api}}",
        "spec: {minReplicas: 1, maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: api}}",
    ),
    "no budget": ("kube-budget", "kind: PodDisruptionBudget", "kind: PodDisruptionBudge"),
    "a budget that lets none go": (
        "kube-budget-allows",
        "{maxUnavailable: 1, sel",
        "{maxUnavailable: 0, sel",
    ),
    "a budget of none in percent": (
        "kube-budget-allows",
        "{maxUnavailable: 1, sel",
        "{maxUnavailable: 0%, sel",
    ),
    "a budget of all": ("kube-budget-allows", "{maxUnavailable: 1, sel", "{minAvailable: 3, sel"),
    "a budget of nearly all": (
        "kube-budget-allows",
        "{maxUnavailable: 1, sel",
        "{minAvailable: 90%, sel",
    ),
    "recreate": (
        "kube-rollout",
        "{rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}",
        "{type: Recreate}",
    ),
    "all at once": (
        "kube-rollout",
        "{maxUnavailable: 1, maxSurge",
        "{maxUnavailable: 100%, maxSurge",
    ),
    "not spread": ("kube-spread", "topologySpreadConstraints: [{", "x-: [{"),
    "no grace": ("kube-grace", "Seconds: 40", "Seconds: 0"),
    "latest": ("kube-image", "api:1.4.2", "api:latest"),
    "no tag of an init container": ("kube-image", "tools:2.0", "tools"),
    "may be root": ("kube-non-root", "{runAsNonRoot: true, ", "{"),
    "is root": ("kube-non-root", "{runAsNonRoot: true, ", "{runAsUser: 0, "),
    "escalation": ("kube-escalation", "allowPrivilegeEscalation: false", "privileged: false"),
    "privileged": ("kube-privileged", "readOnlyRoot", "privileged: true\n            readOnlyRoot"),
    "a privileged init container": (
        "kube-privileged",
        'tools:2.0"',
        'tools:2.0", securityContext: {privileged: true}',
    ),
    "a capability": ("kube-capabilities", "drop: [ALL]", "drop: [ALL], add: [SYS_ADMIN]"),
    "nothing dropped": ("kube-capabilities-dropped", "drop: [ALL]", "drop: [KILL]"),
    "written root": ("kube-read-only", "readOnlyRootFilesystem: true", "runAsGroup: 1"),
    "no seccomp": ("kube-seccomp", ", seccompProfile: {type: RuntimeDefault}", ""),
    "seccomp off": ("kube-seccomp", "RuntimeDefault", "Unconfined"),
    "host network": (
        "kube-namespaces",
        "      volumes:",
        "      hostNetwork: true\n      volumes:",
    ),
    "host path": ("kube-host-paths", "emptyDir: {}", "hostPath: {path: /srv}"),
    "socket": (
        "kube-host-paths",
        "emptyDir: {}",
        "hostPath: {path: /run/containerd/containerd.sock}",
    ),
    "token": ("kube-token", "automountServiceAccountToken: false", "enableServiceLinks: false"),
    "secret": (
        "kube-secrets",
        "valueFrom: {secretKeyRef: {name: db, key: password}}",
        "value: s3cret-canary",
    ),
    "secret in a URL": ("kube-secrets", "$(DB_PASSWORD)", "s3cret-canary"),
    "secret in a command": ("kube-secrets", "[serve]", "[serve, --password=s3cret-canary]"),
    "a selector of others": (
        "kube-selectors",
        "selector: {matchLabels: {app: api}}",
        "selector: {matchLabels: {app: shop}}",
    ),
    "a Service of nothing": ("kube-services", "{selector: {app: api}", "{selector: {app: apo}"),
    "a port of nothing": ("kube-services", "targetPort: http", "targetPort: https"),
    "a scaler of nothing": (
        "kube-autoscalers",
        "maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: api}",
        "maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: apo}",
    ),
    "a removed version": ("kube-api-versions", "policy/v1", "policy/v1beta1"),
}


@pytest.mark.parametrize("name", BAD)
async def test_each_mistake_is_caught_by_its_check_alone(
    name: str, context: Context, tmp_path: Path
) -> None:
    check, clean, wrong = BAD[name]
    assert clean in CLEAN
    found = await judged(context, tmp_path, CLEAN.replace(clean, wrong, 1))
    expected = {check} | (
        {"kube-budget", "kube-spread"} & set() if name == "one replica" else set()
    )
    assert (troubled(found), unknown(found)) == (expected, set())
    because = found[check].because
    assert "k.yaml:" in because
    assert "canary" not in because


async def test_a_missing_request_is_no_request_by_the_limit_either(
    context: Context, tmp_path: Path
) -> None:
    text = CLEAN.replace(", memory: 128Mi}, limits: {memory: 256Mi}", "}")
    found = await judged(context, tmp_path, text)
    assert troubled(found) == {"kube-memory-request", "kube-memory-limit"}


async def test_a_budget_that_selects_nothing_and_an_object_written_twice(
    context: Context, tmp_path: Path
) -> None:
    idle = CLEAN.replace("values: [api]", "values: [apo]")
    assert troubled(await judged(context, tmp_path, idle)) == {"kube-budget", "kube-budgets-select"}
    service = CLEAN.split("---\n")[1]
    found = await judged(context, tmp_path, f"{CLEAN}---\n{service}")
    assert troubled(found) == {"kube-objects-unique"}
    assert "Service/api: is written at k.yaml:35 already" in found["kube-objects-unique"].because


GOOD: dict[str, tuple[str, str]] = {
    "the pod's resources": (
        "resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}\n          sec",
        "sec",
    ),
    "a more patient liveness": (
        "readinessProbe: {httpGet: {path: /ready, port: http}}",
        "readinessProbe: {httpGet: {path: /live, port: http}, failureThreshold: 1}",
    ),
    "anti-affinity": (
        "topologySpreadConstraints: [{",
        "affinity: {podAntiAffinity: {}}\n      x-: [{",
    ),
    "a digest": ("api:1.4.2", "api@sha256:" + "0" * 64),
    "a user": ("runAsNonRoot: true", "runAsUser: 1000"),
    "replicas by the autoscaler": ("replicas: 3", "revisionHistoryLimit: 3"),
    "an account of its own": ("automountServiceAccountToken: false", "serviceAccountName: api"),
    "a port by number": ("targetPort: http", "targetPort: 8000"),
    "limits alone": (
        "requests: {cpu: 100m, memory: 128Mi}, limits: {memory",
        "limits: {cpu: 1, memory",
    ),
}


@pytest.mark.parametrize("name", GOOD)
async def test_what_is_as_good_raises_no_alarm(name: str, context: Context, tmp_path: Path) -> None:
    clean, other = GOOD[name]
    assert clean in CLEAN
    text = CLEAN.replace(clean, other, 1)
    if name == "the pod's resources":
        given = "resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}"
        text = text.replace("      volumes:", f"      {given}\n      volumes:")
    found = await judged(context, tmp_path, text)
    assert (troubled(found), unknown(found)) == (set(), set())


POD = "{metadata: {labels: {app: x}}, spec: {containers: [{name: x, image: 'x:1'}]}}"


@pytest.mark.parametrize(
    ("text", "check", "because"),
    [
        (
            "{apiVersion: batch/v1, kind: Job, metadata: {name: x}, spec: {template: %s}}",
            "kube-liveness",
            "Job/x runs once",
        ),
        (
            "{apiVersion: batch/v1, kind: CronJob, metadata: {name: x}, spec: {jobTemplate: "
            "{spec: {template: %s}}}}",
            "kube-replicas",
            "not scaled by replicas",
        ),
        (
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: %s}}",
            "kube-readiness",
            "takes no traffic",
        ),
        (
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: 1, "
            "strategy: {type: Recreate}, template: %s}}",
            "kube-rollout",
            "no second replica that could",
        ),
        (
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: 0, "
            "template: %s}}",
            "kube-replicas",
            "scaled to none",
        ),
        (
            "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: x}, spec: {template: %s}}",
            "kube-budget",
            "no second replica",
        ),
    ],
)
async def test_what_is_not_there_is_not_judged(
    text: str, check: str, because: str, context: Context, tmp_path: Path
) -> None:
    found = await judged(context, tmp_path, text % POD)
    assert found[check].outcome == "not_applicable"
    assert because in found[check].because


@pytest.mark.parametrize("hook", ["test", "test-success"])
async def test_the_tests_of_a_chart_are_no_workload(
    hook: str, context: Context, tmp_path: Path
) -> None:
    text = f"{CLEAN}---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n"
    text += f"  annotations: {{helm.sh/hook: {hook}}}\n"
    text += "spec: {restartPolicy: Never, containers: [{name: wget, image: busybox}]}\n"
    assert troubled(await judged(context, tmp_path, text)) == set()
    bare = text.replace("helm.sh/hook", "other").replace("Never", "Always")
    assert "kube-replicas" in troubled(await judged(context, tmp_path, bare))


async def test_lists_namespaces_and_limit_ranges_are_understood(
    context: Context, tmp_path: Path
) -> None:
    items = [
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: x}, spec: "
        f"{{selector: {{matchLabels: {{app: x}}}}, template: {POD}}}}}",
        "{apiVersion: v1, kind: LimitRange, metadata: {name: l}, spec: {limits: [{type: Container, "
        "default: {memory: 1Gi}, defaultRequest: {cpu: 1, memory: 1Gi}}]}}",
        "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: other}, spec: "
        "{selector: {app: x}}}",
    ]
    text = "apiVersion: v1\nkind: List\nitems:\n" + "".join(f"  - {one}\n" for one in items)
    found = await judged(context, tmp_path, text)
    for check in ("kube-cpu-request", "kube-memory-request", "kube-memory-limit"):
        assert found[check].outcome == "pass", check
    assert found["kube-services"].because == "k.yaml:6 Service/s: selects no pod of these files"
    assert found["kube-replicas"].because == "k.yaml:4 Deployment/a: one replica"


async def test_pods_of_an_operator_are_not_missed(context: Context, tmp_path: Path) -> None:
    text = "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: x}}}\n---\n"
    text += "{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: {name: p}}\n"
    assert (await judged(context, tmp_path, text))["kube-services"].outcome == "pass"


@pytest.mark.parametrize(
    ("name", "written", "joined"),
    [
        ("api", {}, "api"),
        ("shop-api", {}, "api"),
        ("front", {}, "web-deployment"),
        ("store", {}, "db-0"),
        ("orders", {"kubernetes_manifests": {"workload": "Deployment/api"}}, "api"),
        ("cache", {}, None),
    ],
)
async def test_a_service_of_the_inventory_is_judged_by_its_own_workload(
    name: str, written: Any, joined: str | None, context: Context, tmp_path: Path
) -> None:
    def deployment(called: str, labels: str) -> str:
        pod = f"{{metadata: {{labels: {labels}}}, spec: {{containers: [{{name: c, image: i}}]}}}}"
        return (
            f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {called}}}, "
            f"spec: {{selector: {{matchLabels: {labels}}}, template: {pod}}}}}"
        )

    objects = [
        deployment("api", "{app: a, app.kubernetes.io/instance: shop}"),
        deployment("web-deployment", "{app: w}"),
        deployment("db-0", "{app.kubernetes.io/name: store}"),
        "{apiVersion: v1, kind: Service, metadata: {name: front}, spec: {selector: {app: w}}}",
    ]
    services = {name: {"kind": "tcp", "url": "tcp://localhost:1", "probes": written}}
    files = {"k8s/all.yaml": "\n---\n".join(objects)}
    every = await findings(context, tmp_path, "kubernetes", files, services, names=["k8s/*.yaml"])
    mine, rest = every[name]["kube-image"], every["run"]["kube-image"]
    assert mine.outcome == ("fail" if joined else "not_applicable")
    assert (f"Deployment/{joined}: " in mine.because) is bool(joined)
    assert rest.because.count("Deployment/") == (2 if joined else 3)
    assert f"Deployment/{joined}: " not in rest.because


async def test_a_service_is_judged_by_its_workloads_in_every_artifact(
    context: Context, tmp_path: Path
) -> None:
    files = {"a.yaml": CLEAN, "b.yaml": CLEAN.replace("api:1.4.2", "api:latest")}
    write(tmp_path, files)
    artifacts = {n: {"kind": "kubernetes", "files": f"{n}.yaml"} for n in ("a", "b")}
    api = {"kind": "tcp", "url": "tcp://localhost:1"}
    system = {"version": 1, "system": {"name": "shop"}}
    both = Inventory.model_validate({**system, "services": {"api": api}, "artifacts": artifacts})
    lent = dataclasses.replace(context, inventory=both, folder=tmp_path)
    found = await states.judged(both.services[0], lent, ["kubernetes_manifests"])
    assert troubled(found) == {"kube-image"}
    assert found["kube-image"].because.startswith("b.yaml:")


async def test_what_no_object_is_about_earns_nothing(context: Context, tmp_path: Path) -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}"
    found = await judged(context, tmp_path, text)
    told = {name for name, f in found.items() if f.outcome == "pass"}
    assert told == {"kube-parses", "kube-objects-unique", "kube-api-versions"}
    for check in ("kube-selectors", "kube-services", "kube-budgets-select", "kube-autoscalers"):
        assert found[check].outcome == "not_applicable"
    assert found["kube-budgets-select"].because == "the manifests hold no PodDisruptionBudget"
    nothing = await judged(context, tmp_path, "# rendered to nothing\n")
    assert troubled(nothing) == {"kube-parses"}
    assert {f.outcome for name, f in nothing.items() if name != "kube-parses"} == {"unknown"}


async def test_a_name_that_a_setting_gives_must_be_there(context: Context, tmp_path: Path) -> None:
    probes = {"kubernetes_manifests": {"workload": "Job/api"}}
    services = {"api": {"kind": "tcp", "url": "tcp://localhost:1", "probes": probes}}
    found = (await findings(context, tmp_path, "kubernetes", {"k.yaml": CLEAN}, services))["api"]
    assert {f.because for f in found.values()} == {
        "not tested: the manifests hold no workload Job/api. Use one of: Deployment/api."
    }


BROKEN: dict[str, tuple[str, int, str]] = {
    "a template": ("kind: A\nmetadata:\n  name: {{ .Release.Name }}\n", 3, "run helm template"),
    "a template in quotes": (
        "apiVersion: v1\nkind: A\nmetadata: {name: '{{ include \"a\" . }}'}\n",
        3,
        "run helm template",
    ),
    "a template that starts so": (
        "{{- if .Values.on }}\nkind: A\n{{- end }}\n",
        1,
        "run helm template",
    ),
    "a kustomization": (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        1,
        "run kustomize build",
    ),
    "values": ("replicas: 2\n", 1, "no Kubernetes object"),
    "syntax": ("apiVersion: v1\nkind: [\n", 3, "not valid YAML"),
    "tag": ("apiVersion: !x v1\nkind: A\n", 1, "tag is not supported"),
    "deep": ("a: " + "[" * 80 + "]" * 80, 1, "nests deeper"),
    "nothing": ("", 1, "no object is in it"),
    "comments alone": ("---\n# Source: shop/templates/api.yaml\n", 1, "no object is in it"),
    "laughs": (
        "x: &b0 [x]\n" + "".join(f"y{i}: &b{i} [*b{i - 1}, *b{i - 1}]\n" for i in range(1, 60)),
        17,
        "more than 200000 values",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_cannot_be_read_is_named_by_file_and_line(
    name: str, context: Context, tmp_path: Path
) -> None:
    text, line, what = BROKEN[name]
    services = {"a": {"kind": "tcp", "url": "tcp://localhost:1"}}
    every = await findings(context, tmp_path, "kubernetes", {"k.yaml": text}, services)
    parses = every["run"]["kube-parses"]
    assert parses.outcome == "fail"
    assert parses.because.startswith(f"k.yaml:{line}: ")
    assert what in parses.because
    others = [*every["a"].values(), *(f for f in every["run"].values() if f is not parses)]
    assert {f.outcome for f in others} == {"unknown"}


async def test_a_kustomization_is_known_by_its_name(context: Context, tmp_path: Path) -> None:
    files = {"base/kustomization.yaml": "resources: [a.yaml]\n"}
    found = (await findings(context, tmp_path, "kubernetes", files))["run"]
    assert "run kustomize build" in found["kube-parses"].because


async def test_text_with_braces_in_a_config_map_is_no_template(
    context: Context, tmp_path: Path
) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    text += "data: {alert: '{{ $labels.instance }} is down'}\n"
    found = await judged(context, tmp_path, text)
    assert found["kube-parses"].outcome == "pass"
    assert found["kube-image"].outcome == "not_applicable"
