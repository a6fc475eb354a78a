"""http_health against servers of every shape of health report, and against liars."""

import dataclasses
import json
import time
from pathlib import Path

import pytest

from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._health_report import HealthReport, read
from readiness.probes.http_health import METRICS, Settings, measure
from tests import servers
from tests.certificates import Authority

pytestmark = pytest.mark.anyio


async def probe(server: servers.Handler, context: Context, **health: str) -> Values:
    async with servers.serving(server) as port:
        return await measure(service(port, **health), Settings(), context)


def service(port: int, scheme: str = "http", **health: str) -> Service:
    url = f"{scheme}://127.0.0.1:{port}"
    return Service.model_validate(
        {"name": "it", "kind": "http", "url": url, "health": health or None}
    )


async def answered(context: Context, status: int, body: object, kind: str | None = None) -> Values:
    text = body if isinstance(body, str) else json.dumps(body)
    media_type = kind or ("text/plain" if isinstance(body, str) else "application/json")
    return await probe(servers.always(servers.response(status, text, media_type)), context)


async def test_a_healthy_service(context: Context) -> None:
    web = servers.always(servers.response(200, '{"status": "ok"}'))
    values = await probe(web, context, ready="/ready?deep=1")
    assert (
        values.items()
        >= {
            "status": 200,
            "healthy": True,
            "contradiction": False,
            "state": "ok",
            "structured": True,
            "media_type": "application/json",
            "protocol": "HTTP/1.1",
            "response_bytes": 16,
        }.items()
    )
    assert "healthy_because" not in values
    assert web.requests[0].target == "/ready?deep=1"
    names = {name for name in values if not name.endswith("_because")}
    assert names <= set(METRICS)


async def test_a_slow_service_shows_where_the_time_went(context: Context) -> None:
    web = servers.always(servers.response(200, '{"status": "ok"}'))
    web.delay = 0.08
    values = await probe(web, context)
    waited, connected = values["first_byte_ms"], values["connect_ms"]
    assert isinstance(waited, float)
    assert isinstance(connected, float)
    assert 80 <= waited < 300
    assert connected < 50


