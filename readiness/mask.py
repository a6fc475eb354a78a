"""Text from outside and the secrets we hold -> the same text without them, however spelt.

A text is looked at as bytes with every run of whitespace left out, and then again with its
percent-encoding, character references and backslash escapes read, as often as they are nested.
Each byte remembers which characters it was read from, and those are replaced.
"""

import base64
import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html.entities import html5

from readiness.escape import clean
from readiness.secret import SHORTEST

MASK = "***"
LONG = 8
"""Characters from which on a secret is also looked for torn apart, reversed and encoded as a
whole, and from which on its beginning is masked where a text was cut."""
PART = 16
"""Characters from which on the beginning of a secret is masked wherever it stands."""

_NESTED = 3
_NOTHING = re.compile(rb"\s+|(?:\xef\xbf\xbd)+")  # U+FFFD stands where a control character was
_MARKS = re.compile(rb"[%&\\]")
_CODE = re.compile(
    rb"%(?P<byte>[0-9a-f]{2})|\\x(?P<escaped>[0-9a-f]{2})"
    rb"|\\u(?P<high>d[89ab][0-9a-f]{2})\\u(?P<low>d[c-f][0-9a-f]{2})"
    rb"|\\u(?:(?P<unit>[0-9a-f]{4})|\{(?P<braced>[0-9a-f]{1,6})\})"
    rb"|&\#(?:x0{0,8}(?P<hex>[0-9a-f]{1,6})|0{0,8}(?P<decimal>[0-9]{1,7}));?"
    rb"|&(?P<name>[a-z][a-z0-9]{1,31};)|\\(?P<self>[\"'\\/])|\\[nrtbf]",
    re.IGNORECASE,
)
_HALF = rb"(?:%\w?|\\(?:u\{?\w{0,6}|x\w?)?|&\#?\w{0,7})?"  # of a code that the cut went through
_CUT = re.compile(_HALF + rb"\xe2\x80\xa6")
_END = re.compile(_HALF + rb"[^\w%&\\\x80-\xff]*\Z")
_WORD = re.compile(rb"[a-z]+")


class Masker:
    """Knows some secrets in all their spellings, and replaces them in texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if secret}
        short = {s for s in known if min(len(s), len(_compact(s.encode(*_UTF8)))) < SHORTEST}
        self._short = re.compile(
            rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(short, key=len)[::-1]))})(?!\w)"
            if short
            else r"(?!)"
        )
        self._needles: dict[bytes, list[bytes]] = defaultdict(list)
        for needle in {n for secret in known - short for n in _needles(secret)}:
            if len(needle) >= SHORTEST:
                self._needles[needle[:SHORTEST]].append(needle)
        self._heads = _any_of(self._needles)

    def mask(self, text: str) -> str:
        """Return `text` as one clean line, with `***` for each secret in it.

        Found are other cases, percent-encoding, HTML and JSON escapes, base64 at any offset,
        hex, a secret reversed, torn apart by whitespace, or cut off at the end.
        """
        text = clean(text)
        data = text.encode(*_UTF8)
        if _MARKS.search(data) or self._heads.search(_compact(data)) or self._short.search(text):
            return _replaced(text, sorted(self._places(text)))
        return text

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of what is secret in `text`, in no order."""
        for view in _views(text):
            units, at = view.units.lower(), 0
            while head := self._heads.search(units, at):
                start = head.start()
                at = start + 1
                size = max(_size(units, start, needle) for needle in self._needles[head[0]])
                end = start + size
                if size >= LONG or (size and view.unbroken(start, end)):
                    yield view.starts[start], view.ends[end - 1]
        yield from (found.span() for found in self._short.finditer(text))


_UTF8 = ("utf-8", "surrogatepass")


@dataclass(frozen=True)
class _View:
    """One reading of a text: its bytes, and the start and end of what each was read from."""

    units: bytes
    starts: list[int]
    ends: list[int]

    def unbroken(self, start: int, end: int) -> bool:
        """Whether nothing was left out between the bytes from `start` to `end`."""
        return all(self.ends[i] >= self.starts[i + 1] for i in range(start, end - 1))

    def read(self, pattern: re.Pattern[bytes], meaning: "_Meaning") -> "_View":
        """Return the view in which each match of `pattern` is its meaning."""
        units, starts, ends, done = bytearray(), list[int](), list[int](), 0
        for found in pattern.finditer(self.units):
            first, last = found.span()
            out = meaning(found)
            units += self.units[done:first] + out
            starts += self.starts[done:first] + [self.starts[first]] * len(out)
            ends += self.ends[done:first] + [self.ends[last - 1]] * len(out)
            done = last
        return _View(
            bytes(units + self.units[done:]), starts + self.starts[done:], ends + self.ends[done:]
        )


