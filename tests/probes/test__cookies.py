"""Cookies are kept and sent as browsers do, and no server fills us with them."""

import time

import pytest

from readiness.probes._answer import Answer
from readiness.probes._cookies import MOST, Cookies
from readiness.probes._http import Target

HERE = "127.0.0.1"


def to(host: str = HERE, path: str = "/", tls: bool = False, port: int = 80) -> Target:
    return Target(tls, host, port, path)


def answer(*cookies: str) -> Answer:
    return Answer(200, "HTTP/1.1", {}, b"", True, {}, None, cookies=cookies)


def sent(said: str, begin: Target, then: Target) -> str:
    """Return the Cookie field of a request `then` after an answer to `begin` that `said` so."""
    jar = Cookies()
    jar.keep(begin, answer(said))
    return jar.header(then).get("cookie", "")


API, WWW = "api.shop.example", "www.shop.example"


@pytest.mark.parametrize(
    ("said", "begin", "then", "field"),
    [
        ("a=1", to(), to(), "a=1"),
        ("a=1", to(), to(port=8080), "a=1"),
        ("a=x=y==", to(), to(), "a=x=y=="),
        ('a="q r"; Path=/', to(), to(), 'a="q r"'),
        ("a=", to(), to(), "a="),
        ("a=1; HttpOnly; SameSite=Lax; Priority=High; Port=80", to(), to(), "a=1"),
        ("a=1", to(), to("127.0.0.2"), ""),
        ("a=1", to(API), to(WWW), ""),
        ("a=1", to("shop.example"), to(API), ""),
        ("a=1; Domain=shop.example", to(API), to(WWW), "a=1"),
        ("a=1; Domain=.SHOP.example", to(API), to("Api.Shop.Example"), "a=1"),
        ("a=1; Domain=shop.example", to(API), to("myshop.example"), ""),
        ("a=1; Domain=other.example", to(API), to(API), ""),
        ("a=1; Domain=example", to(API), to(API), ""),
        ("a=1; Domain=localhost", to("localhost"), to("localhost"), "a=1"),
        ("a=1; Domain=127.0.0.1", to(), to(), "a=1"),
        ("a=1; Domain=0.0.1", to(), to(), ""),
        ("a=1; Secure", to(), to(), "a=1"),
        ("a=1; Secure", to("::1"), to("::1"), "a=1"),
        ("a=1; Secure", to("auth.localhost"), to("auth.localhost"), "a=1"),
        ("a=1; Secure", to(API), to(API), ""),
        ("a=1; Secure", to(API, tls=True), to(API), ""),
        ("a=1; Secure", to(API, tls=True), to(API, tls=True), "a=1"),
        ("a=1; SameSite=None", to(), to(), ""),
        ("__Host-a=1; Secure; Path=/", to(), to(), "__Host-a=1"),
        ("__Host-a=1; Secure; Path=/x", to(), to(path="/x"), ""),
        ("a=1; Path=/x", to(), to(path="/x"), "a=1"),
        ("a=1; Path=/x", to(), to(path="/x/y?z"), "a=1"),
        ("a=1; Path=/x", to(), to(path="/xy"), ""),
        ("a=1; Path=x", to(path="/auth/login?a=/b/c"), to(path="/auth/me"), "a=1"),
        ("a=1", to(path="/auth/login"), to(path="/me"), ""),
        ("a=1", to(path="/login"), to(path="/me"), "a=1"),
        ("a=1; Max-Age=0", to(), to(), ""),
        ("a=1; Max-Age=-5", to(), to(), ""),
        ("a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", to(), to(), "a=1"),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", to(), to(), ""),
        ("a=1; Expires=Fri, 01-Jan-2100 00:00:00 GMT", to(), to(), "a=1"),
        ("a=1; Expires=never", to(), to(), "a=1"),
        ("a=caf\xe9", to(), to(), ""),
        ("a=1\x01", to(), to(), ""),
        ("a=" + "x" * 5000, to(), to(), ""),
        ("", to(), to(), ""),
    ],
)
def test_what_is_sent(said: str, begin: Target, then: Target, field: str) -> None:
    assert sent(said, begin, then) == field


def test_what_an_answer_sets_is_told() -> None:
    jar = Cookies()
    assert jar.keep(to(), answer("a=1", 'b="2"', "bad=1; Domain=x.example")) == {"a": "1", "b": "2"}
    assert jar.keep(to(), answer()) == {}
    assert jar.keep(to(), answer("a=; Max-Age=0", "c=3", "b=2")) == {"c": "3", "b": "2"}
    assert jar.header(to()) == {"cookie": "b=2; c=3"}
    assert jar.keep(to(), answer("c=4", "c=; Max-Age=0")) == {}


def test_the_longer_path_comes_first() -> None:
    jar = Cookies()
    jar.keep(to(), answer("a=1; Path=/", "a=2; Path=/x"))
    assert jar.header(to(path="/x/y")) == {"cookie": "a=2; a=1"}
    assert jar.header(to(path="/")) == {"cookie": "a=1"}


def test_a_cookie_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    jar = Cookies()
    jar.keep(to(), answer("a=1; Max-Age=60"))
    assert jar.header(to())
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert jar.header(to()) == {}


def test_there_is_a_most() -> None:
    jar, began = Cookies(), time.monotonic()
    for n in range(50):
        jar.keep(to(), answer(*(f"c{n}-{i}=1" for i in range(4000))))
    assert len(jar.header(to())["cookie"].split(";")) == MOST
    assert jar.keep(to(), answer("c0-0=2", "new=1")) == {"c0-0": "2"}
    assert time.monotonic() - began < 5
