"""References become values: in texts, paths and JSON, and break out of none of them."""

import pytest

from readiness.probes._template import filled, filled_data, filled_path, own_path

VARIABLES = {"a": "x y/../?&#é", "n": 5, "yes": True, "dots": "..", "none": "", "f": 0.5}


def test_texts() -> None:
    assert filled("{{n}} {{ yes }} {{f}} {{other", VARIABLES) == "5 true 0.5 {{other"
    assert filled("{{a}}{{a}}", {"a": "{{n}}"}) == "{{n}}{{n}}", "values are no templates"


def test_a_value_stays_within_its_part_of_a_path() -> None:
    assert filled_path("/v/{{a}}/c?q={{a}}", VARIABLES) == (
        "/v/x%20y%2F..%2F%3F%26%23%C3%A9/c?q=x%20y%2F..%2F%3F%26%23%C3%A9"
    )
    assert filled_path("/v/{{n}}", VARIABLES) == "/v/5"


@pytest.mark.parametrize("name", ["dots", "none"])
def test_a_value_that_would_change_the_path_is_refused(name: str) -> None:
    assert filled_path(f"/things/{{{{{name}}}}}", VARIABLES) is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/a/b?c=d#e", "/a/b?c=d"),
        ("http://evil.example/a?b", "/a?b"),
        ("HTTPS://evil.example:8/a", "/a"),
        ("//evil.example/a", "/a"),
        ("http://evil.example", "/"),
        ("http://evil.example?a", "/?a"),
        ("/a b\r\nX: y/é/%20", "/a%20b%0D%0AX:%20y/%C3%A9/%20"),
        ("a/b", ""),
        ("", ""),
        ("ftp://evil.example/a", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_a_location_leads_to_the_service_itself(url: str, path: str) -> None:
    assert own_path(url) == path


def test_json_keeps_the_type_of_a_whole_value() -> None:
    data = {"id": "{{n}}", "on": "{{yes}}", "is": ["n{{n}}", 1, None], "{{n}}": {"x": "{{f}}"}}
    assert filled_data(data, VARIABLES) == {
        "id": 5,
        "on": True,
        "is": ["n5", 1, None],
        "5": {"x": 0.5},
    }
