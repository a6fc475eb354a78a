from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.inventory.url import SCHEMES, fault, public


@pytest.mark.parametrize(
    ("kind", "url", "told"),
    [
        ("http", "", "is empty. Write it as in http://localhost:8000"),
        ("http", "localhost:8000", "has no scheme before the host. Write it as in http://"),
        ("http", "localhost", "has no scheme"),
        ("postgres", "localhost:5432/db", "has no scheme before the host. Write it as in postgres"),
        ("http", "ftp://h", "must start with http:// or https:// for a service of kind http."),
        ("postgres", "mysql://h", "must start with postgres:// or postgresql://"),
        ("redis", "http://h", "must start with redis:// or rediss://"),
        ("tcp", "udp://h:1", "must start with tcp://"),
        ("http", "http://", "names no host"),
        ("http", "http:///path", "names no host"),
        ("http", "http://u:p@", "names no host"),
        ("http", "http://:80", "names no host"),
        ("http", "http://h:0", "has a port that is none of 1 to 65535"),
        ("http", "http://h:65536", "has a port that is none of 1 to 65535"),
        ("http", "http://h:80a", "has a port that is none of 1 to 65535"),
        ("http", "http://h:-1", "has a port that is none of 1 to 65535"),
        ("http", "http://h:٣", "has a port that is none of 1 to 65535"),
        ("http", "http://h h", "holds a character no URL may hold"),
        ("http", "http://h\n", "holds a character no URL may hold"),
        ("http", "http://h\\x", "holds a character no URL may hold"),
        ("http", "http://" + "h" * 2050, "holds a character no URL may hold, or is too long"),
        ("http", "http://" + "h." * 200, "has a host that is no host name"),
        ("http", "http://h%20", "has a host that is no host name"),
        ("http", "http://a..b", "is not a valid URL"),
        ("http", "http://" + "h" * 64, "is not a valid URL"),
        ("http", "http://[::1", "is not a valid URL"),
        ("http", "http://[x]/", "is not a valid URL"),
        ("http", "http://[127.0.0.1]/", "is not a valid URL"),
        ("http", "http://h/#x", "has a # or an @ after its host"),
        ("postgres", "postgres://u:1/x@h/db", "has a # or an @ after its host"),
        ("postgres", "postgres://u:1?x@h/db", "has a # or an @ after its host"),
        ("postgres", "postgres://u:1#x@h/db", "has a # or an @ after its host"),
        ("postgres", "postgres://a:1,b:2/db", "names several hosts"),
        ("tcp", "tcp://h", "names no port. Write it as in tcp://localhost:9000"),
        ("tcp", "tcp://h:1/x", "must be a host and a port only"),
        ("tcp", "tcp://u@h:1", "must be a host and a port only"),
    ],
)
def test_a_bad_url_is_told_with_its_fix(kind: str, url: str, told: str) -> None:
    assert (fault(url, kind) or "").startswith(told)


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("http", "http://h"),
        ("http", "HTTPS://H:443/a/b?c=d&e"),
        ("http", "http://under_score.local:8000"),
        ("http", "http://bücher.example/"),
        ("http", "http://[2001:db8::1]:8000/x"),
        ("http", "http://127.0.0.1"),
        ("web", "https://u:p%40@h/"),
        ("mcp", "http://h/mcp"),
        ("postgres", "postgresql://u:p%2Fw@h:5432/db?sslmode=require"),
        ("redis", "redis://:pw@h:6379/0"),
        ("tcp", "tcp://h:9000"),
        ("tcp", "tcp://[::1]:9000/"),
    ],
)
def test_a_good_url_has_no_fault(kind: str, url: str) -> None:
    assert fault(url, kind) is None


@given(st.sampled_from(sorted(SCHEMES)), st.text())
def test_any_text_is_a_url_or_told(kind: str, text: str) -> None:
    for url in (text, f"{SCHEMES[kind][0]}://{text}"):
        if fault(url, kind) is None:
            public(url)


@given(st.sampled_from(["http", "postgres", "redis"]), st.text(min_size=3), st.booleans())
def test_no_password_is_ever_shown(kind: str, password: str, encoded: bool) -> None:
    secret = f"{password}<!>"
    written = quote(secret, safe="") if encoded else f"{password}~!~"
    url = f"{SCHEMES[kind][0]}://user:{written}@host/path"
    told = fault(url, kind)
    assert written not in (told if told is not None else public(url))
    if encoded:
        assert told is None