async def test_tls_is_timed_and_its_certificate_counted(context: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = dataclasses.replace(context, tls=authority.client)
    web = servers.always(servers.response(200, '{"status": "ok"}'))
    async with servers.serving(web, tls=authority.server("127.0.0.1", days=9)) as port:
        values = await measure(service(port, "https"), Settings(), trusting)
    assert values["certificate_days"] == 9
    assert isinstance(values["tls_ms"], float)


@pytest.mark.parametrize(
    ("status", "body", "healthy", "because"),
    [
        (503, {"status": "DOWN"}, False, 'GET /health answered 503 and its body says "DOWN"'),
        (
            200,
            {"status": "DOWN", "components": {"db": {"status": "DOWN"}, "disk": {"status": "UP"}}},
            False,
            'GET /health answered 200 but its body says "DOWN": db DOWN',
        ),
        (
            200,
            {"status": "UP", "checks": [{"name": "queue", "status": "DOWN"}]},
            False,
            'GET /health answered 200 but its body says "UP": queue DOWN',
        ),
        (
            200,
            {"status": "UP", "checks": {"cache": "degraded"}},
            True,
            'GET /health answered 200 and its body says "UP": cache degraded',
        ),
        (
            200,
            {"status": "ok", "checks": {"db": "DOWN"}},
            False,
            'GET /health answered 200 but its body says "ok": db DOWN',
        ),
        (
            200,
            {"checks": {"db": "DOWN"}},
            False,
            'GET /health answered 200 but its body says "DOWN": db DOWN',
        ),
        (
            200,
            [{"name": "db", "healthy": False}],
            False,
            'GET /health answered 200 but its body says "false": db false',
        ),
        (
            200,
            {"status": "NOT OK: database unreachable"},
            False,
            'GET /health answered 200 but its body says "NOT OK: database unreachable"',
        ),
        (
            200,
            {"status": "ok", "success": False, "error": "db gone"},
            False,
            'GET /health answered 200 but its body says "false"',
        ),
        (
            200,
            "Service Unavailable - database is down",
            False,
            'GET /health answered 200 but its body says "Service Unavailable - database is down"',
        ),
        (200, "Degraded", True, 'GET /health answered 200 and its body says "Degraded"'),
        (500, {"status": "ok"}, False, 'GET /health answered 500 and its body says "ok"'),
        (404, "nothing here", False, "GET /health answered 404"),
        (500, "", False, "GET /health answered 500"),
    ],
)
async def test_what_is_wrong_is_said(
    status: int, body: object, healthy: bool, because: str, context: Context
) -> None:
    values = await answered(context, status, body)
    assert values["healthy"] is healthy
    assert values["healthy_because"] == because
    assert values["contradiction"] is (status == 200 and not healthy)


async def test_a_redirect_is_not_healthy_and_named(context: Context) -> None:
    location = {"Location": "/login?next=%2Fhealth"}
    values = await probe(servers.always(servers.response(302, headers=location)), context)
    assert values["healthy"] is False
    assert values["healthy_because"] == "GET /health answered 302, a redirect to /login"


@pytest.mark.parametrize(
    ("body", "media_type", "because"),
    [
        ("", "application/json", "the body is empty"),
        ("pong", "text/plain", "the body is text without a known word of health"),
        ("no errors", "text/plain", "the body is text without a known word of health"),
        ('{"version": 3}', "application/json", "the body is JSON without a status"),
        ("[]", "application/json", "the body is JSON without a status"),
    ],
)
async def test_a_body_that_says_nothing_leaves_it_to_the_status(
    body: str, media_type: str, because: str, context: Context
) -> None:
    values = await answered(context, 200, body, media_type)
    assert (values["healthy"], values["structured"]) == (True, False)
    assert values["contradiction"] is False
    assert values["structured_because"] == values["state_because"] == because
    assert "state" not in values


@pytest.mark.parametrize("word", ["OK", "Healthy", "true"])
async def test_a_word_of_health_is_no_structure(word: str, context: Context) -> None:
    values = await answered(context, 200, word)
    assert (values["healthy"], values["structured"], values["state"]) == (True, False, word)
    assert values["structured_because"] == "the body is text"


NO_HEALTH = "the body is neither JSON nor a known word of health"
BROKEN = "the body is broken JSON"


@pytest.mark.parametrize(
    ("body", "media_type", "because"),
    [
        ("<!doctype html><h1>App</h1>", "text/html", "the body is a web page, not a health report"),
        ("<html><h1>App</h1>", "text/plain", "the body is a web page, not a health report"),
        ("{broken", "application/json", BROKEN),
        ("[" * 100_000, "application/json", BROKEN),
        ('{"status": ' + "9" * 10_000 + "}", "application/json", BROKEN),
        ("lorem ipsum " * 4, "text/plain", "the body is text without a known word of health"),
        ("lorem ipsum " * 40, "text/plain", NO_HEALTH),
    ],
    ids=["page", "undeclared page", "broken", "nested", "huge number", "sentence", "long text"],
)
async def test_what_cannot_be_read_proves_no_health(
    body: str, media_type: str, because: str, context: Context
) -> None:
    values = await answered(context, 200, body, media_type)
    assert {"healthy", "contradiction", "state"}.isdisjoint(values)
    assert values["structured"] is False
    assert values["healthy_because"] == f"GET /health answered 200, but {because}"
    assert values["contradiction_because"] == because
    refused = await answered(context, 503, body, media_type)
    assert (refused["healthy"], refused["contradiction"]) == (False, False)


async def test_an_unknown_word_is_unknown_health(context: Context) -> None:
    values = await answered(context, 200, {"status": "UNKNOWN"})
    assert {"healthy", "contradiction"}.isdisjoint(values)
    assert (values["state"], values["structured"]) == ("UNKNOWN", True)
    assert values["state_because"] == '"UNKNOWN" is no known word of health'
    assert values["healthy_because"] == (
        'GET /health answered 200, but its body says "UNKNOWN", which is no known word of health'
    )


async def test_a_web_page_is_what_a_website_answers(context: Context) -> None:
    web = servers.always(servers.response(200, "<!doctype html><h1>App</h1>", "text/html"))
    async with servers.serving(web) as port:
        site = service(port).model_copy(update={"kind": "web"})
        values = await measure(site, Settings(), context)
    assert (values["healthy"], values["structured"]) == (True, False)


async def test_a_packed_body_is_neither_unpacked_nor_believed(context: Context) -> None:
    for packed in (
        servers.bomb(),
        servers.response(200, b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
    ):
        values = await probe(servers.always(packed), context)
        assert ("healthy" in values, values["structured"]) == (False, False)
        assert values["state_because"] == (
            "the body is compressed, although it was asked for as it is"
        )


async def test_an_endless_body_ends(context: Context) -> None:
    values = await probe(servers.endless_body, context)
    assert values["response_bytes_because"] == "reading stopped at 1 MiB, the body is longer"


async def test_a_forged_answer_after_the_body_never_passes(context: Context) -> None:
    forged = servers.response(500, "no") + servers.response(200, '{"status": "ok"}')
    async with servers.serving(servers.always(forged)) as port:
        for _ in range(5):
            assert (await measure(service(port), Settings(), context))["healthy"] is False


# Liveness


async def test_liveness_is_measured_where_it_is_declared(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        down = request.target == "/live"
        return servers.response(
            503 if down else 200, '{"status": "%s"}' % ("fail" if down else "ok")
        )

    values = await probe(servers.Web(answer), context, ready="/ready", live="/live")
    assert (values["healthy"], values["live_healthy"], values["live_status"]) == (True, False, 503)
    assert values["live_healthy_because"] == 'GET /live answered 503 and its body says "fail"'


async def test_liveness_without_an_answer_does_not_hide_readiness(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        return b"\x00\r\n\r\n" if request.target == "/live" else servers.response(200, "ok")

    values = await probe(servers.Web(answer), context, ready="/ready", live="/live")
    assert (values["healthy"], values["live_healthy"]) == (True, False)
    assert values["live_healthy_because"] == "GET /live: protocol: the answer is not HTTP/1.1"
    assert "live_status" not in values


# No answer


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (servers.silent, "timeout"),
        (servers.header_drip, "timeout"),
        (servers.body_drip, "timeout"),
        (servers.interim_flood, "protocol"),
        (servers.garbage, "protocol"),
        (servers.slam, "reset"),
        (servers.hang_up, "reset"),
    ],
    ids=["silent", "header drip", "body drip", "interim flood", "garbage", "slam", "hang up"],
)
async def test_servers_that_give_no_answer(
    server: servers.Handler, kind: str, context: Context
) -> None:
    impatient, began = dataclasses.replace(context, timeout=0.2), time.monotonic()
    with pytest.raises((OSError, ProbeError)) as caught:
        await probe(server, impatient)
    assert classify(caught.value).kind == kind
    assert time.monotonic() - began < 2


async def test_a_port_where_nothing_listens(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(ConnectionRefusedError):
            await measure(service(port), Settings(), context)


# Shapes


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"status": "pass"}', HealthReport("pass", "up", ())),
        (
            '{"status": "warn", "checks": {"cassandra:responseTime": '
            '[{"status": "pass"}, {"status": "fail", "output": "slow"}]}}',
            HealthReport("warn", "warn", ("cassandra:responseTime fail",), True),
        ),
        ('{"status": "OUT_OF_SERVICE"}', HealthReport("OUT_OF_SERVICE", "down", ())),
        ('{"status": "UNKNOWN"}', HealthReport("UNKNOWN", "unclear", ())),
        (
            '{"status": "DOWN", "components": {"db": {"status": "DOWN", "components": '
            '{"primary": {"status": "UP"}, "replica": {"status": "DOWN"}}}}}',
            HealthReport("DOWN", "down", ("db/replica DOWN",), True),
        ),
        (
            '{"status": "DOWN", "details": {"db": {"status": "DOWN", '
            '"details": {"database": "PostgreSQL", "exists": false}}}}',
            HealthReport("DOWN", "down", ("db DOWN",), True),
        ),
        (
            '{"status": "Unhealthy", "entries": {"sql": {"status": "Unhealthy"}, '
            '"redis": {"status": "Degraded"}}}',
            HealthReport("Unhealthy", "down", ("sql Unhealthy", "redis Degraded"), True),
        ),
        ("Healthy", HealthReport("Healthy", "up", (), structured=False)),
        ("Unhealthy\n", HealthReport("Unhealthy", "down", (), structured=False)),
        ('"Healthy"', HealthReport("Healthy", "up", (), structured=False)),
        ("\ufeffOK", HealthReport("OK", "up", (), structured=False)),
        ('{"healthy": true}', HealthReport("true", "up", ())),
        ('{"healthy": false}', HealthReport("false", "down", ())),
        ('{"ok": false, "services": {"mail": "down", "db": "ok"}}',
         HealthReport("false", "down", ("mail down",), True)),
        ('{"success": true}', HealthReport("true", "up", ())),
        ('{"up": false}', HealthReport("false", "down", ())),
        ('{"ready": true, "healthy": false}', HealthReport("false", "down", ())),
        ('{"status": "NotReady"}', HealthReport("NotReady", "down", ())),
        ('{"status": "db_error"}', HealthReport("db_error", "down", ())),
        ('{"status": "starting, no errors"}', HealthReport("starting, no errors", "unclear", ())),
        ('{"status": "ok", "services": {"cdn": "downloads.example"}}',
         HealthReport("ok", "up", ())),
        ('{"status": "%s down"}' % ("x" * 50), HealthReport("x" * 39 + "…", "down", ())),
        ('{"Status": "Not Ready"}', HealthReport("Not Ready", "down", ())),
        ('{"status": "%s"}' % ("x" * 500), HealthReport("x" * 39 + "…", "unclear", ())),
    ],
)  # fmt: skip
async def test_the_shapes_of_health(body: str, expected: HealthReport) -> None:
    assert read(body) == expected


async def test_many_failing_components_are_counted(context: Context) -> None:
    checks = {f"part{i}": "down" for i in range(9)}
    values = await answered(context, 503, {"status": "down", "checks": checks})
    assert str(values["healthy_because"]).endswith("part3 down, part4 down and 4 more")


async def test_a_deep_report_is_read_to_a_bounded_depth() -> None:
    body = '{"status":"down","components":{"a":' * 300 + "{}" + "}}" * 300
    report = read(body)
    assert isinstance(report, HealthReport)
    assert report.failing == ("a/a/a/a/a/a down",)