_Meaning = Callable[[re.Match[bytes]], bytes]


def _views(text: str) -> Iterator[_View]:
    """Yield the readings of `text`: as it is, and with its escapes read once, twice, ..."""
    sizes = [len(char.encode(*_UTF8)) for char in text]
    starts = [i for i, size in enumerate(sizes) for _ in range(size)]
    view = _View(text.encode(*_UTF8), starts, [i + 1 for i in starts])
    view = view.read(_NOTHING, lambda _: b"")
    yield view
    for _ in range(_NESTED):
        if not _CODE.search(view.units):
            return
        view = view.read(_CODE, _decoded).read(_NOTHING, lambda _: b"")
        yield view


def _decoded(found: re.Match[bytes]) -> bytes:
    """Return the UTF-8 bytes that a match of _CODE stands for; none for whitespace."""
    kind, part = found.lastgroup, found[found.lastgroup or 0].decode()
    if kind in ("byte", "escaped"):
        return bytes.fromhex(part)
    if kind == "low":
        units = bytes.fromhex(found["high"].decode() + part)
        return units.decode("utf-16-be").encode()
    if kind in ("unit", "braced", "hex", "decimal"):
        number = int(part, 10 if kind == "decimal" else 16)
        return chr(number).encode(*_UTF8) if number < 0x110000 else b""
    if kind == "name":
        return html5.get(part, found[0].decode()).encode()
    return part.encode() if kind == "self" else b""


@functools.lru_cache(maxsize=512)
def _needles(secret: str) -> frozenset[bytes]:
    """Return `_spellings`: each time a run learns one more secret, the others are asked again."""
    return frozenset(_spellings(secret))


def _spellings(secret: str) -> Iterator[bytes]:
    """Yield what the bytes of a view hold where `secret` is in the text, in lower case."""
    for form in {secret, clean(secret)}:
        for cased in {form, form.upper(), form.lower()}:
            yield from (view.units.lower() for view in _views(cased))
            yield _compact(cased.replace(" ", "+").encode(*_UTF8))
    if len(secret) >= LONG:
        data = secret.encode(*_UTF8)
        yield _compact(secret[::-1].encode(*_UTF8))
        yield data.hex().encode()
        for plain in (base64.b64encode(data), *(_base64(data, offset) for offset in range(3))):
            coded = plain.lower()
            yield from (coded, coded.replace(b"+", b"-").replace(b"/", b"_"))


def _base64(data: bytes, offset: int) -> bytes:
    """Return the characters that depend on `data` alone when it starts `offset` bytes in."""
    bits = 8 * (offset + len(data))
    return base64.b64encode(b"\0" * offset + data)[-(-8 * offset // 6) : bits // 6]


def _size(units: bytes, start: int, needle: bytes) -> int:
    """Return how much from `start` on is the needle or a part of it that must not be shown."""
    if units.startswith(needle, start):
        return len(needle)
    least, most = 0, len(needle)  # it starts with this much of the needle, and with less than that
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (
            (middle, most) if units.startswith(needle[:middle], start) else (least, middle)
        )
    if least >= PART or (least >= LONG and _CUT.match(units, start + least)):
        return least
    if least < LONG or not _END.match(units, start + least):
        return 0
    # `username` at the end of a sentence is no cut-off `username=me`
    is_word = _WORD.fullmatch(needle, 0, least) and not needle[least : least + 1].isalnum()
    return 0 if is_word else least


def _any_of(heads: Iterable[bytes]) -> re.Pattern[bytes]:
    """Return a pattern for any of `heads`, grouped by their first byte, which makes it fast."""
    rests: dict[bytes, list[bytes]] = defaultdict(list)
    for head in sorted(heads):
        rests[head[:1]].append(re.escape(head[1:]))
    groups = [re.escape(first) + b"(?:" + b"|".join(rest) + b")" for first, rest in rests.items()]
    return re.compile(b"|".join(groups) if groups else rb"(?!)")


def _compact(data: bytes) -> bytes:
    return _NOTHING.sub(b"", data).lower()


def _replaced(text: str, places: Iterable[tuple[int, int]]) -> str:
    """Return `text` with MASK for each of the sorted `places`; those that touch become one."""
    parts: list[str] = []
    done = 0
    for start, end in places:
        if start > done or not parts:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join([*parts, text[done:]])
