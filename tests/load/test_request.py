import pytest

from readiness.load.request import preformat


def test_a_request_is_formatted_once() -> None:
    request = preformat("GET", "/a?b=1", {"host": "example.org", "x-note": "\xe9"})
    assert request.raw == b"GET /a?b=1 HTTP/1.1\r\nhost: example.org\r\nx-note: \xe9\r\n\r\n"
    assert not request.head
    assert preformat("HEAD", "/", {}).head


@pytest.mark.parametrize("text", ["a\r\nx-smuggled: 1", "a\nb", "a\0b", "\u20ac"])
def test_no_header_smuggles_in_another(text: str) -> None:
    with pytest.raises(ValueError, match="request line or header"):
        preformat("GET", "/", {"x-note": text})
    with pytest.raises(ValueError, match="request line or header"):
        preformat("GET", f"/{text}", {})


def test_a_request_does_not_show_its_headers() -> None:
    assert "canary" not in repr(preformat("GET", "/", {"authorization": "canary"}))
