"""What settings of the backends' probes may name, from an inventory as users write it."""

from typing import Any

import pytest

from readiness.document import ConfigurationError, parse
from readiness.inventory import from_document
from readiness.steps import plan

INVENTORY = """\
version: 1
system: {{name: shop}}
services:
  api: {{kind: http, url: "http://localhost:8000"}}
  db: {{kind: postgres, url: "postgres://localhost/db"}}
  it:
    kind: {kind}
    url: http://localhost:9000
    probes: {{{kind}: {settings}}}
"""


def planned(kind: str, settings: str) -> Any:
    document = parse(INVENTORY.format(kind=kind, settings=settings), "services.yaml")
    return plan(from_document(document, {}), document, frozenset({"observe"}))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("prometheus", "{labels: {api: {job: gateway}}, exclude: [db], watchdog: Heartbeat}"),
        ("alertmanager", "{peers: 3, watchdog: Heartbeat, headers: {X-Scope-OrgID: shop}}"),
        ("loki", "{look_back: 1h, labels: {db: {app: pg}}}"),
        ("tempo", "{service: api, path: /orders, expect: [db], within: 10s, settle: 0s}"),
        ("grafana", "{dashboards: {api: Edge}, exclude: [db]}"),
    ],
)
def test_settings_that_name_services_of_the_inventory(kind: str, settings: str) -> None:
    steps = {step.name: step.settings for step in planned(kind, settings).steps}
    assert steps[kind].model_fields_set


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("prometheus", "{labels: {apy: {job: x}}}", "unknown service 'apy'"),
        ("prometheus", "{labels: {api: {service.name: x}}}", "service.name"),
        ("prometheus", "{exclude: [nonesuch]}", "unknown service 'nonesuch'"),
        ("alertmanager", "{peers: 1}", "peers"),
        ("alertmanager", "{watchdog: 'a\"b'}", "watchdog"),
        ("loki", "{look_back: 1s}", "look_back"),
        ("tempo", "{service: db}", "unknown service 'db'"),
        ("tempo", "{expect: [apj]}", "unknown service 'apj'"),
        ("tempo", "{path: orders}", "must be a path"),
        ("grafana", "{dashboards: {apj: x}}", "unknown service 'apj'"),
    ],
)
def test_settings_with_a_mistake_are_refused(kind: str, settings: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        planned(kind, settings)
    assert message in str(caught.value)
