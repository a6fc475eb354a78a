"""A secret is found in whatever spelling a server gives it back, and ordinary words are not."""

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.mask import Masker
from tests.strategies import PROPERTY

SECRET = "Tr0ub4dor/Zebra+Qux Ünïque"
TOKEN = "tokCANARY/abc+def==xyz"
PLAIN = "Correct7Horse9Battery"


def every_percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "lower": str.lower,
    "swapped": str.swapcase,
    "quoted": lambda s: quote(s, safe=""),
    "quoted in lower case": lambda s: quote(s, safe="").lower(),
    "quoted and shouted": lambda s: quote(s.upper(), safe=""),
    "form": quote_plus,
    "percent": every_percent,
    "percent in upper case": lambda s: every_percent(s).upper(),
    "twice quoted": lambda s: quote(quote(s, safe=""), safe=""),
    "thrice quoted": lambda s: quote(quote(every_percent(s), safe=""), safe=""),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 later by one": lambda s: base64.b64encode(f"x{s}yz".encode()).decode(),
    "base64 later by two": lambda s: base64.b64encode(f"xy{s}z".encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(f"\xff\xfe{s}".encode()).decode(),
    "base64 in lines": lambda s: base64.encodebytes((s * 9).encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "hex in upper case": lambda s: s.encode().hex(" ").upper(),
    "reversed": lambda s: s[::-1],
    "JSON": json.dumps,
    "JSON of JSON": lambda s: json.dumps(json.dumps(s)),
    "JSON escapes": lambda s: "".join(f"\\u{ord(char):04x}" for char in s),
    "JavaScript": lambda s: "".join(f"\\u{{{ord(char):x}}}" for char in s),
    "Python": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "HTML": html.escape,
    "decimal references": lambda s: "".join(f"&#{ord(char)};" for char in s),
    "hex references": lambda s: "".join(f"&#X{ord(char):06X};" for char in s),
    "named references": lambda s: s.replace("/", "&sol;").replace("+", "&plus;"),
    "references quoted": lambda s: quote("".join(f"&#{ord(char)};" for char in s), safe=""),
    "torn": lambda s: f"{s[:8]} {s[8:]}",
    "in lines": lambda s: f"{s[:8]}\r\n\t{s[8:]}",
    "spaced": " ".join,
    "zero width": "\u200b".join,
    "coloured": "\x1b[0m".join,
    "control characters": "\x01".join,
    "after a percent sign": lambda s: f"%{every_percent(s)}",
    "after a half escape": lambda s: f"\\u00&#x{s}",
}


def shown(masked: str, secret: str) -> bool:
    """Whether any eight characters of `secret` can be read in `masked`, or decoded from it."""
    coded = base64.b64encode(secret.encode()).decode()
    hidden = (secret, secret[::-1], secret.encode().hex(), coded, every_percent(secret))
    text = "".join(masked.split()).casefold()
    return any(
        "".join(one[i : i + 8].split()).casefold() in text
        for one in hidden
        for i in range(len(one) - 7)
    )


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [SECRET, TOKEN, PLAIN])
def test_a_secret_is_masked_in_every_spelling(secret: str, spelling: str) -> None:
    told = SPELLINGS[spelling](secret)
    masked = Masker([secret]).mask(f"seen: {told}, and refused")
    assert "***" in masked
    assert not shown(masked, secret), masked
    assert masked.startswith("seen: ")
    assert masked.endswith(", and refused")


@pytest.mark.parametrize("size", [8, 12, 20])
@pytest.mark.parametrize("ending", ["", "…", "'", '")', "… DOWN, db", "%4…", "\\u00…", "&#1"])
def test_the_beginning_of_a_secret_is_masked_where_a_text_is_cut(size: int, ending: str) -> None:
    for beginning in (PLAIN[:size], every_percent(PLAIN[:size]), PLAIN[:size].upper()):
        assert Masker([PLAIN]).mask(f"no {beginning}{ending}") == f"no ***{ending}"


def test_a_long_beginning_is_masked_anywhere() -> None:
    assert Masker([PLAIN]).mask(f"a {PLAIN[:17]} b") == "a *** b"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("test", "the best estimate"),
        ("test", "tset 74657374 dGVzdA"),
        ("abc", "abcd xabc"),
        ("username=me&password=pass7", "missing username"),
        ("Correct7Horse9Battery", "Correct7 is no answer"),
        ("a  b", "a b ab"),
    ],
)
def test_ordinary_words_are_left_alone(secret: str, text: str) -> None:
    assert Masker([secret]).mask(text) == text


def test_a_short_secret_is_masked_as_a_word() -> None:
    assert Masker(["me", "x y"]).mask("me, not home; x y") == "***, not home; ***"


def test_what_touches_becomes_one_mask_and_the_rest_stays() -> None:
    masker = Masker(["first-secret", "secret-second", "other-one"])
    assert masker.mask("a first-secret-secondother-one b other-one") == "a *** b ***"


def test_nothing_to_mask_is_only_cleaned() -> None:
    assert Masker([""]).mask(" 100%25 \x1b[31mred\n&amp; ") == "100%25 red &amp;"


@PROPERTY
@given(
    st.text(min_size=8, max_size=40).filter(lambda s: len("".join(s.split())) >= 8),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_any_secret_between_any_texts_is_gone(secret: str, before: str, after: str) -> None:
    masked = Masker([secret]).mask(f"{before}{secret}{after}")
    assert "***" in masked or "".join(secret.split()) not in "".join(masked.split())


@PROPERTY
@given(st.lists(st.text(), max_size=4), st.text(st.characters() | st.sampled_from("%&\\#xu;0{}")))
def test_any_text_can_be_masked(secrets: list[str], text: str) -> None:
    masked = Masker(secrets).mask(text)
    assert masked.isprintable() or not masked.isascii()


def test_thousands_of_texts_take_a_blink() -> None:
    masker = Masker([f"{n}-{SECRET}-{n * 7919}" for n in range(20)])
    texts = [f"GET /api/items/{n} answered 503 after {n} ms: no database" for n in range(4000)]
    began = time.process_time()
    assert [masker.mask(text) for text in texts] == texts
    assert time.process_time() - began < 0.5  # a tenth of it where nothing else runs


def test_a_hostile_text_takes_no_longer_than_it_is_long() -> None:
    masker = Masker(["a" * 8000, "%61" * 3000])
    began = time.process_time()
    assert masker.mask("a" * 4000 + "b" + "&#37;61" * 1000).endswith("***")
    assert time.process_time() - began < 5
