"""Who shares whom, and that those who do wait for each other and never in a circle."""

import asyncio

from readiness.document import parse
from readiness.inventory import Tier, from_document
from readiness.steps import plan
from readiness.turns import Turns, shared

ALL: frozenset[Tier] = frozenset({"observe", "load", "write"})

JOURNEYS = """
version: 1
system: {name: s}
services:
  a: {kind: http, url: "http://localhost:1", probes: {http_access: {public: [/], identity: ann}}}
  b:
    kind: http
    url: "http://localhost:2"
    probes: {http_access: {public: [/], login: {request: POST /login, json: {user: ann}}}}
  db: {kind: postgres, url: "postgres://localhost/db", probes: {tcp_connect: {}}}
identities:
  ann: {service: a, login: {request: POST /login, json: {user: ann}}}
  bob: {service: a, steps: [{name: in, request: POST /in, as: ann}]}
journeys:
  buy: {title: Buy, service: a, as: ann, steps: [{name: look, request: /}]}
  sell: {title: Sell, service: a, steps: [{name: look, request: /, as: bob}]}
  read: {title: Read, service: a, steps: [{name: look, request: /}]}
"""


def test_those_who_share_somebody_take_turns() -> None:
    document = parse(JOURNEYS, "services.yaml")
    found = from_document(document, {})
    steps = {(s.service.name, s.name): s for s in plan(found, document, ALL).steps}
    held = {key: shared(step.service, step.settings, found) for key, step in steps.items()}
    [account] = held["a", "http_access"] - {"ann"}
    assert "ann" not in account.split()
    assert held["buy", "journey"] == {"buy", "ann", account}
    assert held["sell", "journey"] >= {"sell", "bob", "ann"}
    assert [name[2:] for name in held["b", "http_access"]] == [account[2:]], "the same account"
    assert held["read", "journey"] == {"read"}
    assert held["a", "http_health"] == frozenset()


def test_all_probes_of_one_store_take_turns() -> None:
    document = parse(JOURNEYS, "services.yaml")
    found = from_document(document, {})
    steps = [s for s in plan(found, document, ALL).steps if s.service.name == "db"]
    assert len(steps) >= 2
    assert {shared(s.service, s.settings, found) for s in steps} == {frozenset({"store db"})}


def test_turns_are_taken_without_waiting_in_a_circle() -> None:
    most, now = 0, 0

    async def go(turns: Turns, *names: str) -> None:
        nonlocal most, now
        async with turns.of(names):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async def scenario() -> None:
        turns = Turns()
        pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a"), ("a", "c"), ("c", "b")]
        async with asyncio.timeout(5):
            await asyncio.gather(*(go(turns, *pair) for pair in pairs * 5))

    asyncio.run(scenario())
    assert most == 1
