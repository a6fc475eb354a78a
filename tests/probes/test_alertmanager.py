"""alertmanager against real ones: a clean state, and each bad state found by its check alone."""

import contextlib
import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from readiness.probes import Context, _silences
from readiness.probes._routing import read
from tests.monitoring import alertmanager, backend, post
from tests.servers import Web, refusing, response, serving
from tests.states import judged, measured, troubled, unknown

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("alertmanager")]  # servers start once

SECRET = "https://hooks.example.com/T0KEN"
PAGER = {"name": "pager", "webhook_configs": [{"url": SECRET}]}
NOBODY = {"name": "nobody"}


@dataclasses.dataclass(frozen=True)
class Servers:
    """One Alertmanager for each state."""

    clean: str
    unheard: str
    swallowing: str
    stray: str
    muted: str


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    at = tmp_path_factory.mktemp("alertmanagers")
    elsewhere = {"receiver": "nobody", "matchers": ['alertname="Watchdog"']}
    with contextlib.ExitStack() as stack:

        def start(name: str, route: Any, *receivers: Any) -> str:
            url = stack.enter_context(alertmanager(at / name, route, receivers))
            if name != "unheard":
                alert = {"labels": {"alertname": "Watchdog", "severity": "none"}}
                post(f"{url}/api/v2/alerts", [alert])
            return url

        yield Servers(
            clean=start("clean", {"receiver": "pager"}, PAGER),
            unheard=start("unheard", {"receiver": "pager"}, PAGER),
            swallowing=start("swallowing", {"receiver": "nobody"}, NOBODY, PAGER),
            stray=start("stray", {"receiver": "pager", "routes": [elsewhere]}, NOBODY, PAGER),
            muted=start("muted", {"receiver": "pager"}, PAGER),
        )


def silence(url: str, days: float, **matcher: Any) -> None:
    now = datetime.now(UTC)
    written = {
        "matchers": [{"isRegex": False, "isEqual": True, **matcher}],
        "startsAt": (now - timedelta(minutes=1)).isoformat(),
        "endsAt": (now + timedelta(days=days)).isoformat(),
        "createdBy": "ann",
        "comment": "maintenance",
    }
    post(f"{url}/api/v2/silences", written)


async def test_a_clean_state_has_no_finding(servers: Servers, context: Context) -> None:
    findings = await judged(backend("alertmanager", servers.clean), context)
    assert troubled(findings) == unknown(findings) == set()
    idle = {name for name, f in findings.items() if f.outcome == "not_applicable"}
    assert idle == {"alertmanager-silences-end", "alertmanager-peers"}


async def test_no_secret_of_the_configuration_is_kept(servers: Servers, context: Context) -> None:
    measurement = await measured(backend("alertmanager", servers.clean), "alertmanager", context)
    assert "T0KEN" not in measurement.model_dump_json()
    assert "hooks" not in measurement.model_dump_json()


async def test_a_watchdog_that_does_not_arrive(servers: Servers, context: Context) -> None:
    findings = await judged(backend("alertmanager", servers.unheard), context)
    assert troubled(findings) == {"alertmanager-watchdog"}
    assert unknown(findings) == set()


async def test_no_receiver_with_an_integration(servers: Servers, context: Context) -> None:
    findings = await judged(backend("alertmanager", servers.swallowing), context)
    assert troubled(findings) == {"alertmanager-receiver"}
    assert findings["alertmanager-receiver"].because == 'no integration in the receiver "nobody"'
    assert unknown(findings) == set()


async def test_a_watchdog_that_goes_nowhere(servers: Servers, context: Context) -> None:
    findings = await judged(backend("alertmanager", servers.stray), context)
    assert troubled(findings) == {"alertmanager-watchdog-leaves"}
    assert "it goes to nobody" in findings["alertmanager-watchdog-leaves"].because


async def test_a_default_receiver_that_swallows(context: Context) -> None:
    routing = read(
        "route: {receiver: nobody, routes: [{receiver: pager}]}\n"
        "receivers: [{name: nobody}, {name: pager, slack_configs: [{}]}]\n"
    )
    assert routing
    assert routing.values["has_receiver"] is True
    assert routing.values["default_receiver_connected"] is False
    assert routing.values["default_receiver_connected_because"] == "nobody has no integration"


async def test_silences(servers: Servers, context: Context) -> None:
    subject = backend("alertmanager", servers.muted)
    silence(servers.muted, 1, name="service", value="reports")
    findings = await judged(subject, context)
    assert troubled(findings) == set()
    assert findings["alertmanager-silences-end"].outcome == "pass"

    silence(servers.muted, 400, name="service", value="search")
    assert troubled(await judged(subject, context)) == {"alertmanager-silences-end"}

    silence(servers.muted, 1, name="alertname", value="Watchdog", isEqual=False)
    findings = await judged(subject, context)
    assert troubled(findings) == {"alertmanager-silences-end", "alertmanager-not-muted"}
    assert 'alertname!="Watchdog"' in findings["alertmanager-not-muted"].because


@pytest.mark.parametrize(
    ("matcher", "mutes"),
    [
        ({"name": "alertname", "value": ".*", "isRegex": True}, True),
        ({"name": "severity", "value": ".+", "isRegex": True}, True),
        ({"name": "nonesuch", "value": "", "isRegex": False}, False),
        ({"name": "nonesuch", "value": "x", "isRegex": False, "isEqual": False}, True),
        ({"name": "team", "value": ".+", "isRegex": True}, False),
        ({"name": "severity", "value": "warning|info", "isRegex": True}, False),
        ({"name": "alertname", "value": "(((", "isRegex": True}, False),
        ({"name": "alertname", "value": "(a+)+", "isRegex": True}, False),
    ],
)
async def test_what_mutes_everything(matcher: dict[str, Any], mutes: bool) -> None:
    end = {"endsAt": "2027-01-01T00:00:00.000Z"}
    found = _silences.values([{"status": {"state": "active"}, "matchers": [matcher], **end}])
    assert found["not_muted"] is not mutes


async def test_peers_that_are_missing(servers: Servers, context: Context) -> None:
    subject = backend("alertmanager", servers.clean, peers=3)
    findings = await judged(subject, context)
    assert troubled(findings) == {"alertmanager-peers"}
    assert findings["alertmanager-peers"].because == "0 of 3 peers, disabled"


async def test_one_that_is_down_fails_all(context: Context) -> None:
    async with refusing() as port:
        findings = await judged(backend("alertmanager", f"http://127.0.0.1:{port}"), context)
    assert {f.outcome for f in findings.values()} <= {"fail", "not_applicable"}
    assert findings["alertmanager-up"].outcome == "fail"


async def test_one_that_wants_a_credential_is_unknown(context: Context) -> None:
    web = Web(lambda request: response(401))
    async with serving(web) as port:
        findings = await judged(backend("alertmanager", f"http://127.0.0.1:{port}"), context)
    assert troubled(findings) == set()
    assert "answered 401: give this probe `headers`" in findings["alertmanager-up"].because
