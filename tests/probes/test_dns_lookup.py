"""dns_lookup by this machine's own resolver, and by real name servers, honest and hostile ones."""

import asyncio
import dataclasses
import random
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.estimate import Estimate
from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Address, Context
from readiness.probes._dns_message import query, read
from readiness.probes.dns_lookup import METRICS, Settings, measure
from tests import servers
from tests.name_server import Names, address, name, naming, text
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

HOST = "shop.test"
ONE = {(HOST, "A"): [address("127.0.0.1")]}


def service(port: int, host: str = HOST, **settings: Any) -> Service:
    probes = {"dns_lookup": settings}
    url = f"tcp://{host}:{port}"
    return Service.model_validate({"name": "it", "kind": "tcp", "url": url, "probes": probes})


async def looked_up(names: Names, context: Context, host: str = HOST, **settings: Any) -> Values:
    async with naming(names) as resolver, servers.never_accepting() as port:
        asked = Settings.model_validate({"resolver": resolver, **settings})
        return await measure(service(port, host), asked, context)


@pytest.fixture
def many(context: Context) -> Context:
    return dataclasses.replace(context, samples=1000)


UNTIMED = {"dns-lookup-p95"}
"""What twenty samples do not tell, and a busy machine may leave too close to call."""


# By the system's resolver


@pytest.mark.light
async def test_this_machine_finds_itself(many: Context) -> None:
    async with servers.never_accepting() as port:
        own = service(port, "localhost", record="A", expect=["127.0.0.0/8"])
        findings = await judged(own, many, only=["dns_lookup"])
        values = await measure(own, Settings(record="A"), many)
    assert troubled(findings) <= UNTIMED and not unknown(findings)
    assert findings["dns-lookup-p95"].outcome != "fail"
    assert isinstance(values["p50_ms"], Estimate) and values["p50_ms"].n == 100
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    assert values["families"] == "IPv4" and "ttl_seconds" not in values


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_an_address_needs_no_look_up(host: str, context: Context) -> None:
    findings = await judged(service(9, host, expect=["10.0.0.1"]), context, only=["dns_lookup"])
    assert {found.outcome for found in findings.values()} == {"not_applicable"}


async def test_a_name_that_nobody_has(context: Context) -> None:
    findings = await judged(service(9, "nobody.invalid"), context, only=["dns_lookup"])
    assert findings["dns-resolves"].outcome == "fail"


async def test_a_resolver_that_hangs_holds_nobody(context: Context) -> None:
    async def never(host: str, port: int) -> Sequence[Address]:
        await asyncio.Event().wait()
        return ()

    hurried = dataclasses.replace(context, timeout=0.1, resolve=never)
    with pytest.raises(ProbeError) as caught:
        await measure(service(9, "localhost"), Settings(), hurried)
    assert caught.value.failure.detail == "no answer within 0.1 s (resolve)"


# By a resolver of one's own


@pytest.mark.light
async def test_a_named_resolver_tells_all(many: Context) -> None:
    names = Names({(HOST, "A"): [address("127.0.0.1")], (HOST, "AAAA"): []}, ttl=60)
    async with naming(names) as resolver, servers.never_accepting() as port:
        own = service(port, resolver=resolver, expect=["127.0.0.1"])
        findings = await judged(own, many, only=["dns_lookup"])
        values = await measure(own, Settings(resolver=resolver), many)
    assert troubled(findings) <= UNTIMED and not unknown(findings)
    assert findings["dns-lookup-p95"].outcome != "fail"
    assert (values["addresses"], values["families"], values["ttl_seconds"]) == (1, "IPv4", 60)
    assert isinstance(values["p95_ms"], Estimate) and values["p95_ms"].n == 100
    assert names.asked[:2] == [(HOST, "A"), (HOST, "AAAA")]
    assert names.over_tcp == 0


