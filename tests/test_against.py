from typing import Any

import pytest

from readiness.against import needed, paired
from readiness.document import ConfigurationError, parse
from readiness.inventory import Inventory, tolerant
from tests.judging import inventory, service

FILE = "/somewhere/old.yaml"


def at(name: str, port: int = 1, **changes: Any) -> Any:
    return service(name, url=f"http://localhost:{port}", **changes)


def settings(found: Inventory, name: str = "api") -> Any:
    return found.service(name).probes["http_paired"]


def test_services_are_paired_by_name_and_asked_what_their_own_inventory_says() -> None:
    ours = inventory(at("api", 1, health={"ready": "/up"}))
    theirs = inventory(
        at("api", 2, probes={"http_latency": {"request": "GET /ping", "headers": {"K": "v"}}}),
        system={"name": "Shop", "version": "2", "environment": "production"},
    )
    found = settings(paired(ours, theirs, FILE))
    assert found == {
        "request": "GET /up",
        "reference": {
            "url": "http://localhost:2",
            "request": "GET /ping",
            "headers": {"K": "v"},
            "system": "Shop",
            "version": "2",
            "environment": "production",
        },
    }


def test_what_is_written_for_the_comparison_goes_before_what_is_for_latency() -> None:
    probes = {"http_latency": {"request": "GET /slow"}, "http_paired": {"request": "GET /quick"}}
    more = {"http_paired": {**probes["http_paired"], "pairs": 50, "alone": "so it was"}}
    ours = inventory(at("api", 1, probes={**probes, **more}))
    found = settings(paired(ours, inventory(at("api", 2, probes=probes)), FILE))
    assert (found["request"], found["pairs"]) == ("GET /quick", 50)
    assert found["reference"]["request"] == "GET /quick"
    assert "alone" not in found


@pytest.mark.parametrize(
    ("theirs", "because"),
    [
        (at("users", 2), "old.yaml has no HTTP service 'user'. Did you mean 'users'?"),
        (service("user", "redis"), "old.yaml has no HTTP service 'user'."),
        (at("user", 1), "in old.yaml it is the same service, at the same address"),
        (
            at("user", 2, probes={"http_latency": {"request": "POST /in", "json": {}}}),
            "a reference is only read, and this is asked by another method",
        ),
        (
            at("user", 2, probes={"http_latency": {"request": 5}}),
            "a reference is only read, and this is asked by another method",
        ),
    ],
)
def test_who_has_no_partner_is_told_why(theirs: Any, because: str) -> None:
    ours = inventory(at("user", 1), at("api", 1))
    found = paired(ours, inventory(theirs, at("api", 3)), FILE)
    assert settings(found, "user")["alone"].startswith(because.partition(" Did")[0])
    assert "reference" not in settings(found, "user")
    assert "reference" in settings(found)
    if "Did" in because:
        assert settings(found, "user")["alone"] == because


def test_one_address_with_another_header_is_another_service() -> None:
    canary = {"http_paired": {"headers": {"X-Canary": "1"}}}
    found = paired(inventory(at("api", probes=canary)), inventory(at("api")), FILE)
    assert "reference" in settings(found)
    assert "headers" not in settings(found)["reference"]


def test_switched_off_stays_off_and_other_kinds_are_let_be() -> None:
    off = at("web", 1, probes={"http_paired": False})
    ours = inventory(at("api", 1), off, service("db", "postgres"))
    found = paired(ours, inventory(at("api", 2), at("web", 2), service("db", "postgres")), FILE)
    assert settings(found, "web") is False
    assert "http_paired" not in found.service("db").probes


def test_a_second_inventory_that_fits_nothing_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError) as caught:
        paired(inventory(at("apy", 1)), inventory(at("api", 2)), FILE)
    assert str(caught.value).startswith(f"{FILE}: ")
    assert "Did you mean 'api'?" in str(caught.value)
    with pytest.raises(ConfigurationError, match="no service of kind http or web"):
        paired(inventory(service("db", "postgres")), inventory(at("api", 2)), FILE)


def test_what_is_secret_of_the_reference_is_secret() -> None:
    theirs = service(
        "api",
        url="http://ann:pw-canary@localhost:2/?key=query-canary",
        probes={"http_latency": {"headers": {"X-Key": "header-canary"}}},
    )
    found = paired(inventory(at("api", 1)), inventory(theirs), FILE)
    assert {"pw-canary", "query-canary", "header-canary"} <= found.secrets()
    assert "canary" not in found.model_dump_json() + repr(found)


def test_only_what_is_compared_needs_its_variables() -> None:
    text = """version: 1
system: {name: "${NAME}"}
services:
  api: {kind: http, url: "${API}"}
  other: {kind: http, url: "${OTHER}"}
  db: {kind: postgres, url: "${DB}"}
"""
    source = needed(tolerant(parse(text, "old.yaml"), {}), inventory(at("api")))
    assert source.unset == {("services", "other", "url"), ("services", "db", "url")}
    whole = parse("${ALL}", "old.yaml")
    assert needed(tolerant(whole, {}), inventory(at("api"))).unset == {()}


@pytest.mark.parametrize(
    ("url", "system", "environment"),
    [
        ("http://127.0.0.2:8000", {"name": "Shop"}, "local"),
        ("http://[::1]:8000", {"name": "Shop"}, "local"),
        ("https://shop.example", {"name": "Shop"}, "production"),
        ("http://10.0.0.7", {"name": "Shop"}, "production"),
        ("https://shop.example", {"name": "Shop", "environment": "staging"}, "staging"),
        ("http://localhost:2", {"name": "Shop", "environment": "production"}, "production"),
    ],
)
def test_a_reference_elsewhere_that_says_nothing_may_be_in_production(
    url: str, system: Any, environment: str
) -> None:
    theirs = inventory(service("api", url=url), system=system)
    found = settings(paired(inventory(at("api")), theirs, FILE))
    assert found["reference"]["environment"] == environment
