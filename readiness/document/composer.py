"""YAML text -> plain data and the line of every node, whatever the text is meant to do to us."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NoReturn

import yaml

from readiness.document.complaint import Place, named
from readiness.document.scalar import plain, unprintable

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 50_000

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Mistake(ValueError):
    """What is wrong with a YAML text, on which 1-based line, and how to mend it."""

    def __init__(self, what: str, fix: str, line: int) -> None:
        super().__init__(what)
        self.what, self.fix, self.line = what, fix, line


def compose(raw: bytes) -> tuple[Any, dict[Place, int]]:
    """Return the data in the UTF-8 text `raw` and the line of each place in it; raise Mistake.

    Scalars are those of YAML 1.2's core schema: `on` and `no` are text, as are dates and `22:22`.
    Refused: tags, anchors, aliases, merge keys, duplicate keys, keys that are no scalars, several
    documents, and more than MAX_BYTES, MAX_DEPTH or MAX_NODES.
    """
    text = decoded(raw, MAX_BYTES)
    parser: Any = yaml.parse(text, Loader=LOADER)
    with closing(parser) as events:
        composer = _Composer(events)
        try:
            return composer.document(), composer.lines
        except yaml.YAMLError as error:
            raise syntax(error, text) from None


def decoded(raw: bytes, most: int) -> str:
    """Return `raw`, at most `most` bytes of UTF-8 without control characters, as text."""
    if len(raw) > most:
        fix = "Split it, or name another."
        raise Mistake(f"the file is larger than {most >> 20} MiB", fix, 1)
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Mistake("this line is not UTF-8 text", "Save the file as UTF-8.", line) from None
    at = unprintable(text)
    if at is not None:
        fix = "Remove it, and save the file as UTF-8."
        raise Mistake("this line holds a control character", fix, text.count("\n", 0, at) + 1)
    return text


class _Composer:
    """Builds plain data from YAML events, which come one by one however deep the text nests.

    (PyYAML's own composers recurse first and ask later: 50,000 levels end the process.)
    """

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.lines: dict[Place, int] = {}
        self.nodes = 0

    def document(self) -> Any:
        next(self.events)  # the start of the stream
        start = next(self.events)
        first = start if isinstance(start, yaml.StreamEndEvent) else next(self.events)
        self.lines[()] = line_of(first)
        data = None if first is start else self.node(first, ())
        if data is None:
            self.fail(first, "the file is empty", "Write at least one key into it.")
        next(self.events)  # the end of the document
        end = next(self.events)
        if not isinstance(end, yaml.StreamEndEvent):
            self.fail(end, "a second document starts here", "Keep one document to a file.")
        return data

    def node(self, event: Any, place: Place) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.fail(event, f"the file holds more than {MAX_NODES} values", "Split it.")
        if len(place) >= MAX_DEPTH:
            self.fail(event, f"the file nests deeper than {MAX_DEPTH} levels", "Flatten it.")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            fix = "Write the value out, or put quotes around text that starts with & or *."
            self.fail(event, "anchors and aliases are not supported", fix)
        if event.tag is not None:
            fix = "Remove it, or put quotes around text that starts with !."
            self.fail(event, "tags are not supported", fix)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(place)
        return self.scalar(event)

    def mapping(self, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            here = (*place, key)
            if key in found:
                first = self.lines[here]
                what = f"{named(here)} is written twice, first on line {first}"
                self.fail(event, what, "Remove or rename one of them.")
            self.lines[here] = line_of(event)
            found[key] = self.node(next(self.events), here)
        return found

    def sequence(self, place: Place) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = (*place, len(found))
            self.lines[here] = line_of(event)
            found.append(self.node(event, here))
        return found

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            fix = "Write plain text before the colon, and put quotes around values with { or [."
            self.fail(event, "a key must be plain text", fix)
        self.node(event, ())
        if event.value == "<<":
            self.fail(event, "merge keys are not supported", "Write the keys out.")
        if not event.value:
            self.fail(event, "a key is empty", "Write a name before the colon.")
        return str(event.value)

    def scalar(self, event: Any) -> Any:
        if unprintable(event.value) is not None:
            self.fail(event, "the text holds a control character", "Remove it.")
        if not event.implicit[0]:
            return event.value
        try:
            return plain(event.value)
        except ValueError as error:
            self.fail(event, str(error), "Put quotes around it if it is text.")

    def fail(self, event: Any, what: str, fix: str) -> NoReturn:
        raise Mistake(what, fix, line_of(event))


def line_of(event: Any) -> int:
    """Return the 1-based line on which a YAML event starts."""
    return int(event.start_mark.line) + 1


_HINTS = {
    "tab": "Indent with spaces, not tabs.",
    r"cannot start any token": "Put quotes around text that starts with @, ` or %.",
    r"mapping values are not allowed": "Put quotes around a value with ': ', or indent this line.",
    r"expected ',' or": "Close the bracket, and put quotes around values with {, } or $.",
    r"unexpected end of stream": "Close the quotes.",
}


def syntax(error: yaml.YAMLError, text: str) -> Mistake:
    """Return what the parser's `error` says of `text`, in words for people."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "it cannot be read"
    if mark and text[mark.index : mark.index + 1] == "\t":
        problem = "a tab stands where only spaces may"
    hints = (hint for pattern, hint in _HINTS.items() if re.search(pattern, problem))
    other = "Check indentation, quotes and brackets on this line and the one before."
    return Mistake(
        f"this is not valid YAML: {problem}", next(hints, other), mark.line + 1 if mark else 1
    )
