import asyncio
import itertools
import random
import statistics
import sys
import time
from array import array
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from readiness import __version__
from readiness.estimate import EVEN, Estimate
from readiness.failure import ProbeError, classify
from readiness.histogram import Histogram
from readiness.inventory import Service
from readiness.load.check import Check
from readiness.load.recorder import Recorder
from readiness.load.series import Series
from readiness.looks import Looks
from readiness.measurement import Values
from readiness.probes import Context, _pace
from readiness.probes import http_latency as probe
from readiness.probes._aimed import Aimed
from readiness.probes._deciding import Deciding
from readiness.probes._load import latencies
from tests import servers
from tests.certificates import Authority
from tests.timed import timed

OK = servers.response(200, '{"status": "ok"}')


def service(port: int, path: str = "", scheme: str = "http", host: str = "127.0.0.1") -> Service:
    return Service(name="api", kind="http", url=SecretStr(f"{scheme}://{host}:{port}{path}"))


async def measured(port: int, context: Context, **settings: Any) -> Values:
    return await probe.measure(service(port), probe.Settings(**settings), context)


def estimate(values: Mapping[str, object], metric: str) -> Estimate:
    found = values[metric]
    assert isinstance(found, Estimate)
    return found


def point(values: Mapping[str, object], metric: str) -> float:
    value = estimate(values, metric).value
    assert value is not None
    return value


@pytest.mark.anyio
@pytest.mark.alone
@pytest.mark.parametrize("milliseconds", [3, 30])
async def test_the_median_is_the_delay_built_in(milliseconds: int, context: Context) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=milliseconds / 1000)) as port:
        values = await measured(port, replace(context, samples=60), seconds=1.5)
    assert point(values, "p50_ms") == pytest.approx(milliseconds, abs=max(2, 0.1 * milliseconds))
    assert point(values, "success_rate") == 1
    assert point(values, "error_rate") == 0
    assert "errors" not in values and "success_rate_because" not in values


@pytest.mark.anyio
@pytest.mark.alone
async def test_samples_are_what_was_asked_for(context: Context) -> None:
    web = servers.Web(lambda _: OK, delay=0.02)  # of a quicker one our own lag may be in doubt
    async with servers.serving(web) as port:
        values = await measured(port, context, samples=80)
    assert 70 <= estimate(values, "p50_ms").n <= 80
    assert values["clock"] == ("kernel" if sys.platform == "linux" else "process")
    assert Histogram.decode(str(values["distribution"])).n == estimate(values, "p50_ms").n
    assert values["n"] == estimate(values, "success_rate").n
    assert 80 <= len(web.requests) <= 80 + 400  # to find the pace, and to warm up
    assert estimate(values, "p99_ms").value is None
    assert values["p99_ms_because"] == (
        f"{estimate(values, 'p99_ms').n} timed successes, a p99 needs 368"
    )


@pytest.mark.anyio
async def test_the_request_says_who_asks_and_what_for(context: Context) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        settings = probe.Settings(
            request="HEAD /deep/check?token=canary",
            headers={"X-Api-Key": SecretStr("canary")},
            samples=60,
        )
        values = await probe.measure(service(port, "/base/"), settings, context)
    assert values["request"] == "HEAD /deep/check"
    assert "canary" not in repr(values)
    request = web.requests[-1]
    assert (request.method, request.target) == ("HEAD", "/base/deep/check?token=canary")
    expected = {
        "host": f"127.0.0.1:{port}",
        "user-agent": f"readiness/{__version__}",
        "readiness-run": context.run_id,
        "accept-encoding": "identity",
        "x-api-key": "canary",
    }
    assert expected.items() <= request.headers.items()


@pytest.mark.anyio
async def test_the_health_path_is_the_default(context: Context) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        values = await measured(port, context, samples=60)
    assert values["request"] == "GET /health"
    assert {request.target for request in web.requests} == {"/health"}


@pytest.mark.anyio
async def test_few_samples_are_no_guess(context: Context) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.3)) as port:
        values = await measured(port, context, seconds=0.3, in_flight=4)
    assert estimate(values, "p50_ms").value is None
    assert "a p50 needs 6" in str(values["p50_ms_because"])
    assert point(values, "success_rate") == 1


