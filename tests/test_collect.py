"""A plan is checked before any traffic; a run is bounded, retried, masked and told in order."""

import asyncio
import base64
import contextlib
import dataclasses
import itertools
import json
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness import collect, steps
from readiness.document import ConfigurationError, parse
from readiness.failure import Failure
from readiness.inventory import Tier, from_document
from readiness.measurement import Measurement, Values
from readiness.probes import Context, ProbeSettings
from readiness.slots import AT_ONCE, Slots
from tests import servers
from tests.strategies import PROPERTY

OBSERVE: frozenset[Tier] = frozenset({"observe"})
LOAD: frozenset[Tier] = frozenset({"observe", "load"})
ALL: frozenset[Tier] = frozenset({"observe", "load", "write"})


def planned(
    services: Mapping[str, Any],
    allowed: frozenset[Tier] = LOAD,
    only: tuple[str, ...] = (),
    timeout: str = "2s",
) -> steps.Plan:
    document = parse(
        json.dumps(
            {
                "version": 1,
                "system": {"name": "s"},
                "defaults": {"timeout": timeout, "samples": 20},
                "services": services,
            }
        ),
        "services.yaml",
    )
    return steps.plan(from_document(document, {}), document, allowed, only)


def collected(plan: steps.Plan, seconds: float = 30, left: str = "left") -> tuple[Measurement, ...]:
    collector = collect.Collector(plan, "run", seconds, lambda _step, _measurement: None)
    asyncio.run(collector.run())
    return collector.measurements(left)


async def served(
    handler: servers.Handler, act: Callable[[int], tuple[Measurement, ...]]
) -> tuple[Measurement, ...]:
    async with servers.serving(handler) as port:
        return await asyncio.to_thread(act, port)


def http(port: int, **more: Any) -> dict[str, Any]:
    return {"kind": "http", "url": f"http://127.0.0.1:{port}", **more}


OUTSIDE = dict.fromkeys(("http_headers", "http_cors", "http_exposure"), False)
QUICK = {
    "http_latency": {"samples": 60},
    "http_concurrency": {"users": [1], "requests": 6},
    **OUTSIDE,
}


