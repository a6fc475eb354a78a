from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from readiness.estimate import Estimate
from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes import http_concurrency as probe
from tests import servers

OK = servers.response(200, '{"status": "ok"}')


async def measured(port: int, context: Context, **settings: Any) -> Values:
    service = Service(name="api", kind="http", url=SecretStr(f"http://127.0.0.1:{port}"))
    return await probe.measure(service, probe.Settings(**settings), context)


def estimate(values: Mapping[str, object], metric: str) -> Estimate:
    found = values[metric]
    assert isinstance(found, Estimate)
    return found


def number(values: Mapping[str, object], metric: str) -> float:
    found = values[metric]
    found = found.value if isinstance(found, Estimate) else found
    assert isinstance(found, int | float)
    return found


@pytest.mark.anyio
@pytest.mark.light
async def test_a_pool_too_small_bears_one_user_and_half_of_fifty(context: Context) -> None:
    async with servers.serving(servers.Pool(size=5, seconds=0.053, patience=0.25)) as port:
        values = await measured(port, context)
    assert values["users_max"] == 50
    assert number(values, "users.1.success_rate") == 1
    assert number(values, "users.10.success_rate") == 1
    assert number(values, "users.50.success_rate") == pytest.approx(0.5, abs=0.1)
    assert number(values, "users.50.n") >= 250
    assert number(values, "users.10.requests_per_second") == pytest.approx(94, rel=0.2)
    assert str(values["users.50.errors"]).startswith("HTTP 503: ")
    assert "users.1.errors" not in values
    for metric in ("success_rate", "p95_ms", "requests_per_second", "success_rate_because"):
        assert values[metric] == values[f"users.50.{metric}"]


@pytest.mark.anyio
@pytest.mark.alone
async def test_a_service_that_scales_serves_everyone(context: Context) -> None:
    web = servers.Web(lambda _: OK, delay=0.02)
    async with servers.serving(web) as port:
        values = await measured(port, context, users=(20, 2), seconds=0.3)
    assert number(values, "success_rate") == 1
    assert number(values, "users.2.p50_ms") == pytest.approx(20, abs=5)
    ratio = number(values, "users.20.requests_per_second") / number(
        values, "users.2.requests_per_second"
    )
    assert ratio == pytest.approx(10, rel=0.3)
    assert estimate(values, "users.2.p95_ms").value is None
    assert "a p95 needs 72" in str(values["users.2.p95_ms_because"])
    assert {request.target for request in web.requests} == {"/health"}
    assert web.connections == 23  # one finds the address, then one per user


@pytest.mark.anyio
@pytest.mark.light
async def test_what_one_user_sees_is_not_measured_twice_in_a_run(context: Context) -> None:
    web = servers.Web(lambda _: OK, delay=0.02)
    async with servers.serving(web) as port:
        first = await measured(port, context, users=(1, 2), requests=20)
        again = await measured(port, context, users=(1, 2), requests=20)
        other = await measured(port, replace(context, trials={}), users=(1, 2), requests=20)
    rates = [each["users.1.requests_per_second"] for each in (first, again, other)]
    assert rates[0] == rates[1] != rates[2]
    assert first["users.2.requests_per_second"] != again["users.2.requests_per_second"]


@pytest.mark.anyio
@pytest.mark.light
async def test_a_trial_stands_for_none_that_asks_more(context: Context) -> None:
    async with servers.serving(servers.Web(lambda _: OK, delay=0.005)) as port:
        few = await measured(port, context, users=(1, 2), requests=10)
        more = await measured(port, context, users=(1, 2), requests=60, seconds=3)
    assert number(few, "users.1.n") < 30
    assert number(more, "users.1.n") >= 60


@pytest.mark.parametrize("users", [10, 20, 50])
def test_every_level_of_some_users_has_a_p95(users: int) -> None:
    level = probe.Settings(users=(1, users, 100)).level(users)
    assert min(level.least, level.requests) >= 72


