from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from readiness.criteria import bundled_criteria
from readiness.estimate import Estimate
from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.judge import judge
from readiness.measurement import Value, Values
from readiness.probes import Context
from readiness.probes import http_paired as probe
from readiness.probes.http_latency import Bounds
from tests import servers
from tests.judging import NOW, measured
from tests.timed import timed

OK = servers.response(200, '{"status": "ok"}')
CHECKS = bundled_criteria().checks


def service(port: int, **changes: Any) -> Service:
    return Service(name="api", kind="http", url=SecretStr(f"http://127.0.0.1:{port}"), **changes)


def settings(port: int, **changes: Any) -> probe.Settings:
    reference = {"url": f"http://127.0.0.1:{port}", "environment": "test"}
    reference |= changes.pop("reference", {})
    return probe.Settings.model_validate(
        {"reference": reference, "pairs": 100, "seconds": 1, **changes}
    )


async def compared(ours: int, theirs: int, context: Context, **changes: Any) -> Values:
    return await probe.measure(service(ours), settings(theirs, **changes), context)


def estimate(values: Mapping[str, Value], metric: str) -> tuple[float, float, float]:
    found = values.get(metric)
    assert isinstance(found, Estimate), values
    assert found.low is not None and found.value is not None and found.high is not None
    return found.low, found.value, found.high


def outcomes(values: Values) -> tuple[str, str]:
    """What the two checks say of `values`: of the time, of the failures."""
    it = service(1, probes={"http_paired": {"reference": True}})
    found = measured("http_paired").model_copy(update={"values": values})
    time, success = (
        judge(CHECKS[name], it, [found], (), NOW.date()).outcome
        for name in ("paired-time", "paired-success")
    )
    return time, success


@pytest.mark.anyio
@pytest.mark.light
async def test_a_quarter_slower_is_caught(context: Context) -> None:
    worse = await timed_against(50, 40, context)
    low, _, high = estimate(worse, "time_ratio")
    assert 1 < low < 1.25 < high + 0.1
    assert estimate(worse, "shift_ms")[1] == pytest.approx(10, abs=3)
    assert estimate(worse, "slower_probability")[1] > 0.6
    assert outcomes(worse)[0] in ("fail", "warn")
    assert float(str(worse["p_value"])) < 0.05


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.thorough
async def test_a_quarter_quicker_is_told(context: Context) -> None:
    better = await timed_against(40, 50, context)
    assert estimate(better, "time_ratio")[2] < 1
    assert outcomes(better)[0] == "pass"


async def timed_against(ours: float, theirs: float, context: Context) -> Values:
    """Compare two that take so many milliseconds."""
    mine, other = (servers.Web(lambda _: OK, delay=ms / 1000) for ms in (ours, theirs))
    async with servers.serving(mine) as port, servers.serving(other) as reference:
        return await compared(port, reference, context)


@pytest.mark.anyio
@pytest.mark.light
async def test_one_server_compared_with_itself_raises_no_alarm(context: Context) -> None:
    web = servers.Web(lambda _: OK, delay=0.01)
    async with servers.serving(web) as port:
        values = await compared(port, port, context, pairs=400)
    low, _, high = estimate(values, "time_ratio")
    assert low <= 1.02 and high >= 0.98
    assert "fail" not in outcomes(values)
    assert values["has_reference"] is True
    assert 20 <= int(str(values["pairs"])) <= int(str(values["n"]))


@pytest.mark.anyio
async def test_without_a_reference_it_does_not_apply_and_says_why(context: Context) -> None:
    reason = "old.yaml has no HTTP service 'api'."
    values = await probe.measure(service(9), probe.Settings(alone=reason), context)
    assert values == {"has_reference": False, "has_reference_because": reason}
    assert outcomes(values) == ("not_applicable", "not_applicable")
    assert "no reference" in str(await probe.measure(service(9), probe.Settings(), context))


@pytest.mark.anyio
@pytest.mark.parametrize("server", [servers.silent, servers.garbage, servers.slam])
async def test_a_broken_reference_is_not_held_against_the_service(
    server: servers.Handler, context: Context
) -> None:
    async with servers.serving(servers.always(OK)) as ours, servers.serving(server) as theirs:
        values = await compared(ours, theirs, replace(context, timeout=0.3))
    assert "the reference could not be asked" in str(values["time_ratio_because"])
    assert outcomes(values) == ("unknown", "unknown")


@pytest.mark.anyio
async def test_a_reference_that_is_down_is_not_held_against_the_service(context: Context) -> None:
    async with servers.serving(servers.always(OK)) as ours, servers.refusing() as theirs:
        values = await compared(ours, theirs, context)
    assert values["time_ratio_because"] == "the reference could not be asked: connection refused"
    assert outcomes(values) == ("unknown", "unknown")


@pytest.mark.anyio
async def test_a_service_that_is_down_is_to_blame(context: Context) -> None:
    async with servers.refusing() as ours, servers.serving(servers.always(OK)) as theirs:
        with pytest.raises(OSError) as caught:
            await compared(ours, theirs, context)
    assert classify(caught.value).kind == "refused"


@pytest.mark.anyio
async def test_a_service_that_hangs_is_to_blame(context: Context) -> None:
    async with servers.serving(servers.silent) as ours, servers.serving(servers.always(OK)) as them:
        with pytest.raises(ProbeError) as caught:
            await compared(ours, them, replace(context, timeout=0.3))
    assert caught.value.failure.kind == "timeout"