def test_every_expected_probe_is_a_step_with_its_settings() -> None:
    plan = planned({"a": http(1, probes={"http_access": {"protected": ["/x"]}})})
    assert [step.name for step in plan.steps] == [
        "http_health",
        "http_latency",
        "http_concurrency",
        "http_headers",
        "http_cors",
        "http_exposure",
        "http_access",
    ]
    assert plan.steps[-1].settings.model_dump()["protected"] == ("/x",)


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (http(1, probes={"http_helth": {}}), "Did you mean 'http_health'?"),
        (http(1, probes={"redis_health": {}}), "of kind redis"),
        (http(1, probes={"http_latency": {"sampels": 1}}), "Did you mean 'samples'?"),
        (http(1, probes={"http_latency": {"samples": "many"}}), "samples"),
    ],
)
def test_wrong_settings_are_refused_before_any_traffic(
    service: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        planned({"a": service})
    assert str(caught.value).startswith("services.yaml:1: ")


@pytest.mark.parametrize(
    ("allowed", "only", "probe", "reason"),
    [
        (OBSERVE, (), "http_concurrency", "needs the load tier, which this run is not allowed"),
        (LOAD, ("b",), "http_health", "left out by --only"),
        (LOAD, (), "http_latency", "switched off in the inventory"),
    ],
)
def test_what_is_withheld_is_a_failure_of_ours(
    allowed: frozenset[Tier], only: tuple[str, ...], probe: str, reason: str
) -> None:
    off = {"http_latency": False}
    plan = planned({"a": http(1, probes=off), "b": http(1)}, allowed, only)
    step = next(s for s in plan.steps if (s.service.name, s.name) == ("a", probe))
    assert step.withheld is not None
    assert (step.withheld.kind, step.withheld.detail) == ("not_allowed", reason)


def test_a_withheld_probe_sends_nothing() -> None:
    web = servers.Web(lambda _: servers.response(200))

    def act(port: int) -> tuple[Measurement, ...]:
        return collected(planned({"a": http(port), "b": http(1)}, only=("b",)))

    found = asyncio.run(served(web, act))
    assert web.connections == 0
    assert {m.failure.detail for m in found if m.service == "a" and m.failure} == {
        "left out by --only"
    }


def test_a_probe_that_fails_once_is_tried_again_and_both_are_kept() -> None:
    seen = 0

    async def flaky(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            await servers.slam(reader, writer)
            return
        await servers.Web(lambda _: servers.response(200, '{"status": "pass"}'))(reader, writer)

    found = asyncio.run(
        served(flaky, lambda port: collected(planned({"a": http(port, probes=QUICK)})))
    )
    health = [m for m in found if m.probe == "http_health"]
    assert [m.attempt for m in health] == [1, 2]
    assert health[0].failure is not None
    assert health[0].failure.kind == "reset"
    assert health[1].failure is None
    assert health[1].values["healthy"] is True


def test_the_deadline_ends_every_probe_and_blames_nobody_for_it() -> None:
    def act(port: int) -> tuple[Measurement, ...]:
        services = {f"s{n}": http(port) for n in range(12)}
        return collected(planned(services, timeout="60s"), seconds=0.5)

    began = time.monotonic()
    found = asyncio.run(served(servers.silent, act))
    assert time.monotonic() - began < 5
    assert len(found) == 72
    assert {m.failure.kind for m in found if m.failure} == {"deadline"}


def test_what_an_interrupted_run_left_undone_says_so_in_the_plans_order() -> None:
    plan = planned({"a": http(1), "b": http(1)})
    collector = collect.Collector(plan, "run", 30, lambda _step, _measurement: None)
    found = collector.measurements("interrupted by SIGINT")
    assert [(m.service, m.probe) for m in found] == [(s.service.name, s.name) for s in plan.steps]
    assert {(m.failure.kind, m.failure.detail) for m in found if m.failure} == {
        ("deadline", "interrupted by SIGINT")
    }


def test_files_tell_of_a_service_that_is_down_as_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {down: {image: 'x:1', restart: always}}\n")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and does not listen
        inventory = {
            "version": 1,
            "system": {"name": "s"},
            "services": {
                "down": {"kind": "tcp", "url": f"tcp://127.0.0.1:{held.getsockname()[1]}"}
            },
            "artifacts": {"run": {"kind": "compose", "files": "compose.yaml"}},
        }
        document = parse(json.dumps(inventory), str(tmp_path / "services.yaml"))
        found = collected(steps.plan(from_document(document, {}), document, LOAD))
    told = {(m.service, m.probe): m for m in found}
    assert told["down", "tcp_connect"].failure is not None
    assert told["down", "compose_file"].failure is None
    assert told["down", "compose_file"].values["restart_policy_set"] is True
    assert told["run", "compose_file"].values["parsed"] is True


def test_secrets_are_masked_wherever_a_server_repeats_them() -> None:
    def answer(request: servers.Request) -> bytes:
        if request.target == "/login":
            return servers.response(200, '{"token": "token-3b9e07"}')
        bearer = request.headers.get("authorization", "")
        body = json.dumps({"status": f"{bearer} and secret-81cc"})
        return servers.response(200 if bearer else 401, body)

    access = {
        "protected": ["/x"],
        "login": {"request": "POST /login", "json": {"p": "secret-81cc"}, "token": "$.token"},
    }

    def act(port: int) -> tuple[Measurement, ...]:
        probes = {**QUICK, "http_access": access}
        return collected(planned({"a": http(port, probes=probes)}, ALL))

    text = "".join(m.model_dump_json() for m in asyncio.run(served(servers.Web(answer), act)))
    assert "***" in text
    assert "secret-81cc" not in text
    assert "token-3b9e07" not in text


KEY = "SAMEKEY-Canary-1234"


def echoing_key(request: servers.Request) -> bytes:
    """Tell the key and the login in every way but as they are."""
    _, _, login = request.headers.get("authorization", "").partition(" ")
    told = {
        "\u200b".join(KEY): "down",
        f"{'p' * 45}{KEY}": "down",
        KEY.upper(): "down",
        f"x {base64.b64decode(login).decode()}": "down",
    }
    return servers.response(200, json.dumps({"status": "down", "checks": told}))


def readable(text: str) -> str:
    return "".join(json.dumps(json.loads(text), ensure_ascii=False).split()).casefold()


def test_what_is_disguised_is_masked_before_anyone_is_shown_it() -> None:
    shown: list[Measurement] = []

    def act(port: int) -> tuple[Measurement, ...]:
        service = {
            "kind": "http",
            "url": f"http://bob:BasicPw-77@127.0.0.1:{port}/?api_key={KEY}",
            "probes": {
                **QUICK,
                "http_latency": {"request": f"GET /x?api_key={KEY}", "samples": 60},
            },
        }
        collector = collect.Collector(
            planned({"a": service}), "run", 30, lambda _, measurement: shown.append(measurement)
        )
        asyncio.run(collector.run())
        return collector.measurements("left")

    found = asyncio.run(served(servers.Web(echoing_key), act))
    for measurements in (shown, found):
        text = "".join(readable(m.model_dump_json()) for m in measurements)
        assert "***" in text
        assert "pppp" in text
        assert "\u200b" not in text
        for secret in (KEY, KEY[:8], "BasicPw-77"):
            assert secret.casefold() not in text


def test_a_learned_token_is_masked_in_every_spelling() -> None:
    token = "tokCANARY/abc+def==xyz"

    def answer(request: servers.Request) -> bytes:
        if request.target == "/login":
            return servers.response(200, json.dumps({"token": token}))
        if "authorization" not in request.headers:
            return servers.response(401, "{}")
        coded = base64.b64encode(token.encode()).decode()
        told = f"{quote(token, safe='')} {token.upper()} {coded} {quote(quote(token))}"
        return servers.response(403, json.dumps({"detail": told}))

    access = {
        "protected": ["/x"],
        "login": {"request": "POST /login", "json": {"p": "secret-81cc"}, "token": "$.token"},
    }

    def act(port: int) -> tuple[Measurement, ...]:
        return collected(planned({"a": http(port, probes={**QUICK, "http_access": access})}, ALL))

    text = "".join(m.model_dump_json() for m in asyncio.run(served(servers.Web(answer), act)))
    assert "***" in text
    assert "canary" not in text.casefold()
    assert "dG9rQ0" not in text


def test_half_a_character_in_an_answer_ends_no_run() -> None:
    broken = servers.Web(lambda _: servers.response(503, '{"status": "\\ud800 down"}'))
    found = asyncio.run(
        served(broken, lambda port: collected(planned({"a": http(port, probes=QUICK)})))
    )
    assert "\ufffd down" in "".join(m.model_dump_json() for m in found)


@PROPERTY
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_saved_and_read_back(text: str) -> None:
    found = Measurement(
        probe="p",
        service="s",
        started_at=datetime.now(UTC),
        seconds=0.0,
        values={"state": text},
        failure=Failure(kind="protocol", detail=text),
    )
    assert Measurement.model_validate_json(found.model_dump_json()) == found


def test_probes_that_measure_time_run_one_at_a_time_after_the_rest() -> None:
    order: list[str] = []

    def act(port: int) -> tuple[Measurement, ...]:
        plan = planned({"a": http(port, probes=QUICK), "b": http(port, probes=QUICK)})
        collector = collect.Collector(plan, "run", 30, lambda step, _: order.append(step.name))
        asyncio.run(collector.run())
        return collector.measurements("")

    ok = servers.Web(lambda _: servers.response(200, '{"status": "pass"}'))
    found = asyncio.run(served(ok, act))
    last = [name for name in order if name not in OUTSIDE]
    assert last[:2] == ["http_health", "http_health"]
    timed = [m for m in found if m.probe in ("http_latency", "http_concurrency")]
    spans = sorted((m.started_at.timestamp(), m.started_at.timestamp() + m.seconds) for m in timed)
    assert len(spans) == 4
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert start >= end - 0.01


def test_what_is_down_is_asked_nothing_deeper_and_costs_its_time_once() -> None:
    async def scenario() -> tuple[Measurement, ...]:
        async with servers.refusing() as port:
            url = f"redis://127.0.0.1:{port}/0"
            plan = planned({"cache": {"kind": "redis", "url": url}})
            order: list[tuple[str, int]] = []
            collector = collect.Collector(
                plan, "run", 30, lambda step, m: order.append((step.name, m.attempt))
            )
            await collector.run()
            assert order[:2] == [("redis_health", 1), ("redis_health", 2)]
            return collector.measurements("")

    found = asyncio.run(scenario())
    deeper = [m for m in found if m.probe != "redis_health"]
    assert len(deeper) >= 5
    for m in deeper:
        assert m.failure and m.failure.kind == "refused"
        assert (m.attempt, m.seconds < 0.01) == (1, True), "it was not asked"


def test_what_hangs_in_mid_run_gets_its_second_chance_once() -> None:
    """It answered its health probe, and then nothing any more."""
    hangs = False

    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not hangs and (request := await reader.read(4096)):
            writer.write(b"+PONG\r\n" if b"PING" in request else b"-ERR unknown command\r\n")
            await writer.drain()
        await asyncio.sleep(30)

    def act(port: int) -> tuple[Measurement, ...]:
        url = f"redis://127.0.0.1:{port}/0"
        plan = planned({"cache": {"kind": "redis", "url": url}}, timeout="0.2s")

        def progress(step: steps.Step, _measurement: Measurement) -> None:
            nonlocal hangs
            hangs = hangs or step.name == "redis_health"

        collector = collect.Collector(plan, "run", 30, progress)
        asyncio.run(collector.run())
        return collector.measurements("")

    found = asyncio.run(served(dying, act))
    health = [m for m in found if m.probe == "redis_health"]
    assert [m.failure for m in health] == [None]
    deeper = [m for m in found if m.probe != "redis_health"]
    assert all(m.failure and m.failure.kind == "timeout" for m in deeper)
    assert [m.attempt for m in deeper].count(2) == 1


# Many services

ALONE = {"http_latency": False, "http_concurrency": False, **OUTSIDE}
HEALTHY = servers.response(200, '{"status": "pass"}')


class Crowd:
    """Counts who is served at the same time, at all origins together; each for `seconds`."""

    def __init__(self, seconds: float = 0.005) -> None:
        self.seconds, self.now, self.most = seconds, 0, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await servers.read_request(reader)
            await asyncio.sleep(self.seconds)
            writer.write(HEALTHY)
            await writer.drain()
        finally:
            self.now -= 1


async def crowded(
    handlers: Sequence[servers.Handler],
    paths: int = 1,
    progress: Callable[[Sequence[Measurement]], None] = lambda _: None,
) -> list[Measurement]:
    """Probe so many paths of each handler, on a port of its own; return health as it came."""
    shown: list[Measurement] = []

    def show(_step: steps.Step, found: Measurement) -> None:
        if found.probe == "http_health":
            shown.append(found)
            progress(shown)

    async with contextlib.AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(servers.serving(h)) for h in handlers]
        services = {
            f"s{i}-{n}": {"kind": "http", "url": f"http://127.0.0.1:{port}/{n}", "probes": ALONE}
            for i, port in enumerate(ports)
            for n in range(paths)
        }
        collector = collect.Collector(planned(services, timeout="30s"), "run", 60, show)
        await asyncio.to_thread(asyncio.run, collector.run())
    return shown


def test_hanging_services_hold_up_no_healthy_one() -> None:
    """A hundred that come first hang until all others are measured, and then leave."""

    async def scenario() -> list[Measurement]:
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()

        def progress(shown: Sequence[Measurement]) -> None:
            if len(shown) == 300:
                loop.call_soon_threadsafe(over.set)

        return await crowded([hang] * 100 + [servers.always(HEALTHY)] * 300, progress=progress)

    found = asyncio.run(scenario())
    assert [m.values.get("healthy") for m in found[:300]] == [True] * 300
    assert {m.failure.kind for m in found[300:] if m.failure} == {"reset"}
    assert len(found) == 300 + 2 * 100


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call nothing hanging that a busy machine has made late."""
    monkeypatch.setattr(collect, "PATIENCE_SECONDS", 30.0)


@pytest.mark.usefixtures("_patient")
def test_sockets_are_bounded_in_all() -> None:
    crowd = Crowd()
    found = asyncio.run(crowded([crowd] * 320))
    assert [m.values.get("healthy") for m in found] == [True] * 320
    assert AT_ONCE < crowd.most <= collect.MANY_AT_ONCE


@pytest.mark.usefixtures("_patient")
def test_sockets_are_bounded_at_one_origin() -> None:
    crowd = Crowd()
    found = asyncio.run(crowded([crowd], paths=320))
    assert [m.values.get("healthy") for m in found] == [True] * 320
    assert 1 < crowd.most <= AT_ONCE


def test_hanging_ones_are_bounded_too() -> None:
    service = planned({"a": http(1)}).inventory.services[0]

    async def scenario() -> tuple[int, int]:
        slots = Slots(expected=3, at_once=1, most=3, patience=0.0)
        within, over = 0, asyncio.Event()

        async def hang() -> None:
            nonlocal within
            async with slots.one(service):
                within += 1
                await over.wait()

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(hang())
            await slots.settled.wait()
            among = within
            over.set()
        return among, within

    assert asyncio.run(scenario()) == (3, 10)


def test_what_measures_time_in_this_process_waits_for_the_crowd() -> None:
    order: list[str] = []

    def act(port: int) -> tuple[Measurement, ...]:
        access = {**ALONE, "http_access": {"protected": ["/x"]}}
        services = {f"s{n}": http(port, probes=access) for n in range(20)}
        collector = collect.Collector(
            planned(services), "run", 30, lambda step, found: order.append(step.name)
        )
        asyncio.run(collector.run())
        return ()

    asyncio.run(served(servers.always(HEALTHY), act))
    tried = [name for name in order if name in ("http_health", "http_access")]
    assert tried == ["http_health"] * 20 + ["http_access"] * 20


class Listening:
    """A probe that is measured alone and takes down until when it may go on."""

    TIER: Tier = "observe"
    KINDS = frozenset({"http"})
    EXCLUSIVE = True
    METRICS: Mapping[str, str] = {}
    Settings = ProbeSettings

    def __init__(self) -> None:
        self.seconds = 0.0

    async def measure(self, service: Any, settings: ProbeSettings, context: Context) -> Values:
        self.seconds = context.until - asyncio.get_running_loop().time()
        return {}


@pytest.mark.parametrize("deadline", [60, 300, 3600])
def test_a_longer_deadline_lets_a_probe_go_on_for_longer(deadline: float) -> None:
    probe = Listening()
    plan = planned({"s": http(1)}, OBSERVE)
    only = dataclasses.replace(plan, steps=(dataclasses.replace(plan.steps[0], probe=probe),))
    collected(only, deadline)
    assert probe.seconds == pytest.approx(deadline / 10, abs=1)
