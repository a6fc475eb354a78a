"""prometheus against a real one, and a model: each bad state is found by its check alone."""

import contextlib
import dataclasses
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from readiness.finding import Finding
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes._watched import Watched
from tests.background import background
from tests.modelled import Prometheus, group, rule
from tests.monitoring import alertmanager, backend, exporter, prometheus, sample, system, until
from tests.servers import Web, refusing, response, serving
from tests.states import judged, measured, troubled, unknown

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("prometheus")]  # servers start once

STALE_SECONDS = 250
"""Beyond the limit, and within the five minutes after which Prometheus itself forgets."""
WATCHDOG = {"alert": "Watchdog", "expr": "vector(1)"}
RULES: list[dict[str, Any]] = [
    WATCHDOG,
    {"alert": "Down", "expr": 'up{job=~"api-gateway|payments|orders|blue"} == 0', "for": "1h"},
    {"alert": "Errors", "expr": "sum by (job) (rate(shop_errors_total[5m])) > 1"},
    {"alert": "Slow", "expr": "vector(0) > 1", "labels": {"service": "mail_sender"}},
]


def stale() -> str:
    """What a leaf tells when it is federated by a Prometheus that lags."""
    then = int((time.time() - STALE_SECONDS) * 1000)
    return f'up{{job="orders",instance="orders:8000"}} 1 {then}\n'


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """Everything that is scraped: what answers, what federates old samples, who is notified."""
    shop = "# TYPE shop_errors_total counter\nshop_errors_total 3\n"
    handlers = {
        "api-gateway": exporter(),
        "leaf": Web(lambda _: response(200, stale(), "text/plain; version=0.0.4")),
        "checkout": exporter(shop),
        "ledger": exporter(),
        "blue": exporter(),
        "hook": Web(lambda _: response(200)),
        "bad-hook": Web(lambda _: response(400)),
    }
    with background(*handlers.values()) as found:
        yield dict(zip(handlers, found, strict=True))


@pytest.fixture(scope="module")
def closed() -> Iterator[int]:
    """A port at which nothing listens."""

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def notifying(folder: Path, hook: int) -> contextlib.AbstractContextManager[str]:
    receiver = {"name": "pager", "webhook_configs": [{"url": f"http://127.0.0.1:{hook}/"}]}
    return alertmanager(folder, {"receiver": "pager"}, [receiver])


def delivered(url: str) -> None:
    """Wait until Prometheus has counted what it and Alertmanager sent."""
    until(lambda: sample(url, "sum(increase(prometheus_notifications_sent_total[15m]))"))
    until(lambda: sample(url, "sum(increase(alertmanager_notifications_total[15m]))"))


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@dataclasses.dataclass(frozen=True)
class Servers:
    """One Prometheus whose state depends on who is critical, and one for each other state."""

    clean: str
    errs: str
    alone: str
    alone_folder: Path
    unheard: str
    refused: str


CLEAN_TARGETS = 8


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int], closed: int
) -> Iterator[Servers]:
    """All of them, started together: each takes five seconds to find its first target."""
    at = tmp_path_factory.mktemp("states")
    clash = {"alert": "Clash", "expr": "up * on () up"}
    one = {"api-gateway": ports["api-gateway"]}
    several = {name: ports[name] for name in ("leaf", "checkout", "ledger")}
    federated = {"leaf": {"honor_labels": True}}
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        good = port_of(enter(notifying(at / "good", ports["hook"])))
        bad = port_of(enter(notifying(at / "bad", ports["bad-hook"])))
        known = {**one, "alertmanager": good}
        clean = {**known, **several, "payments": closed, "green": ports["blue"]}
        yield Servers(
            clean=enter(prometheus(at / "clean", clean, RULES, [good], federated)),
            errs=enter(prometheus(at / "errs", known, [*RULES, clash], [good])),
            alone=enter(prometheus(at / "alone", one, RULES)),
            alone_folder=at / "alone",
            unheard=enter(prometheus(at / "unheard", one, RULES, [closed])),
            refused=enter(prometheus(at / "refused", {**one, "alertmanager": bad}, RULES, [bad])),
        )


@pytest.fixture(scope="module")
def url(servers: Servers) -> str:
    """The Prometheus whose state depends on who is critical, once it has scraped everything."""
    delivered(servers.clean)
    until(lambda: sample(servers.clean, "count(up)") == CLEAN_TARGETS + 1)  # one is federated
    return servers.clean