def failing(every: int) -> servers.Web:
    asked = 0

    def answer(_: servers.Request) -> bytes:
        nonlocal asked
        asked += 1
        return servers.response(503) if asked % every == 0 else OK

    return servers.Web(answer, delay=0.005)


@pytest.mark.anyio
async def test_failures_of_the_service_alone_fail_and_leave_no_time(context: Context) -> None:
    async with (
        servers.serving(failing(4)) as ours,
        servers.serving(servers.Web(lambda _: OK, delay=0.005)) as theirs,
    ):
        values = await compared(ours, theirs, context)
    assert estimate(values, "failure_excess")[1] == pytest.approx(0.25, abs=0.08)
    assert outcomes(values) == ("unknown", "fail")
    assert "HTTP 503" in str(values["failure_excess_because"])
    assert "a request failed" in str(values["time_ratio_because"])
    assert float(str(values["success_p_value"])) < 0.001


@pytest.mark.anyio
async def test_nothing_is_earned_beside_a_reference_that_fails(context: Context) -> None:
    async with (
        servers.serving(servers.Web(lambda _: OK, delay=0.005)) as ours,
        servers.serving(failing(4)) as theirs,
    ):
        values = await compared(ours, theirs, context)
    assert outcomes(values) == ("unknown", "unknown")
    assert "the reference failed in" in str(values["failure_excess_because"])
    assert estimate(values, "success_rate")[1] == 1


@pytest.mark.anyio
async def test_refusals_for_asking_too_often_are_no_failures(context: Context) -> None:
    async with (
        servers.serving(servers.always(servers.response(429))) as ours,
        servers.serving(servers.always(OK)) as theirs,
    ):
        values = await compared(ours, theirs, context)
    assert outcomes(values) == ("unknown", "unknown")
    assert "429" in str(values["failure_excess_because"])


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.parametrize(
    ("allowed", "run_in", "reference_in", "gently"),
    [
        ("load", "test", "test", False),
        ("load", "test", "production", True),
        ("load", "production", "production", False),
        ("observe", "test", "test", True),
    ],
)
async def test_what_is_in_production_is_asked_gently_and_so_is_the_service(
    allowed: str, run_in: str, reference_in: str, gently: bool, context: Context
) -> None:
    tiers = frozenset({"observe", allowed})
    lent = replace(context, allowed=tiers, environment=run_in)  # type: ignore[arg-type]
    first, second = servers.always(OK), servers.always(OK)
    reference = {"environment": reference_in}
    async with servers.serving(first) as ours, servers.serving(second) as theirs:
        await compared(ours, theirs, lent, reference=reference, pairs=20, seconds=0.5)
    assert (max(first.connections, second.connections) <= 4 + 2) is gently
    assert (len(second.requests) < 60) is gently


@pytest.mark.parametrize(
    ("milliseconds", "mean", "pairs", "seconds"),
    [
        (20, 0.5, 250, 10),
        (40, 0.5, 200, 16),  # three seconds in four more than it is given, so that it can tell
        (400, 0.5, 37, 30),  # never longer than three times
        (7400, 0.5, 2, 30),
        (2, 0.5, 400, 8),
    ],
)
def test_a_gentle_comparison_takes_the_time_to_tell(
    milliseconds: float, mean: float, pairs: int, seconds: float
) -> None:
    gentle = Bounds(samples=400, in_flight=4, per_second=50, mean=mean)
    found, taken = probe._planned(timed(milliseconds), 10, gentle)
    assert found == pairs
    assert taken == pytest.approx(seconds, abs=1)


@pytest.mark.anyio
async def test_too_few_pairs_to_compare_are_not_asked_for(context: Context) -> None:
    slow = [servers.Web(lambda _: OK, delay=0.3) for _ in range(2)]
    lent = replace(context, allowed=frozenset({"observe"}))
    async with servers.serving(slow[0]) as ours, servers.serving(slow[1]) as theirs:
        values = await compared(ours, theirs, lent, seconds=1)
    assert str(values["time_ratio_because"]).endswith("a comparison needs 20")
    assert len(slow[1].requests) < 10


@pytest.mark.anyio
async def test_each_is_asked_with_its_own_headers_and_the_same_request(context: Context) -> None:
    first, second = servers.always(OK), servers.always(OK)
    async with servers.serving(first) as ours, servers.serving(second) as theirs:
        values = await compared(
            ours, theirs, context, request="GET /orders?key=canary", headers={"X-Key": "canary"}
        )
    assert {r.target for r in (*first.requests, *second.requests)} == {"/orders?key=canary"}
    assert all(r.headers["x-key"] == "canary" for r in first.requests)
    assert not any("x-key" in r.headers for r in second.requests)
    assert values["request"] == values["reference_request"] == "GET /orders"
    assert "canary" not in repr(values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"request": "POST /orders"},
        {"reference": {"url": "http://localhost", "request": "POST /orders"}},
        {"reference": {"url": "ftp://localhost"}},
        {"reference": {"environment": "test"}},
        {"reference": {"url": "http://localhost", "environment": "prod"}},
        {"pairs": 5},
        {"seconds": 0},
    ],
)
def test_bad_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        probe.Settings.model_validate(wrong)
    assert "canary" not in str(caught.value)