@pytest.mark.anyio
async def test_errors_are_counted_apart_from_latency(context: Context) -> None:
    asked = 0

    def every_third_fails(_: servers.Request) -> bytes:
        nonlocal asked
        asked += 1
        return servers.response(503) if asked % 3 == 0 else OK

    async with servers.serving(servers.Web(every_third_fails)) as port:
        values = await measured(port, context, samples=60)
    failed = round(point(values, "error_rate") * int(str(values["n"])))
    assert point(values, "success_rate") == pytest.approx(2 / 3, abs=0.05)
    assert values["errors"] == f"HTTP 503: {failed}"
    expected = f"{failed} of {values['n']} requests failed: HTTP 503: {failed}"
    assert values["success_rate_because"] == expected
    assert estimate(values, "p50_ms").n <= 45


@pytest.mark.anyio
async def test_the_expected_status_is_the_only_success(context: Context) -> None:
    async with servers.serving(servers.always(servers.response(401))) as port:
        denied = await measured(port, context, samples=60)
        wanted = await measured(port, context, samples=60, expect_status=401)
    assert point(denied, "success_rate") == 0
    assert point(wanted, "success_rate") == 1


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (servers.slam, "reset"),
        (servers.garbage, "protocol"),
        (servers.silent, "timeout"),
        (servers.header_drip, "timeout"),
        (servers.body_drip, "timeout"),
    ],
)
async def test_a_service_that_never_answers_fails_with_its_errors(
    server: servers.Handler, kind: str, context: Context
) -> None:
    async with servers.serving(server) as port:
        values = await measured(port, replace(context, timeout=0.3), in_flight=4)
    assert point(values, "success_rate") == 0
    assert values["errors"] == f"{kind}: {values['n']}"
    assert (estimate(values, "success_rate").high or 0) < 0.61
    assert estimate(values, "p50_ms").value is None


@pytest.mark.anyio
async def test_a_service_that_refuses_all_is_not_asked_until_the_time_is_up(
    context: Context,
) -> None:
    web = servers.always(servers.response(401, "who are you?"))
    async with servers.serving(web) as port:
        limited = replace(context, samples=30, limits={"p95_ms": (200.0, 500.0)})
        values = await measured(port, limited)
    assert point(values, "success_rate") == 0
    assert "p95_ms" not in values or estimate(values, "p95_ms").value is None
    assert len(web.requests) < 500


