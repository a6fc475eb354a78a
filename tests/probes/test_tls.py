"""tls against real servers: one that is as it should be, and one for each flaw alone."""

import asyncio
import dataclasses
import datetime as dt
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509

from readiness.failure import classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.tls import METRICS, Settings, measure
from tests import chains, servers
from tests.chains import Issued, issue

pytestmark = pytest.mark.anyio

ROOT = issue("Root", ca=True, ends=3000)
BETWEEN = issue("Intermediate", ROOT, ca=True, ends=400)
HOSTS = ("localhost",)
LEAF = issue("localhost", BETWEEN, hosts=HOSTS)
MUST_STAPLE = issue(
    "localhost",
    BETWEEN,
    hosts=HOSTS,
    extra=[x509.TLSFeature([x509.TLSFeatureType.status_request])],
)
OLD = issue("Old", ROOT, ca=True, ends=400, key=chains.rsa_key())
HEALTHY: Values = {
    "protocol": "TLSv1.3",
    "cipher": "TLS_AES_256_GCM_SHA384",
    "modern_version_offered": True,
    "tls13_offered": True,
    "old_versions_refused": True,
    "forward_secret": True,
    "aead": True,
    "leaf_days": 60,
    "chain_days": 400,
    "issuers_seen": True,
    "hostname_matches": True,
    "chain_complete": True,
    "chain_trusted": True,
    "strong_key": True,
    "strong_signature": True,
    "must_staple": False,
    "ocsp_seen": False,
    "ocsp_stapled": False,
}


async def ask(port: int, context: Context, host: str = "localhost", root: Issued = ROOT) -> Values:
    url = f"https://ann:hunter2-canary@{host}:{port}/?key=hunter2-canary"
    service = Service.model_validate({"name": "it", "kind": "http", "url": url})
    trusting = chains.client(root)
    values = await measure(service, Settings(), dataclasses.replace(context, tls=lambda: trusting))
    assert "hunter2" not in str(values)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    return values


async def probe(tls: ssl.SSLContext, context: Context) -> Values:
    async with servers.serving(servers.silent, tls=tls) as port:
        return await ask(port, context)


def differing(values: Values) -> Values:
    """Return what differs from a healthy server, without the reasons."""
    names = {name for name in HEALTHY.keys() | values.keys() if not name.endswith("_because")}
    return {name: values.get(name, "-") for name in names if values.get(name) != HEALTHY.get(name)}


async def test_a_server_as_it_should_be(context: Context, tmp_path: Path) -> None:
    values = await probe(chains.server(tmp_path, LEAF, BETWEEN), context)
    assert differing(values) == {}
    assert str(values["chain_days_because"]).startswith('"Intermediate" expires on ')
    assert values["ocsp_good_because"] == "no OCSP response is stapled"


async def test_certificates_in_another_order_are_the_same_chain(
    context: Context, tmp_path: Path
) -> None:
    values = await probe(chains.server(tmp_path, LEAF, ROOT, BETWEEN), context)
    assert differing(values) == {}


