"""Tokens and uploads of the sample system: what is well-made is read, nothing else is."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.demo.tokens import (
    ACCESS_SECONDS,
    AUDIENCE,
    ISSUER,
    Claims,
    issue,
    sign,
    verify,
)
from readiness.demo.upload import PARTS, Upload, boundary_of, find

SECRET = "a secret of the service"
CLAIMS = Claims(user="u-1", session="s-1", role="user")


def payload(**changed: Any) -> dict[str, Any]:
    now = time.time()
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "sid": "s-1", "role": "user"}
    made = {**good, "iat": now, "exp": now + 60, **changed}
    return {name: value for name, value in made.items() if value is not ...}


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def read(token: str) -> list[dict[str, Any]]:
    padded = [text + "=" * (-len(text) % 4) for text in token.split(".")[:2]]
    return [json.loads(base64.urlsafe_b64decode(text)) for text in padded]


def signed_with(head: object, body: object) -> str:
    """A token with any header and payload, truly signed with SECRET by HS256."""

    signed = f"{part(head)}.{part(body)}"
    mac = hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_a_token_says_for_whom_by_whom_and_how_long() -> None:
    head, body = read(issue(CLAIMS, SECRET))
    assert head == {"alg": "HS256", "typ": "JWT"}
    assert set(body) == {"iss", "aud", "sub", "sid", "role", "iat", "exp", "jti"}
    assert body["exp"] - body["iat"] == ACCESS_SECONDS == 900
    assert read(issue(CLAIMS, SECRET))[1]["jti"] != body["jti"]


def test_a_token_is_read_back_by_who_knows_the_secret() -> None:
    assert verify(issue(CLAIMS, SECRET), SECRET) == CLAIMS
    assert verify(sign(payload(), SECRET), SECRET) == CLAIMS
    assert verify(signed_with({"alg": "HS256"}, payload()), SECRET) == CLAIMS
    assert verify(issue(CLAIMS, SECRET), "another secret") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1_700_000_000},
        {"exp": ...},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": None},
        {"iat": 9_999_999_999},
        {"iat": ...},
        {"iss": "https://elsewhere.example"},
        {"iss": ...},
        {"aud": "another-system"},
        {"aud": [AUDIENCE]},
        {"aud": ...},
        {"sub": ...},
        {"sub": 7},
        {"sub": ""},
        {"sid": ...},
        {"role": ["admin"]},
    ],
    ids=str,
)
def test_a_token_that_says_something_else_is_refused(changed: dict[str, Any]) -> None:
    assert verify(sign(payload(**changed), SECRET), SECRET) is None


@pytest.mark.parametrize(
    "head",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"alg": "hs256"},
        {"alg": ["HS256"]},
        {"typ": "JWT"},
        {"alg": "HS256", "kid": "../../dev/null"},
        {"alg": "HS256", "jku": "https://elsewhere.example/keys"},
        {"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}},
        {"alg": "HS256", "crit": ["exp"]},
        ["HS256"],
        "HS256",
        None,
    ],
    ids=str,
)
def test_only_our_own_header_counts(head: object) -> None:
    assert verify(signed_with(head, payload()), SECRET) is None


@pytest.mark.parametrize("body", [[], "u-1", 7, None])
def test_only_an_object_holds_claims(body: object) -> None:
    assert verify(signed_with({"alg": "HS256"}, body), SECRET) is None


def test_tampered_tokens_are_refused() -> None:
    head, body, signature = issue(CLAIMS, SECRET).split(".")
    admin = part(payload(role="admin"))
    unsigned = part({"alg": "none"})
    last = "A" if signature[-1] != "A" else "E"
    for token in (
        f"{head}.{admin}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{unsigned}.{body}.",
        f"{unsigned}.{admin}.{signature}",
        f"{head}.{body}.{signature[:-1]}{last}",
        f"{head}.{body}.{signature}=",
        f"{head}.{body}.{signature}.",
        f" {head}.{body}.{signature}",
    ):
        assert verify(token, SECRET) is None, token


@pytest.mark.parametrize("signed", ["", "a", "a.b.c", "é.é", "....", "bnVsbA.bnVsbA"])
def test_signed_garbage_is_refused_too(signed: str) -> None:

    mac = hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256)
    assert verify(f"{signed}.{base64.urlsafe_b64encode(mac).decode()[:-1]}", SECRET) is None


@given(st.text())
def test_no_text_is_a_token(text: str) -> None:
    assert verify(text, SECRET) is None


# Uploads


@given(st.binary(max_size=300), st.sampled_from([b"x", b"----4a7f", b"a b'c"]))
def test_a_file_arrives_byte_for_byte(content: bytes, boundary: bytes) -> None:
    if b"\r\n--" + boundary in b"\r\n" + content:
        content = b""  # no client would choose a boundary that is in what it sends
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n" % (boundary, *named)
        for named in ((b'"other"', b"text"), (b'"file"; filename="a.bin"', content))
    )
    assert find(body + b"--" + boundary + b"--\r\n", boundary, "file") == Upload("a.bin", content)


@given(st.binary(), st.binary(min_size=1, max_size=4))
def test_garbage_is_no_form(body: bytes, boundary: bytes) -> None:
    assert find(body, boundary, "file") is None


@given(st.text(st.characters(max_codepoint=255)))
def test_any_content_type_is_read_or_is_no_forms(media_type: str) -> None:
    assert boundary_of(media_type) is None
    assert boundary_of(f"multipart/form-data; boundary=b1; {media_type}") in (b"b1", None)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\temp\\\\a.txt", "a.txt"),
        ("\x1b[2J.txt", "[2J.txt"),
        ("übersicht.csv", "übersicht.csv"),
        ("", "unnamed"),
        ("n" * 1000, "n" * 255),
    ],
)
def test_a_files_name_is_no_path_and_prints(sent: str, kept: str) -> None:
    head = f'Content-Disposition: form-data; name="file"; filename="{sent}"'
    found = find(f"--b\r\n{head}\r\n\r\nx\r\n--b--".encode(), b"b", "file")
    assert found == Upload(kept, b"x")


def test_a_form_has_no_more_parts_than_are_looked_at() -> None:
    filler = b"--b\r\nContent-Disposition: form-data; name=n\r\n\r\nx\r\n"
    file = b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--b--"
    assert find(filler * (PARTS - 1) + file, b"b", "file") == Upload("unnamed", b"x")
    assert find(filler * PARTS + file, b"b", "file") is None