async def found(url: str, context: Context, *critical: str, **settings: Any) -> dict[str, Finding]:
    subject = backend("prometheus", url, **settings)
    seen = dataclasses.replace(context, inventory=system(subject, *critical))
    return await judged(subject, seen)


async def test_a_clean_state_has_no_finding(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "checkout")
    assert troubled(findings) == set()
    assert unknown(findings) == set()
    assert {f.outcome for f in findings.values()} == {"pass"}


async def test_what_it_tells_of_itself(url: str, context: Context) -> None:
    values = (await measured(backend("prometheus", url), "prometheus", context)).values
    assert values["implementation"] == "Prometheus"
    assert str(values["version"])[0].isdigit()
    assert values["alertmanagers"] == 1
    assert values["alertmanagers_dropped"] == values["notifications_dropped"] == 0
    assert values["storage_corruptions"] == values["missed_iterations"] == 0
    assert int(str(values["head_series"])) > 100
    assert values["targets"] == CLEAN_TARGETS + 1
    assert values["targets_down_because"] == "payments"
    assert values["storage_retention"] == "15d"


async def test_a_critical_service_without_a_target(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "mail-sender")
    assert troubled(findings) == {"prometheus-services-scraped"}
    assert unknown(findings) == set()
    because = findings["prometheus-services-scraped"].because
    assert "mail-sender has no `up` series" in because
    assert "mail-sender:8000 as instance" in because


async def test_a_target_that_is_down(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "payments")
    assert troubled(findings) == {"prometheus-targets-up"}
    assert findings["prometheus-targets-up"].outcome == "fail"
    assert "payments: 1 of 1 down" in findings["prometheus-targets-up"].because


async def test_a_scrape_that_is_stale(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "orders")
    assert troubled(findings) == {"prometheus-scrape-fresh"}
    assert findings["prometheus-scrape-fresh"].outcome == "fail"
    assert "orders was scraped 25" in findings["prometheus-scrape-fresh"].because


async def test_a_service_without_an_alert_rule(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "ledger")
    assert troubled(findings) == {"prometheus-alert-rules"}
    assert "ledger has no alert rule that evaluates" in findings["prometheus-alert-rules"].because


