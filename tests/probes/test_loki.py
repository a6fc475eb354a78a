"""loki against a real one where READINESS_LOKI names it, and against a model of it everywhere."""

import dataclasses
import functools
import time
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from readiness.finding import Finding
from readiness.probes import Context, _ingested
from tests.background import background
from tests.modelled import Loki, answered
from tests.monitoring import backend, loki, post, system, until
from tests.servers import Web, refusing, serving
from tests.states import judged, measured, troubled, unknown

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("loki")]  # servers start once

STREAMS = {
    "api-gateway": ({"job": "shop/api-gateway"}, 1),
    "payments": ({"app": "payments", "level": "info"}, 3660),
    "search": ({"pod": "search-7f9c5b6d4-x2xvz"}, 2),
    "blue": ({"team": "green"}, 3),
    "slow": ({"container": "slow"}, 600),
}
"""Service -> the labels of its stream and how old its newest line is."""


def times() -> Iterator[tuple[dict[str, str], int]]:
    for labels, seconds in STREAMS.values():
        yield labels, time.time_ns() - seconds * 10**9
        yield labels, time.time_ns() - (seconds + 60) * 10**9


@pytest.fixture(scope="module", params=["modelled", "real"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Loki that holds STREAMS."""
    if request.param == "modelled":
        with background(Web(Loki(list(times())))) as (port,):
            yield f"http://127.0.0.1:{port}"
        return
    with loki(tmp_path_factory.mktemp("loki")) as url:
        for labels, moment in sorted(times(), key=lambda each: each[1]):
            stream = {"stream": labels, "values": [[str(moment), "a line"]]}
            until(functools.partial(pushed, url, stream))
        yield url


def pushed(url: str, stream: Any) -> bool:
    """Push a line; the ring takes a moment until it takes it."""
    try:
        post(f"{url}/loki/api/v1/push", {"streams": [stream]})
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True


async def found(url: str, context: Context, *critical: str, **settings: Any) -> dict[str, Finding]:
    subject = backend("loki", url, **settings)
    seen = dataclasses.replace(context, inventory=system(subject, *critical))
    return await judged(subject, seen)


async def test_a_clean_state_has_no_finding(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "search")
    assert troubled(findings) == unknown(findings) == set()
    assert {f.outcome for f in findings.values()} == {"pass"}


async def test_how_a_service_was_matched(url: str, context: Context) -> None:
    labels = {"blue": {"team": "green"}}
    subject = backend("loki", url, labels=labels)
    seen = dataclasses.replace(context, inventory=system(subject, "api-gateway", "search", "blue"))
    values = (await measured(subject, "loki", seen)).values
    assert values["matched"] in (
        "api-gateway by job, search by pod, blue by team",
        "api-gateway by service_name, search by pod, blue by team",
    )
    assert values["services_logging_ratio"] == 1


async def test_a_service_that_does_not_log(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "ledger")
    assert troubled(findings) == {"loki-services-logging"}
    assert "ledger has no line in 21600s" in findings["loki-services-logging"].because


async def test_declared_labels_without_a_stream(url: str, context: Context) -> None:
    findings = await found(url, context, "blue", labels={"blue": {"team": "red"}})
    assert troubled(findings) == {"loki-services-logging"}
    assert 'team="red"' in findings["loki-services-logging"].because


async def test_a_service_whose_newest_line_is_old(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "payments")
    assert troubled(findings) == {"loki-lines-fresh"}
    assert findings["loki-lines-fresh"].outcome == "fail"
    assert "the newest line of payments is 36" in findings["loki-lines-fresh"].because
    assert (await found(url, context, "slow"))["loki-lines-fresh"].outcome == "warn"


async def test_nothing_critical_is_not_applicable(url: str, context: Context) -> None:
    findings = await found(url, context)
    assert troubled(findings) == unknown(findings) == set()
    assert findings["loki-services-logging"].outcome == "not_applicable"


async def test_one_that_is_not_ready(context: Context) -> None:
    async with serving(Web(Loki(list(times()), ready=False))) as port:
        findings = await found(f"http://127.0.0.1:{port}", context, "api-gateway")
    assert troubled(findings) == {"loki-ready"}
    assert "Ingester not ready" in findings["loki-ready"].because


async def test_lines_that_are_refused(context: Context) -> None:
    async with serving(Web(Loki(list(times()), refused=3))) as port:
        findings = await found(f"http://127.0.0.1:{port}", context, "api-gateway")
    assert troubled(findings) == {"loki-lines-refused"}
    assert "rate_limited: 3" in findings["loki-lines-refused"].because


async def test_a_tenant_is_named_where_one_is_needed(context: Context) -> None:
    model = Loki(list(times()))

    def tenant(request: Any) -> bytes:
        if request.headers.get("x-scope-orgid") != "shop":
            return answered("no org id\n", 401)
        return model(request)

    async with serving(Web(tenant)) as port:
        url = f"http://127.0.0.1:{port}"
        assert troubled(await found(url, context, "api-gateway")) == set()
        nobody = await found(url, context, "api-gateway")
        assert "answered 401: give this probe `headers`" in nobody["loki-up"].because
        findings = await found(url, context, "api-gateway", headers={"X-Scope-OrgID": "shop"})
    assert troubled(findings) == unknown(findings) == set()


async def test_one_that_is_down_fails(context: Context) -> None:
    async with refusing() as port:
        findings = await found(f"http://127.0.0.1:{port}", context, "api-gateway")
    assert {f.outcome for f in findings.values()} == {"fail"}


@pytest.mark.parametrize("page", ["", "go_goroutines 3\n", "loki_discarded_samples_total x\n"])
async def test_a_page_that_counts_no_lines(page: str) -> None:
    assert _ingested.values(page)["counts_lines"] is False


async def test_lines_that_are_all_refused(context: Context) -> None:
    page = 'loki_discarded_samples_total{reason="rate_limited"} 7\n'
    assert _ingested.values(page)["lines_refused_ratio"] == 1


@pytest.mark.parametrize(("status", "outcome"), [(403, "unknown"), (404, "not_applicable")])
async def test_a_page_of_metrics_that_is_withheld_hides_no_refusal(
    status: int, outcome: str, context: Context
) -> None:
    model = Loki(list(times()), refused=3)

    def without(request: Any) -> bytes:
        return answered("no", status) if request.target == "/metrics" else model(request)

    async with serving(Web(without)) as port:
        findings = await found(f"http://127.0.0.1:{port}", context, "api-gateway")
    assert troubled(findings) == set()
    assert findings["loki-lines-refused"].outcome == outcome
