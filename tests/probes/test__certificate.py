"""_certificate against what the cryptography package reads, and against bytes that are none."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from readiness.probes import _ocsp
from readiness.probes._certificate import Certificate, path, read
from readiness.probes._der import elements
from tests import chains
from tests.chains import issue

ROOT = issue("Root", ca=True)
FEATURE = x509.TLSFeature([x509.TLSFeatureType.status_request])
LEAF = issue("it", ROOT, hosts=("a.example", "127.0.0.1", "::1"), extra=[FEATURE])
RESPONSE = chains.ocsp_response(LEAF, ROOT)


def named(*hosts: str) -> Certificate:
    return read(issue("it", ROOT, hosts=hosts).der)


@pytest.mark.parametrize("issued", [ROOT, LEAF, issue("far", ROOT, ends=20_000)])
def test_it_reads_what_others_read(issued: chains.Issued) -> None:
    mine, theirs = read(issued.der), issued.certificate
    assert mine.serial == theirs.serial_number
    assert (mine.begins, mine.ends) == (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
    assert f"CN={mine.subject}" == theirs.subject.rfc4514_string()
    assert f"CN={mine.issuer}" == theirs.issuer.rfc4514_string()


def test_a_leaf_and_a_root_are_told_apart() -> None:
    root, leaf = read(ROOT.der), read(LEAF.der)
    assert (root.self_issued, root.names_issuer, root.must_staple) == (True, False, False)
    assert (leaf.self_issued, leaf.names_issuer, leaf.must_staple) == (False, True, True)
    assert leaf.hosts == ("a.example",)
    assert leaf.addresses == (b"\x7f\0\0\1", bytes(15) + b"\1")


@pytest.mark.parametrize(
    ("key", "shown", "weak"),
    [
        (chains.rsa_key(1024), "RSA of 1024 bits", True),
        (chains.rsa_key(), "RSA of 2048 bits", False),
        (ec.generate_private_key(ec.SECP192R1()), "EC P-192", True),
        (ec.generate_private_key(ec.SECP521R1()), "EC P-521", False),
        (ec.generate_private_key(ec.BrainpoolP256R1()), "", None),
    ],
)
def test_keys(key: chains.Key, shown: str, weak: bool | None) -> None:
    found = read(issue("it", ROOT, key=key).der)
    assert (found.key, found.weak_key) == (shown, weak)


@pytest.mark.parametrize(
    ("host", "names", "matches"),
    [
        ("a.example", ("a.example",), True),
        ("A.Example.", ("a.eXample",), True),
        ("a.example", ("b.example", "a.example"), True),
        ("a.example", ("*.example",), True),
        ("b.a.example", ("*.example",), False),
        ("example", ("*.example",), False),
        ("a.example", ("*",), False),
        ("a.example", ("a*.example",), False),
        ("a.example", ("a.example.org",), False),
        ("127.0.0.1", ("127.0.0.1",), True),
        ("127.0.0.2", ("127.0.0.1",), False),
        ("::1", ("::1",), True),
        ("a.example", (), False),
        ("it", (), False),
    ],
)
def test_hosts(host: str, names: tuple[str, ...], matches: bool) -> None:
    assert named(*names).is_for(host) is matches


def test_a_path_ends_where_issuers_go_round_in_a_circle() -> None:
    one = read(ROOT.der)
    first = one.__class__(**{**vars(one), "subject_id": b"1", "issuer_id": b"2"})
    second = one.__class__(**{**vars(one), "subject_id": b"2", "issuer_id": b"1"})
    assert path([first, second]) == (first, second)


def test_the_signature_of_an_issuer_is_looked_at() -> None:
    old = issue("Old", ca=True, key=chains.rsa_key())
    leaf = issue("it", old)
    assert read(leaf.der).broken_hash == ""
    assert read(chains.signed_with_sha1(leaf, old).der).broken_hash == "SHA-1"


@given(st.data())
def test_cut_or_changed_bytes_are_refused_in_good_order(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([LEAF.der, RESPONSE])))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    changed = bytes(whole[: data.draw(st.integers(at, len(whole)))])
    assert isinstance(_ocsp.fault(changed, 1, chains.NOW), str)
    try:
        read(changed)
    except (ValueError, IndexError):
        return
    assert elements(changed)[0].tag == 0x30


@given(st.binary(max_size=200))
def test_any_bytes_as_a_stapled_response_are_only_wrong(data: bytes) -> None:
    assert _ocsp.fault(data, 1, chains.NOW)


def test_the_response_used_here_is_a_good_one() -> None:
    assert _ocsp.fault(RESPONSE, read(LEAF.der).serial, chains.NOW) == ""