async def test_no_watchdog(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", watchdog="Heartbeat")
    assert troubled(findings) == {"prometheus-watchdog"}
    assert findings["prometheus-watchdog"].because == "no alert rule is called Heartbeat"


async def test_a_watchdog_that_does_not_fire(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", watchdog="Slow")
    assert troubled(findings) == {"prometheus-watchdog"}
    assert findings["prometheus-watchdog"].because == "Slow is inactive, not firing"


async def test_declared_labels_tell_whose_telemetry_it_is(url: str, context: Context) -> None:
    findings = await found(url, context, "blue")
    assert "prometheus-services-scraped" in troubled(findings)
    labels = {"blue": {"job": "green"}}
    subject = backend("prometheus", url, labels=labels)
    seen = dataclasses.replace(context, inventory=system(subject, "blue"))
    values = (await measured(subject, "prometheus", seen)).values
    assert values["services_scraped_ratio"] == 1
    assert values["matched"] == "blue by job"


async def test_what_is_not_critical_is_told_and_not_judged(url: str, context: Context) -> None:
    subject = backend("prometheus", url)
    (other,) = system("reports").services
    other = other.model_copy(update={"criticality": "high"})
    seen = dataclasses.replace(context, inventory=system(subject, other))
    findings = await judged(subject, seen)
    assert troubled(findings) == set()
    assert findings["prometheus-services-scraped"].outcome == "not_applicable"
    values = (await measured(subject, "prometheus", seen)).values
    assert values["others_unscraped"] == 1
    assert values["others_unscraped_because"] == "reports"


async def test_what_is_excluded_is_not_looked_for(url: str, context: Context) -> None:
    findings = await found(url, context, "api-gateway", "mainframe", exclude=["mainframe"])
    assert troubled(findings) == set()
    nobody = await found(url, context, "mainframe", exclude=["mainframe"])
    assert nobody["prometheus-services-scraped"].outcome == "not_applicable"
    told = "not tested: `exclude` names mainframe"
    assert nobody["prometheus-services-scraped"].because == told


# States that need a server of their own


async def test_a_rule_that_errs(servers: Servers, context: Context) -> None:
    delivered(servers.errs)
    findings = await found(servers.errs, context, "api-gateway")
    assert troubled(findings) == {"prometheus-rules-evaluate"}
    assert findings["prometheus-rules-evaluate"].because.startswith("Clash: ")
    assert unknown(findings) == set()


async def test_no_alertmanager_and_a_broken_configuration(
    servers: Servers, context: Context
) -> None:
    url = servers.alone
    until(lambda: sample(url, 'ALERTS{alertname="Watchdog"}'))
    until(lambda: sample(url, 'up{job="api-gateway"}') == 1)
    findings = await found(url, context, "api-gateway")
    assert troubled(findings) == {"prometheus-alertmanager"}
    assert unknown(findings) == set()
    assert findings["prometheus-notifications"].because == "no Alertmanager is connected"

    (servers.alone_folder / "prometheus.yml").write_text("scrape_configs: nonsense\n")
    reload(url)
    findings = await found(url, context, "api-gateway")
    assert troubled(findings) == {"prometheus-alertmanager", "prometheus-config"}


def reload(url: str) -> None:
    """Let a Prometheus of ours read its configuration again, as the probe never does."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{url}/-/reload", b""), timeout=5)
    refused.value.close()


async def test_an_alertmanager_that_is_down(servers: Servers, context: Context) -> None:
    url = servers.unheard
    until(lambda: sample(url, "sum(increase(prometheus_notifications_errors_total[15m]))"))
    findings = await found(url, context, "api-gateway")
    assert troubled(findings) == {"prometheus-notifications"}
    assert unknown(findings) == {"prometheus-deliveries"}
    assert "does not scrape an Alertmanager" in findings["prometheus-deliveries"].because


async def test_a_receiver_that_refuses(servers: Servers, context: Context) -> None:
    url = servers.refused
    delivered(url)
    until(lambda: sample(url, "sum(increase(alertmanager_notifications_failed_total[15m]))"))
    findings = await found(url, context, "api-gateway")
    assert troubled(findings) == {"prometheus-deliveries"}


# States that a model is brought into


MIMIR = {"application": "Grafana Mimir", "prefix": "/prometheus", "tenant": "shop"}


def model(**changes: Any) -> Prometheus:
    """Return a server whose critical service `web` is watched well."""
    rules = group("shop", rule("Down", "up == 0"), rule("Watchdog", "vector(1)", state="firing"))
    return Prometheus(**{"ups": [({"job": "web"}, 1, 3.0)], "groups": [rules], **changes})


async def of_model(
    server: Prometheus, context: Context, *more: Service, **settings: Any
) -> dict[str, Finding]:
    async with serving(Web(server)) as port:
        subject = backend("prometheus", f"http://127.0.0.1:{port}{server.prefix}", **settings)
        seen = dataclasses.replace(context, inventory=system(subject, "web", *more))
        return await judged(subject, seen)


async def test_a_modelled_clean_state_has_no_finding(context: Context) -> None:
    findings = await of_model(model(), context)
    assert {f.outcome for f in findings.values()} == {"pass"}


async def test_mimir_is_known_by_its_name(context: Context) -> None:
    headers = {"X-Scope-OrgID": "shop"}
    notified = backend("alertmanager", "http://127.0.0.1:9093")
    findings = await of_model(model(**MIMIR), context, notified, headers=headers)
    assert troubled(findings) == unknown(findings) == set()
    idle = {name for name, f in findings.items() if f.outcome == "not_applicable"}
    assert idle == {
        *("prometheus-alertmanager", "prometheus-notifications"),
        *("prometheus-deliveries", "prometheus-config"),
    }
    because = findings["prometheus-config"].because
    assert because == "Grafana Mimir has no such state of its own to ask for"


async def test_where_mimir_sends_is_unknown_without_an_alertmanager(context: Context) -> None:
    findings = await of_model(model(**MIMIR), context, headers={"X-Scope-OrgID": "shop"})
    assert troubled(findings) == set()
    assert unknown(findings) == {"prometheus-alertmanager"}


async def test_a_tenant_that_is_not_named_is_denied(context: Context) -> None:
    findings = await of_model(model(**MIMIR), context)
    assert troubled(findings) == set()
    assert unknown(findings) == set(findings)
    assert "answered 401: give this probe `headers`" in findings["prometheus-up"].because


async def test_a_group_that_is_late(context: Context) -> None:
    late = group("slow", rule("Slow", "a > 1"), seconds_ago=400)
    findings = await of_model(model(groups=[*model().groups, late]), context)
    assert troubled(findings) == {"prometheus-rules-recent"}
    because = findings["prometheus-rules-recent"].because
    assert because.startswith("slow is due every 60 s and was last evaluated 40")


async def test_a_group_that_was_never_evaluated_is_unknown(context: Context) -> None:
    new = group("new", rule("New", "a > 1", health="unknown"), seconds_ago=None)
    findings = await of_model(model(groups=[*model().groups, new]), context)
    assert troubled(findings) == set()
    assert unknown(findings) == {"prometheus-rules-recent"}


async def test_no_rule_at_all(context: Context) -> None:
    findings = await of_model(model(groups=[]), context)
    assert troubled(findings) == {"prometheus-alert-rules", "prometheus-watchdog"}
    assert findings["prometheus-rules-evaluate"].outcome == "not_applicable"


@pytest.mark.parametrize(
    ("query", "labels", "covered"),
    [
        ("up == 0", {}, True),
        ('up{job="web"} == 0', {}, True),
        ('up{job!="web"} == 0', {}, False),
        ('up{env="prod"} == 0', {}, False),
        ("scrape_duration_seconds > 9", {}, True),
        ('absent(up{job="web"})', {}, True),
        ('sum(rate(errors_total{job=~"web|api",code=~"5.."}[5m])) > 1', {}, True),
        ('sum(rate(errors_total{job=~".+"}[5m])) > 1', {}, False),
        ("sum(rate(errors_total[5m])) > 1", {}, False),
        ("sum(rate(shop_requests_total[5m])) > 1", {}, True),
        ('sum(rate(shop_requests_total{job="db"}[5m])) > 1', {}, False),
        ("vector(1)", {"service": "web"}, True),
        ("vector(1)", {"team": "web"}, False),
    ],
)
async def test_whose_a_rule_is(
    query: str, labels: dict[str, str], covered: bool, context: Context
) -> None:
    watchdog = rule("Watchdog", "vector(1)", state="firing")
    groups = [group("shop", rule("It", query, labels=labels), watchdog)]
    server = model(groups=groups, metrics=frozenset({"shop_requests_total"}))
    findings = await of_model(server, context)
    assert troubled(findings) == (set() if covered else {"prometheus-alert-rules"})


async def test_the_only_rule_of_a_service_must_evaluate(context: Context) -> None:
    broken = rule("Down", "up == 0", health="err", lastError="no such [/] thing" * 99)
    watchdog = rule("Watchdog", "vector(1)", state="firing")
    findings = await of_model(model(groups=[group("shop", broken, watchdog)]), context)
    assert troubled(findings) == {"prometheus-alert-rules", "prometheus-rules-evaluate"}
    assert len(findings["prometheus-rules-evaluate"].because) < 500


async def test_a_replica_that_is_down_is_a_warning(context: Context) -> None:
    ups = [({"job": "web", "pod": f"web-{n}"}, n % 2, 3.0) for n in range(2)]
    findings = await of_model(model(ups=ups), context)
    assert troubled(findings) == {"prometheus-targets-up"}
    assert findings["prometheus-targets-up"].outcome == "warn"


@pytest.mark.parametrize(
    ("labels", "by"),
    [
        ({"job": "web"}, "job"),
        ({"job": "shop/web"}, "job"),
        ({"app_kubernetes_io_name": "Web"}, "app_kubernetes_io_name"),
        ({"pod": "web-7f9c5b6d4-x2xvz"}, "pod"),
        ({"pod": "web-0"}, "pod"),
        ({"pod": "web-x2xvz"}, "pod"),
        ({"instance": "web:8000"}, "instance"),
        ({"pod": "web-gateway-7f9c5b6d4-x2xvz"}, None),
        ({"pod": "web-gateway"}, None),
        ({"job": "web-gateway"}, None),
        ({"instance": "http://web:8000"}, None),
        ({"instance": "web:8001"}, None),
        ({"team": "web"}, None),
    ],
)
async def test_by_which_labels_a_service_is_known(labels: dict[str, str], by: str | None) -> None:
    (service,) = system("web").services
    assert Watched(service, {}).by(labels) == by


async def test_one_that_is_down_fails_all(context: Context) -> None:
    async with refusing() as port:
        findings = await judged(backend("prometheus", f"http://127.0.0.1:{port}"), context)
    assert {f.outcome for f in findings.values()} == {"fail"}