def test_a_probe_may_take_as_long_as_its_settings_ask_for() -> None:
    assert probe.Settings().at_most_seconds == 60
    assert probe.Settings(seconds=300, users=(1, 50)).at_most_seconds > 2 * 300
    assert probe.Settings(seconds=3, knee=True).at_most_seconds > 2 * 3 * 3 + 40


@pytest.mark.anyio
@pytest.mark.light
async def test_the_number_of_requests_is_bounded(context: Context) -> None:
    web = servers.always(OK)
    async with servers.serving(web) as port:
        await measured(port, context, users=(4,), requests=40)
    assert 40 <= len(web.requests) <= 2 * 40 + 4


@pytest.mark.anyio
@pytest.mark.light
async def test_the_request_and_its_success_can_be_declared(context: Context) -> None:
    web = servers.always(servers.response(404))
    async with servers.serving(web) as port:
        values = await measured(
            port,
            context,
            users=(2,),
            requests=10,
            request="HEAD /nothing?secret=canary",
            headers={"Authorization": SecretStr("Bearer canary")},
            expect_status=404,
        )
    assert values["request"] == "HEAD /nothing"
    assert number(values, "success_rate") == 1
    assert "canary" not in repr(values)
    assert web.requests[0].headers["authorization"] == "Bearer canary"
    assert web.requests[0].headers["readiness-run"] == context.run_id


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.parametrize(
    ("server", "kind"),
    [(servers.slam, "reset"), (servers.garbage, "protocol"), (servers.silent, "timeout")],
)
async def test_a_service_that_never_answers_fails_with_its_errors(
    server: servers.Handler, kind: str, context: Context
) -> None:
    async with servers.serving(server) as port:
        values = await measured(port, replace(context, timeout=0.3), users=(5,), seconds=0.2)
    assert number(values, "success_rate") == 0
    assert number(values, "requests_per_second") == 0
    assert values["users.5.errors"] == f"{kind}: {values['users.5.n']}"
    assert f"{kind}: " in str(values["success_rate_because"])