CHAINS: dict[str, tuple[Sequence[Issued], Values]] = {
    "expired leaf": (
        [issue("localhost", BETWEEN, hosts=HOSTS, ends=-3), BETWEEN],
        {"leaf_days": -3},
    ),
    "expiring leaf": (
        [issue("localhost", BETWEEN, hosts=HOSTS, ends=3), BETWEEN],
        {"leaf_days": 3},
    ),
    "expiring intermediate": (
        [
            issue("localhost", soon := issue("Soon", ROOT, ca=True, ends=4), hosts=HOSTS),
            soon,
        ],
        {"chain_days": 4},
    ),
    "expired intermediate": (
        [issue("localhost", late := issue("Late", ROOT, ca=True, ends=-2), hosts=HOSTS), late],
        {"chain_days": -2},
    ),
    "wrong host": (
        [issue("localhost", BETWEEN, hosts=("other.example", "*.localhost")), BETWEEN],
        {"hostname_matches": False},
    ),
    "no alternative name": ([issue("localhost", BETWEEN), BETWEEN], {"hostname_matches": False}),
    "self-signed": (
        [issue("localhost", hosts=HOSTS)],
        {"chain_trusted": False, "issuers_seen": False, "chain_days": "-"},
    ),
    "unknown root": (
        [
            issue("localhost", strange := issue("Strange", ca=True, ends=400), hosts=HOSTS),
            strange,
        ],
        {"chain_trusted": False},
    ),
    "unknown root, not sent": (
        [
            issue("localhost", below := issue("Below", strange, ca=True, ends=400), hosts=HOSTS),
            below,
        ],
        {"chain_trusted": False},
    ),
    "missing intermediate": (
        [LEAF],
        {"chain_complete": False, "chain_trusted": "-", "issuers_seen": False, "chain_days": "-"},
    ),
    "an issuer without a trace": (
        [issue("localhost", strange, hosts=HOSTS, aia=False)],
        {"chain_trusted": False, "issuers_seen": False, "chain_days": "-"},
    ),
    "not valid yet": (
        [issue("localhost", BETWEEN, hosts=HOSTS, begins=3), BETWEEN],
        {"chain_trusted": False},
    ),
    "short key": (
        [
            issue("localhost", BETWEEN, hosts=HOSTS, key=chains.rsa_key(1024)),
            BETWEEN,
        ],
        {"strong_key": False},
    ),
    "SHA-1": (
        [chains.signed_with_sha1(issue("localhost", OLD, hosts=HOSTS), OLD), OLD],
        {"strong_signature": False},
    ),
}
BECAUSE = {
    "wrong host": 'the certificate names "*.localhost", "other.example", not localhost',
    "no alternative name": "the certificate names no host name, not localhost",
    "self-signed": "certificate is self-signed",
    "unknown root": "certificate chain ends in a self-signed certificate",
    "unknown root, not sent": 'the chain ends at "Below", whose issuer, "Strange", '
    "was not sent and is not trusted by this machine",
    "missing intermediate": 'the certificate of its issuer, "Intermediate", was not sent',
    "an issuer without a trace": 'the chain ends at "localhost", whose issuer, "Strange", '
    "was not sent and is not trusted by this machine",
    "not valid yet": "certificate is not valid yet",
    "short key": '"localhost" has a key of RSA of 1024 bits',
    "SHA-1": '"localhost" is signed with SHA-1',
}


@pytest.mark.parametrize("flaw", CHAINS)
async def test_each_flaw_of_a_chain_is_told_alone(
    flaw: str, context: Context, tmp_path: Path
) -> None:
    sent, expected = CHAINS[flaw]
    values = await probe(chains.server(tmp_path, *sent, weak=True), context)
    found = differing(values) | {"cipher": None}
    assert found == expected | {"cipher": None}
    for metric in (name for name, value in expected.items() if value is False):
        if metric != "issuers_seen":
            assert values[f"{metric}_because"] == BECAUSE[flaw]
    assert all(f"{name}_because" in values for name, value in expected.items() if value == "-")


async def test_an_ip_address_is_a_host_too(context: Context, tmp_path: Path) -> None:
    leaf = issue("it", BETWEEN, hosts=("127.0.0.1",))
    async with servers.serving(servers.silent, tls=chains.server(tmp_path, leaf, BETWEEN)) as port:
        assert differing(await ask(port, context, "127.0.0.1")) == {}
        values = await ask(port, context)
    assert differing(values) == {"hostname_matches": False}


async def test_tls_1_2_alone(context: Context, tmp_path: Path) -> None:
    tls = chains.only(chains.server(tmp_path, LEAF, BETWEEN), ssl.TLSVersion.TLSv1_2)
    values = await probe(tls, context)
    assert differing(values) == {
        "protocol": "TLSv1.2",
        "cipher": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "tls13_offered": False,
    }
    assert values["tls13_offered_because"] == "the newest version that it speaks is TLS 1.2"


