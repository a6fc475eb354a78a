"""Real Prometheus and Alertmanager where they are installed, and what they are to watch."""

import contextlib
import json
import os
import shutil
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from readiness.demo import store
from readiness.inventory import Inventory, Service, System
from tests.servers import Web, response

FAST = "250ms"
"""How often things are scraped and evaluated here, so that a test need not wait."""


def installed(*names: str) -> str:
    """Return the program of one of these names; skip the test where there is none."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed here (Debian: apt-get install {names[0]})")
    return found


@contextlib.contextmanager
def prometheus(
    folder: Path,
    jobs: Mapping[str, int],
    rules: Sequence[Mapping[str, Any]] = (),
    alertmanagers: Sequence[int] = (),
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[str]:
    """Yield the URL of a Prometheus that scrapes itself and each job's port, with these rules.

    `more` are further settings of jobs.
    """
    program = installed("prometheus")
    folder.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        targets = {**jobs, "prometheus": port}
        scrape = [
            {"job_name": job, "static_configs": [_at(to)], **(more or {}).get(job, {})}
            for job, to in targets.items()
        ]
        (folder / "rules.yml").write_text(
            yaml.safe_dump({"groups": [{"name": "shop", "rules": list(rules)}] if rules else []})
        )
        configuration = {
            "global": {
                "scrape_interval": FAST,
                "scrape_timeout": FAST,
                "evaluation_interval": FAST,
            },
            "rule_files": ["rules.yml"],
            "scrape_configs": scrape,
        }
        if alertmanagers:
            to = {"static_configs": [_at(*alertmanagers)]}
            configuration["alerting"] = {"alertmanagers": [to]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        return [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-lifecycle",
            "--rules.alert.resend-delay=1s",
            "--log.level=warn",
        ]

    with store.serving(command, _ready("/-/ready"), folder, seconds=30) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def alertmanager(folder: Path, route: Mapping[str, Any], receivers: Sequence[Any]) -> Iterator[str]:
    """Yield the URL of an Alertmanager of its own, with this top route and these receivers."""
    program = installed("prometheus-alertmanager", "alertmanager")
    folder.mkdir(parents=True, exist_ok=True)
    waits = {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "1s"}
    configuration = {"route": {**waits, **route}, "receivers": list(receivers)}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(configuration))

    def command(port: int) -> list[str]:
        return [
            program,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    with store.serving(command, _ready("/-/ready"), folder, seconds=30) as port:
        yield f"http://127.0.0.1:{port}"


def _at(*ports: int) -> dict[str, Any]:
    return {"targets": [f"127.0.0.1:{port}" for port in ports]}


def _ready(path: str) -> Callable[[int, int], bool]:
    def ready(_: int, port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False

    return ready


def sample(url: str, query: str) -> float | None:
    """Return the first value that a query finds."""
    asked = urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(f"{url}/api/v1/query?{asked}", timeout=5) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def post(url: str, data: Any, **headers: str) -> Any:
    """Send JSON, for what a test has to set up; return the JSON that comes back, if any."""
    body = json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=5) as answer:
        text = answer.read()
    return json.loads(text) if text.strip() else None


def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until the condition holds; fail the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition does not come to hold"
        time.sleep(0.05)


def exporter(text: str = "") -> Web:
    """Return a server whose metrics are these."""
    return Web(lambda _: response(200, text, "text/plain; version=0.0.4"))


def backend(kind: str, url: str, **settings: Any) -> Service:
    """Return a backend of the inventory, named by its kind."""
    written = {"name": kind, "kind": kind, "url": url, "probes": {kind: settings}}
    return Service.model_validate(written)


def system(*services: Service | str) -> Inventory:
    """Return an inventory; a name stands for a critical HTTP service."""
    whole = [
        each
        if isinstance(each, Service)
        else Service.model_validate(
            {"name": each, "kind": "http", "url": f"http://{each}:8000", "criticality": "critical"}
        )
        for each in services
    ]
    return Inventory(version=1, system=System(name="shop"), services=tuple(whole))


def built(variable: str, name: str) -> str:
    """Return the program that a variable names; skip the test where it names none."""
    program = os.environ.get(variable)
    if not program or not Path(program).is_file():
        pytest.skip(f"{variable} names no {name} built from source: a model of it is tested")
    return program


@contextlib.contextmanager
def loki(folder: Path) -> Iterator[str]:
    """Yield the URL of a Loki of one process, that keeps what it gets in `folder`."""
    program = built("READINESS_LOKI", "Loki")
    folder.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        configuration = LOKI.format(port=port, grpc=_unused(), folder=folder)
        (folder / "loki.yaml").write_text(configuration)
        return [program, f"-config.file={folder / 'loki.yaml'}", "-log.level=error"]

    with store.serving(command, _ready("/loki/api/v1/labels"), folder, seconds=30) as port:
        yield f"http://127.0.0.1:{port}"


LOKI = """\
auth_enabled: false
analytics: {{reporting_enabled: false}}
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {port}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}/data
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
  storage:
    filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}
ingester: {{lifecycler: {{min_ready_duration: 0s, final_sleep: 0s}}}}
schema_config:
  configs:
    - from: 2020-10-24
      store: tsdb
      object_store: filesystem
      schema: v13
      index: {{prefix: index_, period: 24h}}
"""


def _unused() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def tempo(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the URL of a Tempo of one process, and the port at which it takes OTLP over HTTP."""
    program = built("READINESS_TEMPO", "Tempo")
    folder.mkdir(parents=True, exist_ok=True)
    otlp = _unused()

    def command(port: int) -> list[str]:
        configuration = TEMPO.format(
            port=port, otlp=otlp, grpc=_unused(), gossip=_unused(), folder=folder
        )
        (folder / "tempo.yaml").write_text(configuration)
        return [program, f"-config.file={folder / 'tempo.yaml'}"]

    with store.serving(command, _ready("/ready"), folder, seconds=40) as port:
        yield f"http://127.0.0.1:{port}", otlp


TEMPO = """\
server:
  http_listen_address: 127.0.0.1
  http_listen_port: {port}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: {grpc}
usage_report: {{reporting_enabled: false}}
distributor:
  receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{otlp}"}}}}}}}}
ingester:
  lifecycler:
    address: 127.0.0.1
    final_sleep: 0s
    min_ready_duration: 0s
    ring: {{replication_factor: 1, kvstore: {{store: inmemory}}}}
memberlist: {{bind_addr: [127.0.0.1], bind_port: {gossip}}}
storage:
  trace: {{backend: local, local: {{path: {folder}/blocks}}, wal: {{path: {folder}/wal}}}}
"""


@contextlib.contextmanager
def grafana(folder: Path) -> Iterator[str]:
    """Yield the URL of a Grafana with its own SQLite; its administrator is as it ships."""
    program = built("READINESS_GRAFANA", "Grafana")
    home = os.environ.get("READINESS_GRAFANA_HOME", "")
    folder.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        lines = [
            *("[server]", "http_addr = 127.0.0.1", f"http_port = {port}"),
            *("[paths]", *(f"{part} = {folder / part}" for part in ("data", "logs", "plugins"))),
            *("[analytics]", "reporting_enabled = false", "check_for_updates = false"),
            *("check_for_plugin_updates = false", "[log]", "mode = console", "level = error"),
        ]
        (folder / "grafana.ini").write_text("\n".join(lines) + "\n")
        own = ("--homepath", home, "--config", str(folder / "grafana.ini"))
        return [program, "server", *own]

    with store.serving(command, _ready("/api/health"), folder, seconds=60) as port:
        yield f"http://127.0.0.1:{port}"