@pytest.mark.anyio
async def test_who_accepts_no_connection_is_to_blame(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(OSError) as caught:
            await measured(port, context)
    assert classify(caught.value).kind == "refused"


@pytest.mark.anyio
async def test_the_wrong_certificate_is_to_blame(context: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = replace(context, tls=authority.client)
    async with servers.serving(servers.always(OK), tls=authority.server(days=-1)) as port:
        with pytest.raises(ProbeError) as caught:
            target = service(port, scheme="https", host="localhost")
            await probe.measure(target, probe.Settings(), trusting)
    assert (caught.value.failure.kind, caught.value.failure.detail) == (
        "tls",
        "certificate has expired",
    )


@pytest.mark.anyio
@pytest.mark.alone
async def test_over_tls(context: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.client()
    trusting = replace(context, tls=lambda: client)
    async with servers.serving(servers.always(OK), tls=authority.server()) as port:
        target = service(port, scheme="https", host="localhost")
        values = await probe.measure(target, probe.Settings(samples=20), trusting)
    assert point(values, "success_rate") == 1
    assert point(values, "p50_ms") < 50


@pytest.mark.anyio
@pytest.mark.light
async def test_the_deadline_is_ours(context: Context) -> None:
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            await measured(port, replace(context, deadline=soon(context, 0.2)))
    assert caught.value.failure.kind == "deadline"


def soon(context: Context, seconds: float) -> float:
    return context.deadline - 60 + seconds


@pytest.mark.parametrize(
    ("milliseconds", "fixed", "n", "seconds"),
    [
        (0.2, 100, 100, 0.75),
        (12, 400, 400, 2.4),
        (50, 400, 400, 10),
        (53, 400, 377, 10),
        (2000, 400, 10, 10),
        (0.2, None, 3000, 0.75),
        (0.45, None, 3000, 0.75),
        (0.9, None, 444, 0.2),
        (1.1, None, 400, 0.22),
        (20, None, 400, 4),
    ],
)
def test_a_slow_service_is_asked_less_often(
    milliseconds: float, fixed: int | None, n: int, seconds: float, context: Context
) -> None:
    settings = probe.Settings(samples=fixed, in_flight=8)
    most = probe.bounds_for(settings, context)
    wanted = fixed or 400
    count, duration = probe.plan(timed(milliseconds), settings.usual_seconds, most, wanted)
    assert count == n
    assert duration == pytest.approx(seconds, abs=0.02)
    assert count * milliseconds / 1000 / duration <= 8  # in flight on average


@pytest.mark.parametrize("milliseconds", [0.1, 1, 20, 200, 5000])
@pytest.mark.parametrize("seconds", [0.01, 1, 300])
@pytest.mark.parametrize("samples", [None, 100_000])
def test_without_the_load_tier_nothing_is_put_under_load(
    milliseconds: float, seconds: float, samples: int | None, context: Context
) -> None:
    greedy = probe.Settings(samples=samples, in_flight=64, seconds=seconds)
    observing = replace(context, samples=10_000, allowed=frozenset({"observe"}))
    most = probe.bounds_for(greedy, observing)
    assert (most.samples, most.in_flight) == (400, 4)
    n, duration = probe.plan(timed(milliseconds), seconds, most, samples or 10_000)
    assert 1 <= n <= 400
    assert n / duration <= 50.001


def test_a_single_worker_is_half_busy(context: Context) -> None:
    most = probe.bounds_for(probe.Settings(), context)
    n, seconds = probe.plan(timed(20), 10, most, 400)
    assert n / seconds * 0.020 == pytest.approx(0.5)
    assert (probe.slots(16), probe.slots(0.5)) == (36, 8)


def test_more_slots_only_where_a_crowd_costs_nothing() -> None:
    assert _pace.eases(timed(10), timed(12))
    assert _pace.eases(timed(0.1), timed(0.5))
    assert not _pace.eases(timed(10), timed(16))
    assert not _pace.eases(timed(10), replace(timed(10), codes={200: 20, 503: 1}))
    assert not _pace.eases(timed(10), timed(10, 10, 20))  # a third waits for a turn


@pytest.mark.parametrize(
    ("alone", "crowd", "ease"),
    [
        ({200: 45, 500: 3}, {200: 44, 500: 4}, True),
        ({200: 45, 500: 3}, {200: 38, 500: 10}, False),  # it makes things worse
        ({200: 48}, {200: 47, 500: 1}, False),  # nobody fails alone
        ({200: 45, 500: 3}, {200: 47, 429: 1}, False),
        ({200: 45, 429: 3}, {200: 46, 500: 2}, False),
    ],
)
def test_who_fails_one_user_as_often_is_not_pressed_by_a_crowd(
    alone: dict[int, int], crowd: dict[int, int], ease: bool
) -> None:
    seen = timed(10)
    assert _pace.no_worse(replace(seen, codes=alone), replace(seen, codes=crowd)) is ease


@pytest.mark.anyio
@pytest.mark.light
async def test_a_service_with_errors_is_sampled_no_more_slowly(context: Context) -> None:
    turns = itertools.count(1)

    def erring(_: servers.Request) -> bytes:
        return servers.response(500) if next(turns) % 12 == 0 else OK

    async with servers.serving(servers.Web(erring, delay=0.01)) as port:
        aimed = await Aimed.at(service(port), probe.Settings(), context)
        one = await aimed.closed(_pace.PACING)
        assert await _pace.bearable(aimed, one, context.timeout) >= 2  # 6 on a machine at rest


def test_the_next_crowd_is_no_larger_than_what_was_seen_to_be_served_at_once() -> None:
    assert _pace.room(timed(10), timed(20), 64) == pytest.approx(40)
    assert _pace.room(timed(10), timed(160), 64) == pytest.approx(5)
    assert _pace.room(timed(10), replace(timed(10), codes={200: 3, 503: 2}), 48) == 16


@pytest.mark.parametrize(
    ("n", "late", "enough"), [(400, 0, True), (400, 8, False), (3000, 60, True)]
)
def test_more_is_taken_while_what_we_sent_late_may_decide(n: int, late: int, enough: bool) -> None:
    recorder = Recorder(Check())
    recorder.open_window(1)
    for place in range(n):
        lag = 3_000_000 if place < late else 0
        sent = 10 + place * 1_000_000
        recorder.add((sent, sent, sent + 15_000_000, lag, 200, 1))
    looked = Deciding({"p95_ms": (100.0, 200.0)}, Looks(0.95))
    assert looked.enough(recorder) is enough


@pytest.mark.anyio
@pytest.mark.light
async def test_samples_go_on_while_an_interval_straddles_the_limit(context: Context) -> None:
    asked = 0

    async def one_in_sixteen_is_slow(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal asked
        while await servers.read_request(reader):
            asked += 1
            await asyncio.sleep(0.02 if asked % 16 == 0 else 0)
            writer.write(OK)

    few = replace(context, samples=80)
    async with servers.serving(one_in_sixteen_is_slow) as port:
        clear = replace(few, limits={"p50_ms": (500.0, 900.0)})
        decided = await measured(port, clear, seconds=2, in_flight=4)
        near = replace(few, limits={"p95_ms": (1.0, 12.0)})
        straddling = await measured(port, near, seconds=2, in_flight=4)
    assert estimate(decided, "p95_ms").n < estimate(straddling, "p95_ms").n
    assert point(straddling, "over_limit") == pytest.approx(1 / 16, abs=0.05)


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.thorough
async def test_a_service_near_its_limit_gets_more_samples_until_its_time_is_up(
    context: Context,
) -> None:
    source = random.Random(5)

    async def one_in_twenty_is_slow(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while await servers.read_request(reader):
            await asyncio.sleep(0.1 if source.random() < 0.05 else 0.02)
            writer.write(OK)

    async def asked(limits: tuple[float, float]) -> tuple[Values, float]:
        began = asyncio.get_running_loop().time()
        lent = replace(context, samples=100, limits={"p95_ms": limits}, until=began + 16)
        values = await measured(port, lent)
        return values, asyncio.get_running_loop().time() - began

    async with servers.serving(one_in_twenty_is_slow) as port:
        far, quick = await asked((4000.0, 9000.0))
        near, slow = await asked((10.0, 60.0))  # its p95 is anywhere from 20 to 100 ms
    assert far["looks"] == 1
    assert int(str(near["looks"])) > 1
    assert estimate(near, "p95_ms").n > 2 * estimate(far, "p95_ms").n
    assert quick < slow < 20


@pytest.mark.anyio
@pytest.mark.light
async def test_a_run_without_the_load_tier_is_held_back_and_says_so(context: Context) -> None:
    web = servers.always(OK)
    observing = replace(context, allowed=frozenset({"observe"}))
    async with servers.serving(web) as port:
        began = time.monotonic()
        values = await measured(port, observing, samples=100_000, in_flight=64, seconds=0.6)
        took = time.monotonic() - began
    pacing = 16
    assert (len(web.requests) - pacing) / took <= 60
    assert web.connections <= 6
    assert str(values["p99_ms_because"]).endswith(
        "a p99 needs 368; without the load tier at most 400 answers are timed, "
        "50 a second, 4 at once"
    )


@pytest.mark.anyio
async def test_a_redirect_is_no_success_unless_expected(context: Context) -> None:
    to_error = servers.always(servers.response(302, headers={"Location": "/error"}))
    async with servers.serving(to_error) as port:
        values = await measured(port, context, samples=60)
        wanted = await measured(port, context, samples=60, expect_status=302)
    assert point(values, "success_rate") == 0
    assert values["errors"] == f"HTTP 302: {values['n']}"
    assert point(wanted, "success_rate") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"request": "TRACE /orders"},
        {"request": "GET /orders", "json": {"a": 1}},
        {"request": "HEAD /orders", "expect_text": "ok"},
        {"expect_json": {"status": "ok"}},
        {"request": "/health"},
        {"request": "GET /a b"},
        {"headers": {"X-Key": "two\nlines"}},
        {"headers": {"X Key": "1"}},
        {"samples": 0},
        {"in_flight": 65},
        {"expect_status": 99},
        {"concurrency": 4},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        probe.Settings.model_validate(wrong)


@pytest.mark.anyio
@pytest.mark.light
async def test_only_declared_metrics_are_returned(context: Context) -> None:
    asked = 0

    def every_other(_: servers.Request) -> bytes:
        nonlocal asked
        asked += 1
        return servers.response(500) if asked % 2 else OK

    limited = replace(context, limits={"p95_ms": (100.0, 200.0)})
    async with servers.serving(servers.Web(every_other, 0.001)) as port:
        values = await measured(port, limited, samples=10)
    named = {metric.removesuffix("_because") for metric in values}
    assert named == set(probe.METRICS)


@pytest.mark.anyio
@pytest.mark.alone
async def test_two_runs_agree(context: Context) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.01)) as port:
        medians = [point(await measured(port, context, samples=30), "p50_ms") for _ in range(2)]
    assert statistics.pstdev(medians) < 2


@pytest.mark.parametrize("milliseconds", [20, 300, 1500, 2000, 4000])
def test_the_slowest_single_worker_is_no_more_than_half_busy(
    milliseconds: float, context: Context
) -> None:
    most = probe.bounds_for(probe.Settings(), context)
    n, seconds = probe.plan(timed(milliseconds), 10, most, 400)
    assert n / seconds * milliseconds / 1000 <= 0.5001
    assert seconds <= 30
    assert n >= 6 or milliseconds > 2500  # enough for a median, where there is time for it


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.parametrize(
    ("size", "seconds", "most", "mean"),
    [
        pytest.param(1, 0.5, 12, 0.5, marks=pytest.mark.thorough),
        (64, 0.15, 204, 24),
    ],
)
async def test_a_slow_worker_is_not_left_with_work_for_users_long_gone(
    size: int, seconds: float, most: int, mean: float, context: Context
) -> None:
    hurried = replace(context, timeout=2.5)
    async with servers.serving(servers.Pool(size=size, seconds=seconds, patience=9)) as port:
        aimed = await Aimed.at(service(port), probe.Settings(), hurried)
        one = await aimed.closed(_pace.PACING)
        before = hurried.budget.left("127.0.0.1")
        assert await _pace.bearable(aimed, one, hurried.timeout) == mean
    assert before - hurried.budget.left("127.0.0.1") <= most


@pytest.mark.anyio
@pytest.mark.light
async def test_who_refuses_what_comes_too_often_is_not_pressed(context: Context) -> None:
    def limiting(_: servers.Request) -> bytes:
        return OK if len(web.requests) % 4 == 0 else servers.response(429)

    web = servers.Web(limiting)
    async with servers.serving(web) as port:
        values = await measured(port, replace(context, samples=2000), samples=2000)
    assert "refused with 429" in str(values["success_rate_because"])
    assert len(web.requests) < 1500


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.thorough
async def test_a_slow_single_worker_is_measured_and_not_overrun(context: Context) -> None:
    async with servers.serving(servers.Pool(size=1, seconds=0.25, patience=9)) as port:
        values = await measured(port, context, seconds=4)
    assert point(values, "success_rate") == 1
    assert point(values, "p50_ms") == pytest.approx(255, abs=60)


def test_no_look_is_spent_while_a_judged_percentile_has_too_few_samples() -> None:
    recorder = Recorder(Check())
    recorder.open_window(1)
    looked = Deciding({"p99_ms": (100.0, 200.0), "p50_ms": (100.0, 200.0)}, Looks(0.95))
    for place in range(368):
        assert place % 46 or not looked.enough(recorder)
        sent = 10 + place * 1_000_000
        recorder.add((sent, sent, sent + 15_000_000, 0, 200, 1))
    assert looked.enough(recorder)
    assert looked.made == 1


def test_refusals_for_asking_too_often_are_no_failures_when_looked_at() -> None:
    recorder = Recorder(Check())
    recorder.open_window(1)
    for place in range(4000):
        sent = 10 + place * 1_000_000
        code = 429 if place % 100 == 0 else 200
        recorder.add((sent, sent, sent + 15_000_000, 0, code, 1))
    assert Deciding({"success_rate": (0.999, 0.995)}, Looks(0.95)).enough(recorder)


def test_our_own_lateness_widens_an_interval_towards_quicker_and_hides_nothing() -> None:
    late = Series()
    late.add(array("q", [4_000_000] * 400))
    result = replace(timed(12.0, n=400), lag=late, service=timed(8.0, n=400).service, offered=400)
    found = latencies(result, (50,), lambda _: EVEN)
    p50 = estimate(found, "p50_ms")
    assert p50.value == pytest.approx(12, rel=0.01) and p50.high == pytest.approx(12, rel=0.01)
    assert p50.low == pytest.approx(8, rel=0.01)
    assert "left 4.0 ms late" in str(found["p50_ms_because"])
    busy = latencies(replace(result, cpu=0.95), (50,), lambda _: EVEN)
    assert "p50_ms" not in busy and "local_limit" in str(busy["p50_ms_because"])


@pytest.mark.parametrize(
    ("limit", "cpu", "kept"), [(200.0, 0.1, True), (12.5, 0.1, False), (200.0, 0.95, False)]
)
def test_a_late_run_is_made_anew_only_where_a_time_is_open(
    limit: float, cpu: float, kept: bool
) -> None:
    lag = Series()
    lag.add(array("q", [4_000_000] * 400))
    served = timed(8.0, n=400).service
    result = replace(timed(12.0, 13.0, n=200), lag=lag, service=served, offered=400, cpu=cpu)
    assert probe._hindered(result, timed(8.0))
    limits = {"p95_ms": (limit / 2, limit), "success_rate": (0.99, 0.95)}
    assert probe._times_settled(result, Deciding(limits, Looks(0.95)), limits) is kept