async def test_tls_1_3_alone_shows_no_staple(context: Context, tmp_path: Path) -> None:
    tls = chains.only(chains.server(tmp_path, MUST_STAPLE, BETWEEN), ssl.TLSVersion.TLSv1_3)
    values = await probe(tls, context)
    assert differing(values) == {"must_staple": True, "ocsp_stapled": "-"}
    assert values["ocsp_stapled_because"] == (
        "a stapled OCSP response shows in TLS 1.2 alone: it was not agreed on"
    )


@pytest.mark.parametrize(
    ("ciphers", "expected"),
    [
        ("ECDHE-RSA-AES128-SHA256", {"aead": False}),
        ("AES128-GCM-SHA256", {"forward_secret": False}),
        ("AES128-SHA", {"forward_secret": False, "aead": False}),
    ],
)
async def test_weak_ciphers(
    ciphers: str, expected: Values, context: Context, tmp_path: Path
) -> None:
    leaf = issue("localhost", BETWEEN, hosts=HOSTS, key=chains.rsa_key())
    tls = chains.server(tmp_path, leaf, BETWEEN)
    values = await probe(chains.only(tls, ssl.TLSVersion.TLSv1_2, ciphers), context)
    found = differing(values)
    usual = {cipher["name"] for cipher in context.tls().get_ciphers()}  # Debian's offers more
    unable = {} if ciphers in usual else {"chain_complete": "-", "chain_trusted": "-"}
    old = {"protocol": "TLSv1.2", "tls13_offered": False, "cipher": ciphers}
    assert found == {**expected, **unable, **old}
    for metric in expected:
        assert values[f"{metric}_because"] == f"{ciphers} was agreed on"
    if unable:  # what Python's own defaults refuse is no proof of a bad certificate
        because = "a client of usual settings cannot shake hands: connection closed during TLS"
        assert values["chain_trusted_because"] == values["chain_complete_because"] == because


@pytest.mark.parametrize(("version", "name"), [(0x0301, "TLS 1.0"), (0x0302, "TLS 1.1")])
async def test_an_old_version_beside_the_new(
    version: int, name: str, context: Context, tmp_path: Path
) -> None:
    raw = chains.opening(chains.certificates(LEAF), version=version)
    values = await beside(raw, version, context, tmp_path)
    assert differing(values) == {"old_versions_refused": False}
    assert values["old_versions_refused_because"] == f"the server accepts {name}"


async def beside(raw: bytes, version: int, context: Context, tmp_path: Path) -> Values:
    """Probe a good server that gives `raw` to who offers `version` at most."""
    tls = chains.server(tmp_path, LEAF, BETWEEN)
    async with (
        servers.serving(servers.silent, tls=tls) as port,
        chains.in_front(port, raw, at=version) as front,
    ):
        return await ask(front, context)


async def test_tls_1_0_alone(context: Context, tmp_path: Path) -> None:
    """A real server of the old kind, as far as this machine's OpenSSL can be one."""
    tls = chains.only(chains.server(tmp_path, LEAF, BETWEEN, weak=True), ssl.TLSVersion.TLSv1)
    values = await probe(tls, context)
    found = differing(values)
    assert found["old_versions_refused"] is False
    assert found["modern_version_offered"] is False
    assert found["tls13_offered"] is False
    assert found["chain_trusted"] == "-"
    because = "the newest version that it speaks is TLS 1.0"
    assert values["modern_version_offered_because"] == because
    assert values["old_versions_refused_because"] == "the server accepts TLS 1.0"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(bytes.fromhex("15030100020246"), id="alert"),
        pytest.param(chains.opening(version=0x0300), id="an even older version"),
        pytest.param(
            bytes.fromhex("15030100020170") + bytes.fromhex("15030100020246"),
            id="a warning, then an alert",
        ),
        pytest.param(
            chains.opening(version=0x0301)[:-4][:3]
            + (len(chains.opening()) - 9).to_bytes(2, "big")
            + chains.opening(version=0x0301)[5:-4]
            + bytes.fromhex("15030100020250"),
            id="begins, then gives up",
        ),
    ],
)
async def test_what_is_a_refusal(raw: bytes, context: Context, tmp_path: Path) -> None:
    assert differing(await beside(raw, 0x0301, context, tmp_path)) == {}


