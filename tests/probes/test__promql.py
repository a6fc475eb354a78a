"""Vector selectors found in PromQL, and what they can select."""

import time

import pytest

from readiness.probes._promql import Matcher, Selector, fits, selectors


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("up == 0", ["up"]),
        ('up{job="api"} == 0', ['up{job="api"}']),
        ("sum by (job) (rate(errors_total[5m])) > 1", ["errors_total"]),
        ("sum(rate(a[5m])) by (job, up) / on (job) group_left (x) b", ["a", "b"]),
        ('absent({__name__="up", job="api"})', ['up{job="api"}']),
        ('{"http.requests", job="api"} > 1', ['http.requests{job="api"}']),
        ('a{b!="c",d=~"e|f",g!~`h`,}', ['a{b!="c",d=~"e|f",g!~"h"}']),
        ("rate(a[5m:30s] offset 1h) and b unless c or d", ["a", "b", "c", "d"]),
        ("a @ end() > bool 2.5e3", ["a"]),
        ('label_replace(a, "x", "$1", "y", "(.*)")', ["a"]),
        ("a # and b\n* c", ["a", "c"]),
        ('a{b="c\\"}d"}', ['a{b="c"}d"}']),
        ("histogram_quantile(0.9, sum by (le) (rate(b_bucket[5m]))) > Inf", ["b_bucket"]),
        ("job:errors:rate5m > 3", ["job:errors:rate5m"]),
        ("vector(1)", []),
        ("", []),
        ("{", [""]),
        ("a{b=", ["a"]),
        ("a and a", ["a"]),
    ],
)
def test_selectors(expression: str, found: list[str]) -> None:
    assert [written(selector) for selector in selectors(expression)] == found


def written(selector: Selector) -> str:
    inside = ",".join(f'{m.label}{m.sign}"{m.value}"' for m in selector.matchers)
    return (selector.metric or "") + (f"{{{inside}}}" if inside else "")


def test_a_selector_selects_what_no_matcher_rules_out() -> None:
    (one,) = selectors('up{job=~"api|web",env!="test"}')
    assert one.selects({"job": "api"}, strictly=True)
    assert not one.selects({"job": "db"}, strictly=True)
    assert not one.selects({"job": "api", "env": "test"}, strictly=True)
    (code,) = selectors('errors_total{code=~"5.."}')
    assert code.selects({"job": "api"}, strictly=False)
    assert not code.selects({"job": "api"}, strictly=True)


def test_an_odd_pattern_is_not_tried() -> None:
    assert fits("a.*|b", "abc") is True
    assert fits("a", "abc") is False
    for odd in ("(a+)+$", "((", "a*a*a*a*a*b", "x" * 2000, "(?P<n>a){9999}"):
        assert fits(odd, "a" * 90) is None
        assert not Matcher("job", "=~", odd).accepts("a")
        assert not Matcher("job", "!~", odd).accepts("a")


def test_a_hostile_expression_takes_no_time() -> None:
    began = time.monotonic()
    for text in ("{" * 50_000, '"' * 50_000, "a{b=" * 20_000, "(" * 50_000, "[" * 50_000):
        selectors(text)
    fits("a.*.*.*", "a" * 100)
    assert time.monotonic() - began < 5
