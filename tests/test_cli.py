"""The program as its user meets it: files, words and exit codes of real runs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from readiness.report import FORMATS
from tests.background import background
from tests.program import COMMAND, environment, readiness, started
from tests.servers import Request, Web, response, silent

HEALTHY = '{"status": "pass"}'


def answer(request: Request) -> bytes:
    if request.target == "/private" and request.headers.get("x-key") != "k-5c1b0f":
        return response(401, '{"detail": "who are you?"}')
    return response(200, HEALTHY, "application/health+json")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with background(Web(answer)) as ports:
        yield ports[0]


def inventory(folder: Path, port: int, more: str = "", system: str = "") -> Path:
    path = folder / "services.yaml"
    path.write_text(
        f"""version: 1
system: {{name: Shop, version: "3", environment: test{system}}}
defaults: {{timeout: 2s, samples: 400}}
services:
  api:
    kind: http
    url: "http://127.0.0.1:{port}"
    criticality: critical
    probes:
      http_latency: {{samples: 400}}
      http_concurrency: {{users: [1, 4], requests: 200}}
      http_access:
        public: [/health]
        protected: [/private]
        credential: {{headers: {{X-Key: "${{KEY:-k-5c1b0f}}"}}}}
{more}"""
    )
    return path


def assessment(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "assessment.json").read_text())
    return found


@pytest.mark.light
def test_a_healthy_system_is_ready_and_its_evidence_replays_to_the_byte(
    tmp_path: Path, port: int
) -> None:
    path = inventory(tmp_path, port)
    told = path.read_text()
    assert "{samples: 400}" in told and ", requests: 200" in told
    path.write_text(told.replace("{samples: 400}", "{}").replace(", requests: 200", ""))
    done = readiness("run", cwd=tmp_path)  # as many samples as it takes
    assert done.returncode == 0, done.stdout + done.stderr
    assert "READY" in done.stdout
    out = tmp_path / "readiness-report"
    found = assessment(out)
    assert found["verdict"] == "ready"
    assert found["exit_code"] == 0
    assert found["system"] == {"name": "Shop", "version": "3", "environment": "test"}
    assert [s["status"] for s in found["services"]] == ["up"]
    assert (found["sampling"]["confidence"], found["sampling"]["planned"]) == (0.95, 6)
    assert found["sampling"]["decided"] == found["sampling"]["checks"] == 6
    assert {p.name for p in out.iterdir()} == {"report.md", "assessment.json", "evidence.json"}

    again = readiness("report", "readiness-report/evidence.json", "--out", "again", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    for name in ("report.md", "assessment.json", "evidence.json"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_a_second_run_shows_the_score_before(tmp_path: Path, port: int) -> None:
    inventory(tmp_path, port)
    first = readiness("run", cwd=tmp_path)
    value = assessment(tmp_path / "readiness-report")["score"]["value"]
    second = readiness("run", cwd=tmp_path)
    assert first.returncode == second.returncode == 0
    assert assessment(tmp_path / "readiness-report")["score"]["previous"]["value"] == value
    assert "since the run before" in second.stdout


def test_an_unreachable_system_is_not_ready_and_still_reported(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        inventory(tmp_path, held.getsockname()[1])
        done = readiness("run", cwd=tmp_path)
    assert done.returncode == 1
    assert "NOT READY" in done.stdout
    assert assessment(tmp_path / "readiness-report")["services"][0]["status"] == "down"
    assert "refused" in (tmp_path / "readiness-report" / "report.md").read_text()


def test_no_gate_turns_a_failed_gate_green_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        inventory(tmp_path, held.getsockname()[1])
        done = readiness("run", "--no-gate", cwd=tmp_path)
    assert done.returncode == 0
    assert "GATE DISABLED" in done.stdout
    assert "GATE DISABLED" in (tmp_path / "readiness-report" / "report.md").read_text()


def test_the_policy_of_the_inventory_holds_and_is_replayed_to_the_byte(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        inventory(
            tmp_path,
            held.getsockname()[1],
            "policy: {tier: internal, stage: warn, fail_on: conditional, areas: {security: 80}}\n"
            "waivers:\n  - {check: tls-trusted, reason: r, owner: o, until: 2020-01-01}\n",
        )
        done = readiness("run", "--fail-on", "not-ready", "--format", "github", cwd=tmp_path)
    assert done.returncode == 0
    assert "::warning title=Nothing is blocked (stage warn)::The gate would exit with 1: " in (
        done.stdout
    )
    assert "\nNOT READY (internal) 0/100 F\n" in done.stdout
    assert (
        "\nWARNING ONLY (stage warn): the gate would exit with 1: Service is down on" in done.stdout
    )
    assert "\nEASED POLICY: ready.score 80, usually 85; " in done.stdout
    assert "\nWaiver: tls-trusted on all services (o) expired on 2020-01-01\n" in done.stdout
    out = tmp_path / "readiness-report"
    found = assessment(out)
    assert (found["exit_code"], found["policy"]["gated_exit_code"]) == (0, 1)
    assert (found["policy"]["tier"], found["policy"]["fail_on"]) == ("internal", "not-ready")
    again = readiness("report", "readiness-report/evidence.json", "--out", "again", cwd=tmp_path)
    assert again.returncode == 0
    for file in ("report.md", "assessment.json", "evidence.json"):
        assert (tmp_path / "again" / file).read_bytes() == (out / file).read_bytes()
    words = ("--out", "other", "--no-gate", "--fail-on", "conditional")
    other = readiness("report", "readiness-report/evidence.json", *words, cwd=tmp_path)
    assert "GATE DISABLED (stage report)" in other.stdout
    mine = assessment(tmp_path / "other")["policy"]
    assert (mine["tier"], mine["stage"], mine["fail_on"]) == ("internal", "report", "conditional")


def test_validate_says_what_the_policy_demands(tmp_path: Path) -> None:
    soon = datetime.now(UTC).date() + timedelta(days=3)
    inventory(
        tmp_path,
        1,
        "policy: {tier: regulated, stage: report, areas: {security: 90}, "
        "blockers: {latency-p99: true, health-ready: false}}\n"
        "waivers:\n"
        f"  - {{check: latency-p95, service: api, reason: r, owner: o, until: {soon}}}\n"
        "  - {check: latency-p50, service: api, reason: r, owner: o, until: 2020-01-01}\n"
        f"  - {{check: latency-p99, service: api, reason: r, owner: o, until: 2099-01-01}}\n",
    )
    done = readiness("validate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    line = len((tmp_path / "services.yaml").read_text().splitlines())
    told = [one for one in done.stdout.splitlines() if "waiver of" in one or "Policy" in one]
    assert told == [
        f"services.yaml:{line - 2}: the waiver of latency-p95 on api ends on {soon}, in 3 days.",
        f"services.yaml:{line - 1}: the waiver of latency-p50 on api expired on 2020-01-01.",
        f"services.yaml:{line}: the waiver of latency-p99 on api is not accepted on api: "
        "no blocker may be waived.",
        "Policy: tier regulated, stage report, fails on conditional. READY takes 90, 80 in every "
        "area, 90 in security, 98 % coverage; CONDITIONAL takes 80, 90 % coverage.",
        "Policy: latency-p99 blocks.",
        "Policy: health-ready does not block.",
        "Policy: waivers are accepted, not of blockers, at most 30 days long, "
        "announced 14 days ahead.",
        "Policy: eased: stage report, usually gate.",
        "Policy: eased: blockers.health-ready false, usually true.",
    ]


def test_only_leaves_the_rest_unknown_and_the_verdict_inconclusive(
    tmp_path: Path, port: int
) -> None:
    more = f'  other: {{kind: http, url: "http://127.0.0.1:{port}", criticality: critical}}\n'
    inventory(tmp_path, port, more)
    done = readiness("run", "--only", "api", cwd=tmp_path)
    assert done.returncode == 4, done.stdout
    found = assessment(tmp_path / "readiness-report")
    assert {n["because"] for n in found["not_tested"] if n["service"] == "other"} == {
        "left out by --only"
    }


def test_production_is_only_observed(tmp_path: Path, port: int) -> None:
    path = inventory(tmp_path, port)
    path.write_text(path.read_text().replace("samples: 400", "samples: 40"))
    done = readiness("run", "--environment", "production", cwd=tmp_path)
    found = assessment(tmp_path / "readiness-report")
    assert done.returncode == 4
    assert found["system"]["environment"] == "production"
    assert "http_concurrency" in {n["probe"] for n in found["not_tested"]}


def test_load_on_production_needs_both_words(tmp_path: Path) -> None:
    seen = Web(answer)
    with background(seen) as (port,):
        path = inventory(tmp_path, port)
        path.write_text(path.read_text().replace("environment: test", "environment: production"))
        done = readiness("run", "--allow", "load", cwd=tmp_path)
    assert done.returncode == 5
    assert "--environment production" in done.stderr
    assert seen.connections == 0


def test_a_deadline_holds_when_everything_hangs(tmp_path: Path) -> None:
    with background(silent) as (port,):
        inventory(tmp_path, port)
        began = time.monotonic()
        done = readiness("run", "--deadline", "3s", cwd=tmp_path)
    assert time.monotonic() - began < 8
    assert done.returncode == 1
    assert assessment(tmp_path / "readiness-report")["services"][0]["status"] == "down"


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_leaves_a_partial_report(tmp_path: Path, name: str, code: int) -> None:
    with background(Web(answer), silent) as (port, hanging):
        more = f'  slow: {{kind: http, url: "http://127.0.0.1:{hanging}", timeout: 60s}}\n'
        inventory(tmp_path, port, more)
        process = started(["run"], tmp_path)
        assert process.stderr
        while "http_health" not in (line := process.stderr.readline()):
            assert line, "the program ended before its first measurement"
        process.send_signal(getattr(signal, name))
        out, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert f"PARTIAL: interrupted by {name}" in out
    found = assessment(tmp_path / "readiness-report")
    assert found["exit_code"] == code
    assert f"interrupted by {name}" in {n["because"] for n in found["not_tested"]}
    assert "PARTIAL" in (tmp_path / "readiness-report" / "report.md").read_text()


def test_what_cannot_be_saved_changes_a_pass_to_6(tmp_path: Path) -> None:
    def lose(request: Request) -> bytes:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return answer(request)

    with background(Web(lose)) as (port,):
        inventory(tmp_path, port)
        done = readiness("run", "--out", "out", cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    assert "READY" in done.stdout
    assert "not saved" in done.stderr


def test_an_interrupted_run_is_compared_with_nothing(tmp_path: Path, port: int) -> None:
    inventory(tmp_path, port)
    first = readiness("run", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    value = assessment(tmp_path / "readiness-report")["score"]["value"]
    process = started(["run"], tmp_path)
    assert process.stderr
    process.stderr.readline()
    for _ in range(3):  # the second and third must not cost the report
        process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "PARTIAL" in out
    assert "since the run before" not in out
    found = assessment(tmp_path / "readiness-report")
    assert found["exit_code"] == 130
    again = readiness("run", cwd=tmp_path)
    assert again.returncode == 0
    assert assessment(tmp_path / "readiness-report")["score"]["previous"]["value"] == value


@pytest.mark.parametrize(
    "stream",
    [
        *(pytest.param(one, marks=pytest.mark.thorough) for one in ("stdout", "stderr")),
        *("both", "full"),
    ],
)
def test_nobody_need_read_what_it_prints(tmp_path: Path, port: int, stream: str) -> None:
    inventory(tmp_path, port)
    reading, writing = os.pipe()
    os.close(reading)
    if stream == "full":
        os.close(writing)
        writing = os.open("/dev/full", os.O_WRONLY)
    out = subprocess.DEVNULL if stream == "stderr" else writing
    err = subprocess.DEVNULL if stream == "stdout" else writing
    done = subprocess.run(
        [*COMMAND, "run"], cwd=tmp_path, env=environment(), stdout=out, stderr=err, check=False
    )
    os.close(writing)
    assert done.returncode == 0
    found = assessment(tmp_path / "readiness-report")
    assert found["exit_code"] == 0
    assert [service["status"] for service in found["services"]] == ["up"]


def test_a_reader_who_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        services = "".join(
            f"  a-service-with-a-rather-long-name-{n}: {{kind: http, url: '{url}'}}\n"
            for n in range(300)
        )
        (tmp_path / "services.yaml").write_text(
            f"version: 1\nsystem: {{name: Shop}}\nservices:\n{services}"
        )
        process = started(["run", "--deadline", "20s"], tmp_path)
        assert process.wait(timeout=40) == 1
        process.communicate()
    assert assessment(tmp_path / "readiness-report")["verdict"] == "not_ready"


def test_files_are_replaced_all_or_none(tmp_path: Path, port: int) -> None:
    inventory(tmp_path, port)
    out = tmp_path / "readiness-report"
    (out / "report.md").mkdir(parents=True)
    (out / "evidence.json").write_text("old")
    done = readiness("run", cwd=tmp_path)
    assert done.returncode == 6
    assert "report.md is a folder" in done.stderr
    assert {p.name for p in out.iterdir()} == {"report.md", "evidence.json"}
    assert (out / "evidence.json").read_text() == "old"


def test_an_added_pack_is_judged_and_replayed(tmp_path: Path, port: int) -> None:
    inventory(tmp_path, port)
    pack = tmp_path / "ours.yaml"
    pack.write_text(
        """checks:
  tiny-answers:
    title: Answers are tiny
    probe: http_health
    metric: response_bytes
    area: infrastructure
    severity: low
    unit: bytes
    target: 1B
    limit: 2B
    why: Our clients are slow.
    fix: {text: Answer less., effort_hours: 1}