async def test_an_address_that_does_not_accept_is_named(context: Context) -> None:
    names = Names({(HOST, "A"): [address("127.0.0.1"), address("127.0.0.9")]})
    async with naming(names) as resolver, servers.never_accepting() as port:
        findings = await judged(service(port, resolver=resolver), context, only=["dns_lookup"])
    assert troubled(findings) == {"dns-every-address"} and unknown(findings) == UNTIMED
    assert findings["dns-every-address"].because == "127.0.0.9: connection refused"


async def test_more_addresses_than_are_tried_are_not_called_good(context: Context) -> None:
    names = Names({(HOST, "A"): [address(f"127.0.0.{i}") for i in range(1, 18)]})
    async with naming(names) as resolver, servers.never_accepting("0.0.0.0") as port:
        own = service(port, resolver=resolver)
        findings = await judged(own, context, only=["dns_lookup"])
    assert not troubled(findings)
    assert unknown(findings) == UNTIMED | {"dns-every-address"}
    assert findings["dns-every-address"].because.startswith("not tested: there are 17 addresses")


async def test_a_record_that_leads_elsewhere_is_named(context: Context) -> None:
    async with naming(Names(ONE)) as resolver, servers.never_accepting() as port:
        own = service(port, resolver=resolver, expect=["10.0.0.0/8", "fd00::/8"])
        findings = await judged(own, context, only=["dns_lookup"])
    assert troubled(findings) == {"dns-expected"}
    assert findings["dns-expected"].because == "not among what is expected: 127.0.0.1"


async def test_a_slow_name_server_is_found_by_its_time_alone(many: Context) -> None:
    loop = asyncio.get_running_loop()

    class Slow(Names):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            loop.call_later(0.01, Names.datagram_received, self, data, addr)

    async with naming(Slow(ONE)) as resolver, servers.never_accepting() as port:
        own = service(port, resolver=resolver, record="A")
        strict = {"dns-lookup-p95": {"target": "1ms", "limit": "9ms"}}
        findings = await judged(own.model_copy(update={"checks": strict}), many, ["dns_lookup"])
    assert troubled(findings) == {"dns-lookup-p95"}
    assert findings["dns-lookup-p95"].outcome == "fail"


@pytest.mark.parametrize(
    ("kind", "data", "shown", "expect"),
    [
        ("MX", struct.pack(">H", 10) + name("mx.shop.test"), "10 mx.shop.test", "10 MX.shop.test."),
        ("CNAME", name("edge.test"), "edge.test", "edge.test."),
        ("NS", b"\x02ns\xc0\x0c", "ns.shop.test", "ns.shop.test"),
        ("TXT", text(b"v=spf1 ", b"-all"), "v=spf1 -all", "v=spf1 -all"),
        ("SRV", struct.pack(">3H", 1, 2, 443) + name("a.test"), "1 2 443 a.test", "1 2 443 a.test"),
    ],
)
async def test_other_records(
    kind: str, data: bytes, shown: str, expect: str, context: Context
) -> None:
    async with naming(Names({(HOST, kind): [data]})) as resolver:
        own = service(9, resolver=resolver, record=kind, expect=[expect])
        values = await measure(own, Settings.model_validate(own.probes["dns_lookup"]), context)
        findings = await judged(own, context, only=["dns_lookup"])
        other = service(9, resolver=resolver, record=kind, expect=["another"])
        strange = await judged(other, context, only=["dns_lookup"])
    assert values["records"] == shown
    assert not troubled(findings) and unknown(findings) == UNTIMED
    assert findings["dns-every-address"].outcome == "not_applicable"
    assert troubled(strange) == {"dns-expected"}


async def test_a_lost_packet_is_sent_again(context: Context) -> None:
    few = dataclasses.replace(context, samples=1)
    values = await looked_up(Names(ONE, lose=1), few, record="A")
    assert values["resolved"] is True


async def test_what_is_too_long_for_udp_comes_over_tcp(context: Context) -> None:
    names = Names({(HOST, "A"): [address("127.0.0.1")] * 4000}, truncates=True)
    values = await looked_up(names, dataclasses.replace(context, samples=2), record="A")
    assert values["addresses"] == 1
    assert names.over_tcp > 1