@pytest.mark.anyio
@pytest.mark.light
async def test_who_accepts_no_connection_is_to_blame(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(OSError) as caught:
            await measured(port, context)
    assert classify(caught.value).kind == "refused"


@pytest.mark.anyio
@pytest.mark.light
async def test_a_name_that_does_not_resolve_is_to_blame(context: Context) -> None:
    async def unknown(host: str, port: int) -> Any:
        raise ProbeError("dns", "host name does not resolve")

    with pytest.raises(ProbeError) as caught:
        await measured(1, replace(context, resolve=unknown))
    assert caught.value.failure.kind == "dns"


@pytest.mark.anyio
@pytest.mark.light
async def test_the_declared_rate_is_tried_whether_or_not_it_is_borne(context: Context) -> None:
    async with servers.serving(servers.Pool(size=2, seconds=0.02, patience=0.1)) as port:
        borne = await measured(port, context, users=(1,), requests=5, rate=30)
        beyond = await measured(port, context, users=(1,), requests=5, rate=200)
    assert (borne["target_rate"], beyond["target_rate"]) == (30, 200)
    assert number(borne, "at_rate.success_rate") == 1
    assert number(borne, "at_rate.requests_per_second") == pytest.approx(30, rel=0.4)
    assert number(beyond, "at_rate.success_rate") < 0.8
    assert str(beyond["at_rate.errors"]).startswith("HTTP 503: ")


@pytest.mark.anyio
@pytest.mark.light
async def test_a_service_that_limits_us_shows_nothing_of_its_own(context: Context) -> None:
    async with servers.serving(servers.always(servers.response(429))) as port:
        values = await measured(port, context, users=(3,), requests=30)
    assert "success_rate" not in values
    assert "refused with 429" in str(values["success_rate_because"])
    assert values["users.3.rate_limited"] == values["users.3.n"]


@pytest.mark.anyio
@pytest.mark.light
async def test_a_service_that_asks_for_a_pause_gets_no_more_users(context: Context) -> None:
    web = servers.always(servers.response(503, headers={"Retry-After": "9"}))
    async with servers.serving(web) as port:
        values = await measured(port, context, users=(2, 50), seconds=0.3)
    assert "users.50.n" not in values
    assert "asked for a pause" in str(values["success_rate_because"])
    assert web.connections <= 10


@pytest.mark.anyio
@pytest.mark.light
async def test_six_numbers_of_users_give_advice_on_scaling(context: Context) -> None:
    async with servers.serving(servers.Pool(size=4, seconds=0.01, patience=9)) as port:
        values = await measured(port, context, users=(1, 2, 3, 4, 6, 8), seconds=0.2)
    assert "contention" in str(values.get("scalability", "contention"))
    assert number(values, "users.8.requests_per_second") > number(
        values, "users.1.requests_per_second"
    )


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.thorough
async def test_the_knee_is_searched_if_wanted(context: Context) -> None:
    limited = replace(context, limits={"p95_ms": (20.0, 60.0)}, deadline=context.deadline - 32)
    async with servers.serving(servers.Pool(size=1, seconds=0.005, patience=30)) as port:
        values = await measured(port, limited, users=(1,), requests=5, knee=True)
    assert 60 < number(values, "knee_requests_per_second") < 200
    assert "p95 within 60 ms" in str(values["knee_requests_per_second_because"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"users": []},
        {"users": [0]},
        {"users": [1001]},
        {"users": [5, 5]},
        {"users": list(range(1, 10))},
        {"request": "TRACE /orders"},
        {"requests": 0},
        {"seconds": 0},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        probe.Settings.model_validate(wrong)


def test_users_are_tried_in_order() -> None:
    assert probe.Settings(users=(50, 1, 10)).users == (1, 10, 50)


def test_only_declared_metrics_are_named() -> None:
    assert {"users_max", "success_rate", "users.*.p50_ms"} <= set(probe.METRICS)
    assert (probe.TIER, probe.EXCLUSIVE, set(probe.KINDS)) == ("load", True, {"http", "web"})


@pytest.mark.anyio
@pytest.mark.light
async def test_who_asks_for_a_pause_at_the_most_users_is_asked_for_no_rate(
    context: Context,
) -> None:
    web = servers.always(servers.response(503, headers={"Retry-After": "9"}))
    async with servers.serving(web) as port:
        values = await measured(port, context, users=(2,), seconds=0.3, rate=50, knee=True)
    assert isinstance(values["success_rate"], Estimate)
    assert "asked for a pause" in str(values["at_rate.success_rate_because"])
    assert "asked for a pause" in str(values["knee_requests_per_second_because"])
    assert web.connections <= 10


def test_a_low_rate_has_the_time_it_takes() -> None:
    usual = probe.Settings(seconds=5)
    assert probe.Settings(seconds=5, rate=2).at_most_seconds >= usual.at_most_seconds + 60


@pytest.mark.anyio
@pytest.mark.light
@pytest.mark.parametrize(
    ("rate", "sustained"), [(60, True), pytest.param(300, False, marks=pytest.mark.thorough)]
)
async def test_a_rate_above_capacity_is_not_sustained(
    rate: float, sustained: bool, context: Context
) -> None:
    async with servers.serving(servers.Pool(size=2, seconds=0.01, patience=9)) as port:
        values = await measured(port, context, users=(2,), seconds=0.1, rate=rate)
    assert values["at_rate.sustained"] is sustained
    assert ("at_rate.sustained_because" in values) is not sustained


@pytest.mark.anyio
async def test_a_rate_that_we_may_have_been_late_for_is_not_judged(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "CPU_LIMIT", 0.0)  # as if all we used were too much
    async with servers.serving(servers.Pool(size=2, seconds=0.01, patience=9)) as port:
        values = await measured(port, context, users=(2,), seconds=0.1, rate=300)
    assert "at_rate.sustained" not in values
    assert str(values["at_rate.sustained_because"]).startswith("local_limit")