"""
    )
    done = readiness("run", "--checks", "ours.yaml", "--out", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pack.unlink()
    readiness("report", "a/evidence.json", "--out", "b", cwd=tmp_path)
    assert (tmp_path / "a/assessment.json").read_bytes() == (
        tmp_path / "b/assessment.json"
    ).read_bytes()
    assert "tiny-answers" in {f["check"] for f in assessment(tmp_path / "b")["findings"]}


@pytest.mark.parametrize(
    ("probe", "metric", "where", "hint"),
    [
        ("http_helth", "status", "ours.yaml:4: ", "Did you mean 'http_health'?"),
        ("http_health", "statuss", "ours.yaml:5: ", "Did you mean 'status'?"),
    ],
)
def test_a_pack_that_judges_what_nothing_measures_is_refused(
    tmp_path: Path, probe: str, metric: str, where: str, hint: str
) -> None:
    inventory(tmp_path, 1)
    (tmp_path / "ours.yaml").write_text(
        f"""checks:
  ours:
    title: Ours
    probe: {probe}
    metric: {metric}
    area: infrastructure
    severity: low
    must_be: true
    why: Because.
    fix: {{text: Mend it., effort_hours: 1}}
"""
    )
    done = readiness("run", "--checks", "ours.yaml", cwd=tmp_path)
    _refused(done, hint)
    assert where in done.stderr


BAD_COMMANDS = {
    "missing file": (["run", "nowhere.yaml"], "nowhere.yaml"),
    "unknown tier": (["run", "--allow", "laod"], "Did you mean 'load'?"),
    "unknown environment": (["run", "--environment", "prod"], "Did you mean 'production'?"),
    "unknown service": (["run", "--only", "apy"], "Did you mean 'api'?"),
    "unknown format": (["run", "--format", "markdwn"], "Did you mean 'markdown'?"),
    "unknown policy": (["run", "--fail-on", "conditionl"], "Did you mean 'conditional'?"),
    "bad deadline": (["run", "--deadline", "soon"], "90s or 5m"),
    "bad confidence": (["run", "--confidence", "high"], "from 80 % to 99.99 %"),
    "no confidence": (["run", "--confidence", "0"], "Write 95% or 0.95."),
    "certainty": (["run", "--confidence", "100%"], "from 80 % to 99.99 %"),
    "percent without its sign": (["run", "--confidence", "95"], "Write 95% or 0.95."),
    "endless confidence": (["run", "--confidence", "nan"], "from 80 % to 99.99 %"),
    "missing pack": (["run", "--checks", "nowhere.yaml"], "nowhere.yaml"),
    "missing previous": (["run", "--previous", "nowhere.json"], "nowhere.json"),
    "output under a file": (["run", "--out", "services.yaml/out"], "--out"),
    "unwritable output": (["run", "--out", "/proc/out"], "--out"),
    "missing evidence": (["report", "nowhere.json"], "nowhere.json"),
    "no evidence": (["report", "services.yaml"], "evidence.json"),
    "unknown check": (["explain", "latency-p59"], "Did you mean 'latency-p"),
    "unknown command": (["rnu"], "rnu"),
    "unknown option": (["run", "--alow"], "--alow"),
}


@pytest.mark.parametrize("case", BAD_COMMANDS)
def test_a_wrong_word_is_explained(case: str, tmp_path: Path) -> None:
    words, hint = BAD_COMMANDS[case]
    inventory(tmp_path, 1)
    _refused(readiness(*words, cwd=tmp_path), hint)


BAD_INVENTORIES = {
    "unknown key": ("    knid: http\n", "services.yaml:21: ", "Did you mean 'kind'?"),
    "unknown probe": (
        "    kind: http\n    url: http://h:1\n    probes: {http_helth: {}}\n",
        "services.yaml:23: ",
        "Did you mean 'http_health'?",
    ),
    "unknown setting": (
        "    kind: http\n    url: http://h:1\n    probes: {http_latency: {sampels: 5}}\n",
        "services.yaml:23: ",
        "Did you mean 'samples'?",
    ),
    "misplaced probe": (
        "    kind: redis\n    url: redis://h:1\n    probes: {http_health: {}}\n",
        "services.yaml:23: ",
        "http",
    ),
    "unknown override": (
        "    kind: http\n    url: http://h:1\n    checks: {latency-p59: {target: 1ms}}\n",
        "services.yaml:23: ",
        "Did you mean",
    ),
    "impossible override": (
        "    kind: http\n    url: http://h:1\n    checks: {latency-p95: {target: 9s}}\n",
        "services.yaml:23: ",
        "target",
    ),
    "a share of 8000 %": (
        "    kind: http\n    url: http://h:1\n    checks: {concurrency-success: {target: 80}}\n",
        "services.yaml:23: ",
        "Write a share as in",
    ),
    "missing variable": (
        '    kind: http\n    url: "${NOWHERE_URL}"\n',
        "services.yaml:22: ",
        "NOWHERE_URL",
    ),
    "bad address": ("    kind: http\n    url: h:1\n", "services.yaml:22: ", "http://"),
    "unknown policy": (
        "    kind: http\n    url: http://h:1\npolicy: {tier: prod}\n",
        "services.yaml:23: ",
        "Did you mean 'production'?",
    ),
    "unknown blocker": (
        "    kind: http\n    url: http://h:1\npolicy: {blockers: {latency-p59: true}}\n",
        "services.yaml:23: ",
        "Did you mean 'latency-p",
    ),
    "too deep": ("    tags: " + "[" * 50_000 + "\n", "services.yaml:21: ", ""),
}


@pytest.mark.parametrize("case", BAD_INVENTORIES)
@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_wrong_inventory_is_explained_with_its_line(
    case: str, command: str, tmp_path: Path
) -> None:
    body, where, hint = BAD_INVENTORIES[case]
    seen = Web(answer)
    with background(seen) as (port,):
        inventory(
            tmp_path,
            port,
            "  # a comment line\n  # another\n  # one more\n  # last\n  two:\n" + body,
        )
        done = readiness(command, cwd=tmp_path)
    _refused(done, hint)
    assert where in done.stderr
    assert seen.connections == 0


def _refused(done: "subprocess.CompletedProcess[str]", hint: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout == ""


def test_validate_names_what_the_samples_cannot_prove(tmp_path: Path, port: int) -> None:
    path = inventory(tmp_path, port)
    text = path.read_text()
    path.write_text(text.replace("http_latency: {samples: 400}", "http_latency: {}"))
    free = readiness("validate", cwd=tmp_path)
    assert "cannot prove" not in free.stdout  # as more are taken while it is open
    path.write_text(text.replace("http_latency: {samples: 400}", "http_latency: {samples: 50}"))
    done = readiness("validate", cwd=tmp_path)
    assert done.returncode == 0
    told = "api: success-rate wants 99 %, which 50 samples cannot prove. It takes 368."
    assert told in done.stdout
    assert "valid. 1 service," in done.stdout


def test_validate_names_files_that_are_not_there(tmp_path: Path, port: int) -> None:
    path = inventory(tmp_path, port)
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "unit.xml").touch()
    path.write_text(
        path.read_text() + "artifacts:\n"
        "  tests: {kind: junit, files: [reports/*.xml]}\n"
        "  stack: {kind: compose, files: [compose.yml, reports, '/nowhere/*.yaml']}\n"
    )
    done = readiness("validate", cwd=tmp_path)
    assert done.returncode == 0
    named = [line.split(" as yet")[0] for line in done.stdout.splitlines() if "no file" in line]
    line = len(path.read_text().splitlines())
    assert named == [
        f"services.yaml:{line}: no file matches {name}"
        for name in ("compose.yml", "reports", "/nowhere/*.yaml")
    ]


def test_validate_without_environment_lists_what_is_missing(tmp_path: Path) -> None:
    inventory(tmp_path, 1, '  two:\n    kind: http\n    url: "${NOWHERE_URL}"\n')
    done = readiness("validate", "--no-env", cwd=tmp_path)
    assert done.returncode == 0
    assert "NOWHERE_URL" in done.stdout


def test_explain_says_what_why_and_how(tmp_path: Path) -> None:
    done = readiness("explain", "latency-p95", cwd=tmp_path)
    assert done.returncode == 0
    for word in ("p95_ms", "http_latency", "200 ms", "500 ms", "Why", "Fix"):
        assert word in done.stdout


def test_schema_is_json_schema(tmp_path: Path) -> None:
    done = readiness("schema", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["$schema"].endswith("2020-12/schema")


def test_help_imports_neither_models_nor_drivers(tmp_path: Path) -> None:
    code = """