@pytest.mark.parametrize(
    ("raw", "because"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the answer breaks the TLS protocol"),
        (bytes.fromhex("1703010001ff"), "the answer breaks the TLS protocol"),
        (bytes.fromhex("1603010004") + b"\x0b\xff\xff\xff", "connection closed"),
    ],
)
async def test_garbage_is_no_refusal(
    raw: bytes, because: str, context: Context, tmp_path: Path
) -> None:
    values = await beside(raw, 0x0302, context, tmp_path)
    if because == "connection closed":  # nothing was agreed on, as with who hangs up
        assert differing(values) == {}
        return
    assert differing(values) == {"old_versions_refused": "-"}
    assert values["old_versions_refused_because"] == (
        f"whether TLS 1.1 is refused is unknown: {because}"
    )


@pytest.mark.parametrize(
    ("response", "because"),
    [
        (chains.ocsp_response(LEAF, BETWEEN), ""),
        (
            chains.ocsp_response(LEAF, BETWEEN, revoked=True),
            "the stapled OCSP response says that the certificate is revoked",
        ),
        (
            chains.ocsp_response(LEAF, BETWEEN, ends=dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
            "the stapled OCSP response expired on 2026-01-02",
        ),
        (
            chains.ocsp_response(MUST_STAPLE, BETWEEN),
            "the stapled OCSP response is for another certificate",
        ),
        (
            bytes.fromhex("30030a0103"),
            "the stapled OCSP response is none: the responder says to try later",
        ),
        (b"", "the stapled OCSP response is malformed"),
        (b"\x30\x84\xff\xff\xff\xff", "the stapled OCSP response is malformed"),
        (bytes.fromhex("30030a0100"), "the stapled OCSP response is malformed"),
    ],
)
async def test_a_stapled_response_is_read(
    response: bytes, because: str, context: Context, tmp_path: Path
) -> None:
    raw = chains.opening(chains.certificates(LEAF, BETWEEN), chains.staple(response))
    values = await beside(raw, 0x0303, context, tmp_path)
    seen = {"ocsp_seen": True, "ocsp_stapled": True, "ocsp_good": not because}
    assert differing(values) == seen
    assert values.get("ocsp_good_because", "") == because


async def test_a_demanded_staple_is_missed(context: Context, tmp_path: Path) -> None:
    values = await probe(chains.server(tmp_path, MUST_STAPLE, BETWEEN), context)
    assert differing(values) == {"must_staple": True}
    assert values["ocsp_stapled"] is False


async def test_a_url_without_tls_is_not_connected_to(context: Context) -> None:
    web = servers.always(servers.response())
    async with servers.serving(web) as port:
        url = f"http://127.0.0.1:{port}"
        service = Service.model_validate({"name": "it", "kind": "web", "url": url})
        values = await measure(service, Settings(), context)
    assert values == {"protocol_because": "the URL is not https"}
    assert not web.connections


@pytest.mark.parametrize(
    ("server", "kind", "detail"),
    [
        (servers.always(servers.response()), "timeout", "no answer within 0.2 s (tls)"),
        (servers.silent, "timeout", "no answer within 0.2 s (tls)"),
        (servers.garbage, "tls", "the port does not speak TLS"),
        (servers.slam, "reset", "connection reset"),
    ],
)
async def test_what_speaks_no_tls_is_a_failure(
    server: servers.Handler, kind: str, detail: str, context: Context
) -> None:
    hasty = dataclasses.replace(context, timeout=0.2)
    async with servers.serving(server) as port:
        with pytest.raises(Exception) as caught:
            await ask(port, hasty)
    failure = classify(caught.value)
    assert (failure.kind, failure.detail) == (kind, detail)


async def test_a_closed_port_is_a_failure(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(OSError) as caught:
            await ask(port, context)
    assert classify(caught.value).kind == "refused"


async def test_nothing_but_handshakes_is_sent(context: Context, tmp_path: Path) -> None:
    read = bytearray()

    async def listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            read.extend(data)

    tls = chains.server(tmp_path, LEAF, BETWEEN)
    async with servers.serving(listening, tls=tls) as port:
        assert differing(await ask(port, context)) == {}
    assert not read
