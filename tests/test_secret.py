from urllib.parse import urlsplit

import pytest

from readiness.secret import of_body, of_references, of_settings, of_url, public_texts, spellings


def test_everything_secret_of_a_url() -> None:
    url = "https://me:p%40ss@host:1/path?key=v%201&flag=&sslmode=require#part"
    found = set(of_url(urlsplit(url))) - {""}
    assert found == {
        *("me", "p%40ss", "p@ss", "bWU6cEBzcw==", "v 1", "part"),
        "key=v%201&flag=&sslmode=require",
    }


def test_a_user_alone_is_known_as_http_sends_it() -> None:
    assert "dG9rZW46" in set(of_url(urlsplit("http://token@h")))


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        ({"headers": {"X-Key": "abcd"}}, {"abcd"}),
        ({"headers": {"Authorization": "Bearer tok-12345"}}, {"Bearer tok-12345", "tok-12345"}),
        ({"headers": {"Cookie": "sid=s3cret; b=2"}}, {"sid=s3cret; b=2", "s3cret", "2"}),
        ({"headers": {"Accept": "application/json", "X": "v"}}, {"v"}),
        ({"headers": {"Content-Type": "text/html; charset=utf-8"}}, set()),
        ({"headers": {"Content-Type": "really a secret"}}, {"really a secret"}),
        ({"form": {"user": "me", "list": ["one", {"deep": "two"}]}}, {"me", "one", "two"}),
        ({"body": "a=1+2&b=%41"}, {"a=1+2&b=%41", "1+2", "1 2", "%41", "A"}),
        ({"body": '{"a": ["b", {"c": "d"}]}'}, {'{"a": ["b", {"c": "d"}]}', "b", "d"}),
        ({"Json": {"pin": 123456, "on": True, "none": None}}, {"123456"}),
        ({"password": "pw"}, {"pw"}),
        (
            {"login": {"request": "POST /login", "json": {"p": "x"}, "token": "$.t"}},
            {"x"},
        ),
        ({"login": {"header": "Authorization", "scheme": "Bearer", "token": "abc"}}, {"abc"}),
        ({"login": {"header": "Authorization", "password": "Basic !"}}, {"Basic !"}),
        (
            {"headers": {"Authorization": "Basic Ym9iOnB3LTEyMzQ1"}},
            {
                *("Basic Ym9iOnB3LTEyMzQ1", "Ym9iOnB3LTEyMzQ1"),
                *("bob:pw-12345", "bob", "pw-12345"),
            },
        ),
        (
            {"request": "GET /x?api_key=k%2Dabc-123&limit=10"},
            {"api_key=k%2Dabc-123&limit=10", "k-abc-123"},
        ),
        ({"login": {"request": "POST /in?key=abcd-1234"}}, {"key=abcd-1234", "abcd-1234"}),
        ({"text": "What is it? this=something-else"}, set()),
        ({"request": "GET /x", "users": [1, 10]}, set()),
        ({"credential": True}, set()),
        (
            {"reference": {"url": "http://me:pw-12345@host/p?key=abcd-1234"}},
            {"", *("me", "pw-12345", "bWU6cHctMTIzNDU=", "key=abcd-1234", "abcd-1234")},
        ),
        ({"json": {"url": "a secret"}}, {"a secret"}),
        ({"reference": {"url": "http://[no-address"}}, {"", "http://[no-address"}),
    ],
)
def test_everything_secret_of_settings(settings: object, secrets: set[str]) -> None:
    assert set(of_settings(settings)) == secrets


def test_a_body_nested_past_reason_is_a_secret_as_a_whole() -> None:
    body = "[" * 100_000
    assert set(of_settings({"body": body})) == {body}


def test_what_is_public_of_settings() -> None:
    settings = {"request": "GET /x?key=k", "public": ["/a"], "json": {"p": "x"}, "n": 1}
    assert list(public_texts(settings)) == ["GET /x", "/a"]
    assert list(public_texts({"url": "http://me:pw@host:1/p?key=k"})) == ["host"]


def test_short_texts_are_left_out_and_long_ones_spelt_in_every_way() -> None:
    assert set(spellings(["abc", 'p"ä b'])) == {
        *('p"ä b', "p%22%C3%A4%20b", "p%22%C3%A4+b", 'p\\"ä b', 'p\\"\\u00e4 b'),
    }


@pytest.mark.parametrize("key", ["pwd", "pw", "userPw", "signature", "password", "passphrase"])
def test_a_plain_word_is_secret_below_a_key_that_names_one(key: str) -> None:
    assert set(of_body({"user": "ann", key: "correcthorse"})) == {"correcthorse"}
    assert list(of_references({"user": "{{a}}", key: "{{b}}"})) == ["{{b}}"]
