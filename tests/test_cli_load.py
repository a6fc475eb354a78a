"""`readiness load` as its user meets it: numbers, words, refusals and exit codes of real loads."""

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from readiness.cli.load.feed import Feed
from readiness.cli.load.permission import is_loopback, permitted
from readiness.cli.load.report import per_second
from readiness.cli.load.request import request
from readiness.cli.load.session import Session
from readiness.cli.load.words import amount_ms, bar, sparkline, spread
from readiness.document import ConfigurationError
from readiness.estimate import Estimate
from readiness.inventory import Tier
from readiness.load.closed import Level
from readiness.safety import Refused
from tests import program
from tests.background import background
from tests.certificates import Authority, self_signed
from tests.load.runs import closed
from tests.program import readiness, started
from tests.servers import Pool, Request, Web, always, read_request, response, serving, silent, slam

BODY = '{"status": "ok", "depth": {"items": [1, 2]}, "ready": true}'
ESTIMATES = {
    *("requests_per_second", "p50_ms", "p95_ms", "p99_ms"),
    *("service_p50_ms", "service_p99_ms", "success_rate"),
}
PLAIN = {"max_ms", "n", "seconds", "ceiling_requests_per_second", "errors"}
EXTRA = {
    *("model", "rate", "connections", "lag_p99_ms", "cpu", "clock", "local_limit"),
    *("settled", "drifting", "aborted", "setup", "warnings", "interrupted", "rate_limited"),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with background(always(response(200, BODY))) as ports:
        yield ports[0]


def load(
    folder: Path, *words: str, code: int = 0, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run `readiness load WORDS --json` and return what it prints."""
    done = readiness("load", *words, "--json", cwd=folder, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def url(port: int, path: str = "/health") -> str:
    return f"http://127.0.0.1:{port}{path}"


# what it measures


@pytest.mark.parametrize("words", [("-c", "4"), ("--rate", "900")], ids=["closed", "open"])
def test_the_json_keeps_its_contract(tmp_path: Path, port: int, words: tuple[str, ...]) -> None:
    found = load(tmp_path, url(port), *words, "-d", "800ms")
    assert set(found) >= ESTIMATES | PLAIN | EXTRA
    for name in ESTIMATES:
        assert set(found[name]) == {"value", "low", "high", "n"}, name
        known = found[name]["value"] is not None  # too dependent samples give no interval
        assert not known or found[name]["low"] <= found[name]["value"] <= found[name]["high"], name
    assert found["success_rate"]["value"] == 1.0
    assert found["requests_per_second"]["value"] > 0
    seen = list(found["observed"].values())
    assert seen[-2] is not None
    assert seen[:-1] == sorted(seen[:-1])
    assert found["max_ms"] >= seen[-2]
    assert found["errors"] == {"kind": {}, "status": {}}
    assert found["n"] == found["success_rate"]["n"] >= found["p50_ms"]["n"] > 368
    assert found["ceiling_requests_per_second"] > 1000
    assert found["setup"]["tls_p50_ms"] is None


def test_the_open_model_keeps_the_rate_it_was_told(tmp_path: Path, port: int) -> None:
    found = load(tmp_path, url(port), "--rate", "400", "-d", "1.5s", "-c", "8")
    assert (found["model"], found["rate"], found["connections"]) == ("open", 400.0, 8)
    assert found["spacing"] == "poisson"
    speed = found["requests_per_second"]
    assert 280 < speed["value"] < 520
    assert speed["value"] == pytest.approx(speed["n"] / found["seconds"], rel=1e-3)


def test_a_ramp_goes_from_one_rate_to_the_other(tmp_path: Path, port: int) -> None:
    words = ("--constant", "-d", "1s", "-c", "4")
    one = load(tmp_path, url(port), "--rate", "100..700", *words)
    other = load(tmp_path, url(port), "--rate", "100", "--ramp-to", "700", *words)
    for found in (one, other):
        assert (found["rate"], found["rate_to"], found["spacing"]) == (100.0, 700.0, "constant")
        assert 300 <= found["n"] <= 410  # 400 by the area below the ramp, and 4 to warm up


def test_processes_share_the_load(tmp_path: Path) -> None:
    web = always(response(200, BODY))
    with background(web) as (port,):
        found = load(tmp_path, url(port), "--rate", "300", "-n", "120", "-c", "4", "-p", "2")
    assert found["processes"] == 2
    assert found["connections_opened"] == 4
    assert found["timed"] + found["late"] == 120


@pytest.mark.thorough
def test_the_knee_is_searched_and_told(tmp_path: Path) -> None:
    with background(Pool(size=1, seconds=0.004, patience=30)) as (port,):
        found = load(tmp_path, url(port), "--knee", "p95<40ms", "-d", "20s")
    assert found["objective"] == {"quantile": 0.95, "limit_ms": 40.0, "error_rate": 0.01}
    knee = found["knee_requests_per_second"]
    assert 80 < knee["value"] < 250  # one worker of 4 ms and its own overhead
    assert knee["n"] == len(found["steps"])
    broke = [step for step in found["steps"] if step["cause"]]
    assert min(step["rate"] for step in broke) > 80
    assert found["reason"] in ("latency", "backlog", "our_limit", "time")


@pytest.mark.light
def test_what_never_held_has_not_collapsed(tmp_path: Path) -> None:
    with background(always(response(429, headers={"Retry-After": "1"}))) as (port,):
        found = load(tmp_path, url(port), "--knee", "p95<40ms", "-d", "20s", code=1)
    assert (found["reason"], found["overrun"]) == ("limited", False)
    assert found["knee_requests_per_second"]["value"] is None
    assert found["errors"]["status"]["429"] == found["rate_limited"] > 0


def test_an_interrupted_search_tells_what_it_found(tmp_path: Path, port: int) -> None:
    process = started(["load", url(port), "--knee", "p95<500ms", "-d", "30s"], tmp_path)
    assert process.stderr is not None
    assert "holds" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert re.search(r"p95 within 500 ms up to at least [\d,]+ requests/s", out)
    assert "PARTIAL: interrupted by SIGINT" in out


def test_further_signals_take_nothing_away(tmp_path: Path, port: int) -> None:
    process = started(["load", url(port), "-d", "30s"], tmp_path)
    assert process.stderr is not None
    process.stderr.readline()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.005)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "PARTIAL: interrupted by SIGINT" in out


def test_the_closed_model_says_that_it_is_blind(tmp_path: Path, port: int) -> None:
    found = load(tmp_path, url(port), "-c", "3", "-d", "300ms")
    assert (found["model"], found["rate"], found["connections"]) == ("closed", None, 3)
    assert any("blind to stalls" in warning for warning in found["warnings"])
    assert found["connections_opened"] == 3


@pytest.mark.alone
@pytest.mark.parametrize("words", [("-c", "2"), ("--rate", "200")], ids=["closed", "open"])
def test_the_duration_is_kept(tmp_path: Path, port: int, words: tuple[str, ...]) -> None:
    found = load(tmp_path, url(port), *words, "-d", "1200ms")
    least = 1.2 if found["model"] == "closed" else 0.7  # warming up is a part of a schedule
    assert least <= found["seconds"] + 0.05
    assert found["seconds"] < 1.6


@pytest.mark.alone
@pytest.mark.parametrize("words", [("-c", "4"), ("--rate", "500", "-c", "4")])
def test_a_number_of_requests_ends_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    web = always(response(200, BODY))
    with background(web) as (port,):
        found = load(tmp_path, url(port), *words, "-n", "150")
    assert abs(found["timed"] - 150) <= 4  # what was under way when timing began or ended
    assert len(web.requests) == found["n"] + found["cut_off"] <= 2 * 150 + 4 * 10


def test_a_time_shorter_than_an_answer_is_told(tmp_path: Path) -> None:
    with background(Web(lambda _: response(200, BODY), delay=0.2)) as (port,):
        for words, told in (
            (("-c", "2", "-d", "150ms"), True),
            (("--rate", "30", "-d", "250ms"), True),
            (("-c", "6", "-n", "6"), False),
        ):
            warnings = load(tmp_path, url(port), *words)["warnings"]
            assert any(warning.startswith("an answer takes 2") for warning in warnings) is told


@pytest.mark.parametrize("dies", [True, False])
def test_a_service_that_fell_silent_is_named(tmp_path: Path, dies: bool) -> None:
    begun: list[float] = []

    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader) is not None:
            begun.append(time.monotonic())
            if dies and begun[-1] > begun[0] + 1.5:
                await silent(reader, writer)
                return
            writer.write(response(200, BODY))
            await writer.drain()

    with background(dying) as (port,):
        found = load(tmp_path, url(port), "-c", "3", "-d", "3s", "--timeout", "1s")
    assert found["success_rate"]["value"] > 0.9
    assert any("the service may have died" in warning for warning in found["warnings"]) is dies


def test_few_requests_need_few_connections(tmp_path: Path) -> None:
    web = always(response(200, BODY))
    with background(web) as (port,):
        assert load(tmp_path, url(port), "-n", "6")["connections"] == 6
    assert web.connections <= 7


def test_what_fails_is_told_by_kind_and_status(tmp_path: Path) -> None:
    turns = iter(range(10**9))

    def answer(_: Request) -> bytes:
        return response((200, 500, 200, 429)[next(turns) % 4], BODY)

    with background(Web(answer)) as (port,):
        found = load(tmp_path, url(port), "-c", "2", "-n", "200")
        words = readiness("load", url(port), "-c", "2", "-n", "200", cwd=tmp_path).stdout
    assert set(found["errors"]["status"]) == {"500", "429"}
    assert found["rate_limited"] == found["errors"]["status"]["429"] > 0
    assert found["success_rate"]["n"] == found["n"] - found["rate_limited"]
    assert found["success_rate"]["value"] == pytest.approx(2 / 3, abs=0.02)
    assert re.search(r"^errors +HTTP 500 \d+$", words, re.MULTILINE)
    assert re.search(r"^rate limited +\d+ refused with 429", words, re.MULTILINE)


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        (["200"], 0),
        (["200", "201"], 0),
        (["201"], 1),
        (["text:status"], 0),
        (["text:nowhere"], 1),
        (["$.status=ok"], 0),
        (['$.status="ok"', "$.depth.items[1]=2", "$.ready=true"], 0),
        (["$.ready=1"], 1),
        (["$.depth.items[7]=2"], 1),
    ],
)
def test_a_success_is_what_was_expected(
    tmp_path: Path, port: int, expect: list[str], code: int
) -> None:
    words = [word for one in expect for word in ("--expect", one)]
    found = load(tmp_path, url(port), "-c", "2", "-n", "20", *words, code=code)
    assert found["success_rate"]["value"] == (1.0 if code == 0 else 0.0)
    if code and expect != ["201"]:
        assert found["errors"]["kind"] == {"body": found["n"]}


def test_the_request_is_what_was_asked_for(tmp_path: Path) -> None:
    web = Web(lambda asked: response(200, "" if asked.method == "HEAD" else BODY))
    (tmp_path / "body.bin").write_bytes(b"a=1&b=2")
    with background(web) as (port,):
        given = f"http://ann:p%40ss@127.0.0.1:{port}/a/b?x=1&y=2"
        load(tmp_path, given, "-n", "2", "-H", "X-Key: k1", "--data", '{"z": 1}')
        load(tmp_path, given, "-n", "2", "-X", "put", "--data", "@body.bin")
        load(tmp_path, url(port, ""), "-n", "2", "-X", "HEAD")
    posted, head = web.requests[0], web.requests[-1]
    assert (posted.method, posted.target, posted.body) == ("POST", "/a/b?x=1&y=2", b'{"z": 1}')
    assert posted.headers["x-key"] == "k1"
    assert posted.headers["authorization"] == "Basic YW5uOnBAc3M="
    assert posted.headers["content-type"] == "application/json"
    assert {r.method for r in web.requests} == {"POST", "PUT", "HEAD"}
    put = next(r for r in web.requests if r.method == "PUT")
    assert put.body == b"a=1&b=2"
    assert put.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (head.method, head.target) == ("HEAD", "/")


@pytest.mark.anyio
async def test_tls_is_spoken_and_its_cost_told_apart(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    der = authority.client().get_ca_certs(binary_form=True)[0]
    (tmp_path / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(der))
    trusting = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    web, words = always(response(200, BODY)), ("-c", "8", "-n", "40")
    async with serving(web, tls=authority.server("localhost")) as port:
        target = f"https://localhost:{port}/"
        found = await asyncio.to_thread(load, tmp_path, target, *words, env=trusting)
    assert found["success_rate"]["value"] == 1.0
    assert found["setup"]["tls_p50_ms"] > 0


# what people read


def test_the_summary_says_what_was_asked_and_what_came_of_it(tmp_path: Path, port: int) -> None:
    done = readiness("load", url(port), "--rate", "1000", "-d", "1s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in (
        f"GET {url(port)}\n",
        "open model, Poisson arrivals at 1,000/s, at most 50 connections; ",
        "requests ",
        "success         100 % (",
        "throughput ",
        "response time ",
        "service time",
        "█",
        "connections     50 opened, 0 closed by the server",
        " to connect, ",
        "answers stamped by ",
    ):
        assert words in done.stdout, words
    for percent in ("p50", "p95", "p99"):
        pattern = rf"^{percent} +(~[\d.]+ ms|[\d.]+ ms \([\d.]+ (ms )?to )"
        assert re.search(pattern, done.stdout, re.MULTILINE), done.stdout
    assert "blind" not in done.stdout


def test_too_few_answers_give_no_percentile(tmp_path: Path, port: int) -> None:
    done = readiness("load", url(port), "-c", "1", "-n", "30", cwd=tmp_path)
    assert re.search(r"^p99 +\? +\?$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"answers were timed; needed are, for p95 72, p99 368\.", done.stdout)


def test_a_crowd_on_few_connections_is_named(tmp_path: Path) -> None:
    with background(Web(lambda _: response(200, BODY), delay=0.05)) as (port,):
        found = load(tmp_path, url(port), "--rate", "60", "-c", "2", "-d", "1500ms")
    assert any("all 2 connections busy" in warning for warning in found["warnings"])
    assert found["max_ms"] > 100  # twice what the service takes


def test_a_terminal_sees_it_live(tmp_path: Path, port: int) -> None:
    leader, follower = os.openpty()
    seen = bytearray()

    def read() -> None:
        try:
            while data := os.read(leader, 65536):
                seen.extend(data)
        except OSError:
            return  # the other side is closed

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run(
        [*program.COMMAND, "load", url(port), "--rate", "300", "-d", "1s"],
        cwd=tmp_path,
        env=program.environment({"TERM": "xterm-256color", "CI": ""}),
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
        check=False,
    )
    os.close(follower)
    reader.join(timeout=10)
    os.close(leader)
    assert done.returncode == 0
    shown = seen.decode()
    assert re.search(r"\d+ req/s", shown)
    assert "response time p50 " in shown
    assert "100 % success" in shown
    assert "\x1b" not in done.stdout


def test_nobody_need_read_what_it_prints(tmp_path: Path, port: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [*program.COMMAND, "load", url(port), "-n", "20"]
    done = subprocess.run(
        words, cwd=tmp_path, env=program.environment(), stdout=writing, stderr=writing, check=False
    )
    os.close(writing)
    assert done.returncode == 0


@pytest.mark.parametrize("words", [["--json"], []])
def test_an_outcome_that_cannot_be_written_is_no_success(
    tmp_path: Path, port: int, words: list[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*program.COMMAND, "load", url(port), "-n", "20", *words],
            cwd=tmp_path,
            env=program.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 6
    assert "the outcome could not be written: No space left on device." in done.stderr


@pytest.mark.anyio
async def test_a_feed_tells_the_last_seconds() -> None:
    feed = Feed(requests=None)
    assert feed.moment(1.0, is_open=False).success is None

    async with serving(always(response(200, BODY))) as port:
        level = Level(users=2, requests=10**6, seconds=0.4)
        result = await closed(port, level, watch=lambda crew: feed.take(crew, crew.polled_ns))
    now = feed.moment(0.4, is_open=False)
    assert now.timing
    assert now.success == 1.0
    assert now.per_second > 0
    assert list(now.quantiles) == sorted(now.quantiles)
    assert len(now.quantiles) == 3
    assert 0 < now.done <= 1
    assert feed.timed <= result.n


# how it ends


@pytest.mark.parametrize(
    ("name", "code", "processes"),
    [
        ("SIGINT", 130, "2"),
        ("SIGTERM", 143, "1"),
        pytest.param("SIGINT", 130, "1", marks=pytest.mark.thorough),
        pytest.param("SIGTERM", 143, "2", marks=pytest.mark.thorough),
    ],
)
def test_a_signal_leaves_what_was_measured(
    tmp_path: Path, name: str, code: int, processes: str
) -> None:
    enough = threading.Event()
    web = Web(lambda _: response(200, BODY))

    def answer(_: Request) -> bytes:
        if len(web.requests) > 400 * int(processes):
            enough.set()
        return response(200, BODY)

    web.answer = answer
    with background(web) as (port,):
        words = ["load", url(port), "--rate", "400", "-c", "4", "-d", "60s", "--json"]
        process = started([*words, "-p", processes], tmp_path)
        assert enough.wait(20)
        os.killpg(process.pid, getattr(signal, name))
        process.send_signal(getattr(signal, name))  # a second one costs nothing
        out, err = process.communicate(timeout=10)
    assert process.returncode == code, err
    found = json.loads(out)
    assert found["interrupted"] == name
    assert found["warnings"][0] == f"PARTIAL: interrupted by {name}"
    assert found["observed"]["p50_ms"] > 0
    assert 0 < found["seconds"] < 30


def test_a_log_sees_a_line_now_and_then(tmp_path: Path, port: int) -> None:
    process = started(["load", url(port), "--rate", "200", "-d", "60s"], tmp_path)
    assert process.stderr
    line = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert re.fullmatch(
        r" +\d+ s  [\d,]+ req/s  100 % success  response time p50 .* ms  p95 .* ms  p99 .* ms\n",
        line,
    )
    assert "PARTIAL: interrupted by SIGINT" in out
    assert "\x1b" not in line + out + err


def test_a_signal_ends_even_what_never_answers(tmp_path: Path) -> None:
    reached = threading.Event()

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            reached.set()

    with background(mute) as (port,):
        process = started(["load", url(port), "-d", "60s", "--timeout", "60s"], tmp_path)
        assert reached.wait(20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "interrupted before any answer came" in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize("kind", ["timeout", "reset"])
def test_without_a_success_it_exits_1_and_says_why(tmp_path: Path, kind: str) -> None:
    handler = silent if kind == "timeout" else slam
    words = ("-c", "2", "-d", "300ms", "--timeout", "200ms")
    with background(handler) as (port,):
        found = load(tmp_path, url(port), *words, code=1)
        told = readiness("load", url(port), *words, cwd=tmp_path)
    assert found["errors"]["kind"] == {kind: found["n"]}
    assert found["success_rate"]["value"] == 0.0
    assert found["p50_ms"] == {"value": None, "low": None, "high": None, "n": 0}
    assert found["max_ms"] is None
    assert told.returncode == 1
    assert f"first fault     {kind}: " in told.stdout
    assert "No answer was timed." in told.stdout


def test_a_server_that_only_fails_is_left_alone_early(tmp_path: Path) -> None:
    web = always(response(503))
    with background(web) as (port,):
        found = load(tmp_path, url(port), "--rate", "500", "-c", "4", "-d", "30s", code=1)
    assert "requests failed" in found["aborted"]
    assert any(w.startswith("given up early: ") for w in found["warnings"])
    assert len(web.requests) < 2000


def test_a_server_that_dies_under_load_is_no_success(tmp_path: Path) -> None:
    web = Web(lambda _: response(200 if len(web.requests) <= 500 else 503))
    with background(web) as (port,):
        found = load(tmp_path, url(port), "--rate", "500", "-d", "30s", code=1)
    assert found["success_rate"]["value"] > 0
    assert "requests failed" in found["aborted"]


def sentence(done: "subprocess.CompletedProcess[str]", code: int) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_an_address_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    done = readiness("load", "http://127.0.0.1:1/x?key=canary-9f", cwd=tmp_path)
    assert sentence(done, 1) == "readiness: http://127.0.0.1:1/x: connection refused.\n"


def test_a_name_that_does_not_resolve_is_one_sentence(tmp_path: Path) -> None:
    done = readiness("load", "http://nowhere.invalid/", "--environment", "test", cwd=tmp_path)
    assert re.search("does not resolve|name server|could not be resolved", sentence(done, 1))


@pytest.mark.anyio
async def test_a_certificate_nobody_trusts_is_one_sentence(tmp_path: Path) -> None:
    async with serving(always(response()), tls=self_signed(tmp_path)) as port:
        target = f"https://localhost:{port}/"
        done = await asyncio.to_thread(readiness, "load", target, "-c", "2", cwd=tmp_path)
    assert "certificate is self-signed" in sentence(done, 1)


# what it refuses

BAD_WORDS = {
    "no scheme": (["localhost:8000"], "has no scheme"),
    "no host": (["http://"], "names no host"),
    "ftp": (["ftp://localhost/"], "must start with http"),
    "no connection": (["{}", "-c", "0"], "--connections must be 1 to 10,000"),
    "connections": (["{}", "-c", "10001"], "--connections must be 1 to 10,000"),
    "rate": (["{}", "--rate", "200001"], "200,001 requests/s: the most is 200,000"),
    "ramp": (["{}", "--rate", "1..200001"], "the most is 200,000"),
    "total": (["{}", "--rate", "100000", "-d", "1h"], "the most is 100,000,000"),
    "duration": (["{}", "-d", "61m"], "--duration must be"),
    "endless": (["{}", "-n", "9000", "--rate", "1"], "take too long"),
    "no time": (["{}", "-d", "0s"], "--duration must be"),
    "time without sense": (["{}", "-d", "soon"], "--duration must be"),
    "timeout": (["{}", "--timeout", "11m"], "--timeout must be"),
    "no rate": (["{}", "--rate", "0"], "--rate is a number"),
    "rate without sense": (["{}", "--rate", "fast"], "--rate is a number"),
    "two ramps": (["{}", "--rate", "1..2", "--ramp-to", "3"], "a ramp already"),
    "no ramp": (["{}", "--rate", "1", "--ramp-to", "nan"], "--rate is a number"),
    "ramp without rate": (["{}", "--ramp-to", "3"], "need a --rate"),
    "no request": (["{}", "-n", "0"], "--requests must be"),
    "fewer than users": (["{}", "-n", "3", "-c", "4"], "less than one for each of 4 users"),
    "method": (["{}", "-X", "BREW"], "--method is not known"),
    "body of a GET": (["{}", "-X", "GET", "--data", "x"], "--data cannot be sent with GET"),
    "no such file": (["{}", "--data", "@nowhere"], "No such file"),
    "header": (["{}", "-H", "nonsense"], "--header must be"),
    "header twice": (["{}", "-H", "a: 1", "-H", "A: 2"], "each name once"),
    "length": (["{}", "-H", "Content-Length: 3"], "no length"),
    "line break": (["{}", "-H", "a: canary\r\nb: 2"], "no header may hold"),
    "expect": (["{}", "--expect", "canary"], "neither a status"),
    "expect path": (["{}", "--expect", "$..x=1"], "neither a status"),
    "expect of HEAD": (["{}", "-X", "HEAD", "--expect", "text:a"], "has no body"),
    "two texts": (["{}", "--expect", "text:a", "--expect", "text:b"], "can be given once"),
    "objective": (["{}", "--knee", "fast"], "a percentile and its limit"),
    "no method": (["{}", "-X", ""], "--method is not known"),
    "objective without unit": (["{}", "--knee", "p99<200"], "a percentile and its limit"),
    "knee and rate": (["{}", "--knee", "p99<20ms", "--rate", "5"], "finds rates"),
    "short search": (["{}", "--knee", "p99<20ms", "-d", "5s"], "takes 20 s or more"),
    "knee and processes": (["{}", "--knee", "p99<20ms", "-p", "2"], "from one process"),
    "processes": (["{}", "-p", "0"], "--processes must be 1 to 64"),
    "environment": (["{}", "--environment", "prod"], "--environment does not know"),
    "tier": (["{}", "--allow", "laod"], "Did you mean 'load'?"),
}


@pytest.mark.parametrize("case", BAD_WORDS)
def test_wrong_words_are_explained_before_any_traffic(tmp_path: Path, case: str) -> None:
    words, hint = BAD_WORDS[case]
    web = always(response())
    with background(web) as (port,):
        done = readiness("load", *(w.replace("{}", url(port)) for w in words), cwd=tmp_path)
    assert hint in sentence(done, 2)
    assert "canary" not in done.stderr
    assert web.connections == 0


REFUSED = {
    "another machine": (["http://example.org/"], "--environment"),
    "private network": (["http://10.0.0.1/"], "--environment"),
    "this machine by another name": (["http://127.0.0.1.example.org/"], "--environment"),
    "production": (["http://example.org/", "--environment", "production"], "--allow load"),
    "production here": (["{}", "--environment", "production"], "--allow load"),
    "change": (["http://example.org/", "--environment", "test", "-X", "POST"], "--allow write"),
    "change in production": (
        ["{}", "--environment", "production", "--allow", "load", "-X", "DELETE"],
        "--allow write",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_safe_is_refused_before_any_traffic(tmp_path: Path, case: str) -> None:
    words, hint = REFUSED[case]
    web = always(response())
    with background(web) as (port,):
        done = readiness("load", *(w.replace("{}", url(port)) for w in words), cwd=tmp_path)
    told = sentence(done, 5)
    assert told.startswith("readiness: refused for safety: ")
    assert hint in told
    assert web.connections == 0


def test_production_takes_load_with_both_words(tmp_path: Path, port: int) -> None:
    words = ("--environment", "production", "--allow", "load", "-n", "6", "-c", "2")
    assert load(tmp_path, url(port), *words)["n"] >= 6


def test_what_each_environment_allows() -> None:
    everything = frozenset[Tier](("observe", "load", "write"))
    assert permitted("localhost", "POST", None, ()) == (everything, True)
    assert permitted("example.org", "GET", "staging", ()) == (everything - {"write"}, False)
    assert "write" in permitted("example.org", "POST", "test", ("write",))[0]
    both = permitted("example.org", "POST", "production", ("load,write",))
    assert both == (everything, False)
    with pytest.raises(Refused):
        permitted("example.org", "GET", None, ("load",))
    with pytest.raises(ConfigurationError):
        permitted("localhost", "GET", None, ("everything",))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "10.0.0.1", "127.1", "localhost.example.org", "169.254.169.254", "::", ""]
)
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)


def own_address() -> str:
    """Return an address of this machine that is not its loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return ""
        return str(probe.getsockname()[0])


@pytest.mark.anyio
async def test_a_name_of_this_machine_that_leads_elsewhere_is_refused() -> None:
    host, web = own_address(), always(response())
    if not host or is_loopback(host):
        pytest.skip("this machine has no other address")
    async with serving(web, host=host) as port:
        asked = request(f"http://{host}:{port}/", environment="test", requests=1)
        with pytest.raises(Refused):
            await Session(replace(asked, here=True)).run()
        assert not web.requests
        session = Session(asked)
        await session.run()
    assert session.result and session.result.successes


def test_more_connections_than_open_files_are_refused(tmp_path: Path) -> None:
    command = " ".join(program.COMMAND)
    line = f"ulimit -n 120; exec {command} load http://127.0.0.1:1/ -c 100"
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=tmp_path,
        env=program.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "100 connections need 164 open files" in sentence(done, 2)


# secrets

CANARIES = ("canary-user", "canary-password", "canary-query", "canary-header", "canary-body")


@pytest.mark.parametrize("ending", ["done", "json", "failed", "refused", "interrupted"])
def test_no_secret_is_printed(tmp_path: Path, ending: str) -> None:
    asked = threading.Event()

    def echo(request: Request) -> bytes:
        asked.set()
        told = json.dumps([request.target, dict(request.headers), request.body.decode()])
        return response(500 if ending == "failed" else 200, told)

    web = Web(echo)
    with background(web) as (port,):
        host = "127.0.0.1:1" if ending == "refused" else f"127.0.0.1:{port}"
        target = f"http://canary-user:canary-password@{host}/p?k=canary-query"
        words = ["load", target, "-H", "X-Key: canary-header", "--data", '{"p": "canary-body"}']
        words += ["-d", "30s"] if ending == "interrupted" else ["-n", "10", "-c", "2"]
        process = started(words + ["--json"] * (ending == "json"), tmp_path)
        if ending == "interrupted":
            assert asked.wait(20)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    codes = {"done": 0, "json": 0, "failed": 1, "refused": 1, "interrupted": 130}
    assert process.returncode == codes[ending], out + err
    if web.requests:
        sent = str(web.requests[0])
        assert all(canary in sent for canary in ("canary-query", "canary-header", "canary-body"))
    for canary in CANARIES:
        assert canary not in out + err, canary


# numbers and little drawings


def test_a_rate_by_counting_has_the_interval_of_a_poisson_count() -> None:
    found = per_second(100, 10.0)
    assert (found.value, found.n) == (10.0, 100)
    assert found.low == pytest.approx(8.223, abs=1e-3)
    assert found.high == pytest.approx(12.161, abs=1e-3)
    nothing = per_second(0, 10.0)
    assert (nothing.value, nothing.low) == (0.0, 0.0)
    assert nothing.high == pytest.approx(0.384, abs=1e-3)
    assert per_second(3, 0.0) == Estimate(value=None, low=None, high=None, n=3)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0.05342, "0.0534 ms"),
        (1.5, "1.5 ms"),
        (99.9, "99.9 ms"),
        (250.4, "250 ms"),
        (12_500, "12.5 s"),
    ],
)
def test_milliseconds_keep_three_digits(ms: float, text: str) -> None:
    assert amount_ms(ms) == text


def test_intervals_name_both_units_where_they_differ() -> None:
    assert spread(Estimate(value=2, low=1, high=3, n=9)) == "2 ms (1 to 3 ms)"
    assert spread(Estimate(value=9000, low=1, high=20_000, n=9)) == "9000 ms (1 ms to 20.0 s)"
    assert spread(Estimate(value=None, low=None, high=None, n=9)) == "?"


def test_bars_are_as_long_as_their_shares() -> None:
    assert bar(1.0, 4) == "████"
    assert bar(0.5, 4) == "██"
    assert bar(0.03, 4) == "▏"
    assert bar(0.0, 4) == ""
    assert sparkline([0, 1, 8]) == " ▁█"
    assert sparkline([0, 0]) == ""