@pytest.mark.parametrize(
    ("names", "kind", "detail"),
    [
        (Names({}), "dns", "host name does not resolve (NXDOMAIN)"),
        (Names({(HOST, "TXT"): []}), "dns", "the name has no record of type A or AAAA"),
        (Names(ONE, code=2), "dns", "the name server failed (SERVFAIL)"),
        (Names(ONE, code=5), "denied", "the name server refuses our questions (REFUSED)"),
        (Names(ONE, code=15), "dns", "the name server failed (code 15)"),
        (Names(ONE, lose=10**6), "timeout", "no answer within 0.5 s (resolve)"),
        (Names(ONE, wrong=lambda q: [b"\0\0" + q[2:]]), "timeout", "no answer within 0.5 s"),
        (Names(ONE, wrong=lambda q: [q]), "protocol", "the name server's answer answers something"),
        (Names(ONE, wrong=lambda q: [q[:2]]), "protocol", "the name server's answer ends early"),
        (
            Names(ONE, wrong=lambda q: [q[:2] + b"\x81\x82" + bytes(8)]),
            "dns",
            "the name server failed (SERVFAIL)",
        ),
    ],
)
async def test_what_a_name_server_may_do(
    names: Names, kind: str, detail: str, context: Context
) -> None:
    with pytest.raises(ProbeError) as caught:
        await looked_up(names, dataclasses.replace(context, timeout=0.5))
    assert caught.value.failure.kind == kind
    assert detail in caught.value.failure.detail


async def test_forged_datagrams_do_not_hide_the_answer(context: Context) -> None:
    names = Names(ONE)
    names.wrong = lambda q: [b"\xff\xff" + q[2:], b"", names.answer(q, cut=False)]
    few = dataclasses.replace(context, samples=1)
    assert (await looked_up(names, few, record="A"))["addresses"] == 1


async def test_nothing_listens_there(context: Context) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{held.getsockname()[1]}"
    with pytest.raises(OSError) as caught:
        await measure(service(9), Settings(resolver=at), context)
    assert classify(caught.value).kind == "refused"


def test_no_bytes_of_a_name_server_break_the_reader() -> None:
    """Whatever comes is an answer or a ValueError, at once."""
    asked = query(7, HOST, "MX")
    honest = Names({(HOST, "MX"): [b"\0\x0a\x02mx\xc0\x0c"] * 5}).answer(asked, cut=False)
    chance = random.Random(1)
    began = time.process_time()
    for _ in range(3000):
        data = bytearray(honest)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.choice((0, 0xC0, 0x0C, 0xFF, 63, 64))
        cut = bytes(data[: chance.randint(0, len(data))])
        for one in (cut, cut + bytes(chance.randint(0, 9))):
            try:
                read(one, asked)
            except ValueError:
                continue
    loop = asked[:2] + b"\x81\x80\0\1\xff\xff\0\0\0\0" + asked[12:] + b"\xc0\x1c" * 30_000
    with pytest.raises(ValueError):
        read(loop, asked)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"record": "MX"}, "need a resolver"),
        ({"record": "SOA"}, "record"),
        ({"resolver": "10.0.0.1:99999"}, "must be a name server"),
        ({"resolver": "dns://x"}, "must be a name server"),
        ({"expect": ["shop"]}, "does not appear to be"),
        ({"expect": []}, "at least 1"),
        ({"name": "a..b"}, "is no host name"),
        ({"name": "x" * 64}, "is no host name"),
    ],
)
def test_settings_that_cannot_be_asked(settings: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate(settings)


@servers.needs_ipv6
async def test_a_name_server_with_an_ipv6_address(context: Context) -> None:
    assert Settings(resolver="[::1]:53").resolver
    with pytest.raises(ProbeError) as caught:
        async with servers.refusing("::1"):
            hurried = dataclasses.replace(context, timeout=0.2)
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as held:
                held.bind(("::1", 0))
                at = f"[::1]:{held.getsockname()[1]}"
                await measure(service(9), Settings(resolver=at), hurried)
    assert caught.value.failure.kind == "timeout"