import sys
sys.argv = ["readiness", "--help"]
from readiness.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code
heavy = {"pydantic", "asyncpg", "redis", "httpx2", "jinja2", "yaml", "mcp", "rich"}
print("LOADED", sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
print("PROBES", sorted(name for name in sys.modules if name.startswith("readiness.probes")))
"""
    done = subprocess.run(
        [COMMAND[0], "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert "LOADED []" in done.stdout
    assert "PROBES []" in done.stdout


CANARIES = {
    "URL_USER": "canary-url-user-8f21",
    "URL_PASSWORD": "canary-url-password-77b0",
    "QUERY": "canary-query-19ac",
    "HEADER": "canary-header-5e0d",
    "LOGIN": "canary-login-a41f",
    "PG_PASSWORD": "canary-pg-63d2",
}

SECRETIVE = """version: 1
system: {{name: Shop, environment: test, allow: [write]}}
defaults: {{timeout: 1s, samples: 20}}
services:
  api:
    kind: http
    url: "http://${{URL_USER}}:${{URL_PASSWORD}}@127.0.0.1:{port}/?key=${{QUERY}}"
    criticality: critical
    probes:
      http_concurrency: {{users: [1], headers: {{X-Key: "${{HEADER}}"}}}}
      http_latency: {{headers: {{X-Key: "${{HEADER}}"}}}}
      http_access:
        protected: [/private]
        login:
          request: POST /login
          json: {{password: "${{LOGIN}}"}}
          token: $.token
  store: {{kind: postgres, url: "postgresql://u:${{PG_PASSWORD}}@127.0.0.1:{port}/x"}}
"""


def echo(request: Request) -> bytes:
    """Give back all that was sent, as careless servers do."""
    told = json.dumps({"detail": f"{request.target} {dict(request.headers)} {request.body!r}"})
    return response(422 if request.target == "/login" else 401, told)


def test_no_secret_reaches_any_output_of_a_run_that_passes(tmp_path: Path, port: int) -> None:
    path = inventory(tmp_path, port)
    secretive = (
        f"http://canary-user-31d7:canary-password-9e02@127.0.0.1:{port}/?k=canary-query-60ab"
    )
    path.write_text(path.read_text().replace(f"http://127.0.0.1:{port}", secretive))
    formats = [word for name in FORMATS for word in ("--format", name)]
    done = readiness("run", *formats, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    texts = [done.stdout, done.stderr]
    texts += [p.read_text() for p in (tmp_path / "readiness-report").iterdir()]
    assert len(texts) == 2 + 2 + len(FORMATS)
    for canary in ("canary-user", "canary-password", "canary-query", "k-5c1b0f"):
        assert not any(canary in text for text in texts), canary


@pytest.mark.parametrize("ending", ["done", "SIGINT"])
def test_no_secret_reaches_any_output(tmp_path: Path, ending: str) -> None:
    with background(Web(echo)) as (port,):
        (tmp_path / "services.yaml").write_text(SECRETIVE.format(port=port))
        process = started(["run", "--format", "summary", "--format", "csv"], tmp_path, {**CANARIES})
        assert process.stderr
        first = process.stderr.readline()
        if ending == "SIGINT":
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == (130 if ending == "SIGINT" else 1), out + err
    texts = [first, out, err, *(p.read_text() for p in (tmp_path / "readiness-report").iterdir())]
    assert len(texts) >= 8
    for name, canary in CANARIES.items():
        assert not any(canary in text for text in texts), name
