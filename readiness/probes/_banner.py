"""The first words of a server, text or pattern -> whether it greets as expected, bounded."""

import re

from readiness.escape import line
from readiness.failure import ProbeError, classify
from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._wire import Wire

LIMIT = 256
"""Bytes of a greeting that are looked at."""
_CHOICES = 3
"""Repetitions and alternatives of a pattern together: what it costs grows with their power."""
_TOKENS = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<repeat>(?:[*+?]|\{\d*,?\d*\})[?]?)|(?P<other>.)",
    re.DOTALL,
)
_SHOWN = 60


class Expected:
    """What a greeting must begin with: a text, or between slashes a regular expression."""

    def __init__(self, written: str) -> None:
        """Raise ValueError for what is no expression, or one that might take long."""
        slashed = len(written) > 2 and written.startswith("/") and written.endswith("/")
        self._text = b"" if slashed else written.encode()
        if len(self._text) > LIMIT:
            raise ValueError(f"is longer than the {LIMIT} bytes that are looked at")
        self._pattern = _compiled(written[1:-1]) if slashed else None

    def is_met_by(self, data: bytes) -> bool | None:
        """Whether `data` begins as expected; None where that depends on what comes next."""
        if self._pattern:
            return True if self._pattern.match(data[:LIMIT].decode("latin-1")) else None
        if data.startswith(self._text):
            return True
        return None if self._text.startswith(data) else False


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile `pattern` if it cannot keep this process busy, whatever it is matched with.

    Repeated are single characters and sets only, so that no time grows exponentially. A byte
    beyond ASCII is written as in `\\xff`.
    """
    before, choices = "", 0
    for token in _TOKENS.finditer(pattern):
        text, kind = token[0], token.lastgroup
        if kind == "repeat" and before in (")", "repeat"):
            raise ValueError("repeat single characters or [sets] only, no (groups)")
        if (kind == "escape" and text[1].isdigit()) or (before == "(" and text.startswith("?")):
            raise ValueError("use neither (?...) nor back-references")
        choices += kind == "repeat" or text == "|"
        before = "repeat" if kind == "repeat" else text
    if choices > _CHOICES:
        raise ValueError(f"use at most {_CHOICES} of * + ? {{}} and | in all")
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, OverflowError):
        raise ValueError("is no regular expression") from None


async def fault(wire: Wire, expected: Expected, sent: bytes, context: Context) -> str:
    """Return what is wrong with the greeting that comes after `sent`, empty if nothing is.

    Silence and a connection that breaks are answers; no time left of our own is raised.
    """
    data = b""
    try:
        with within(context) as watch:
            watch.begin("banner")
            if sent:
                await wire.send(sent)
            while (met := expected.is_met_by(data)) is None and len(data) < LIMIT:
                if not (more := await wire.receive()):
                    return f"the server closed the connection {_after(data)}"
                data += more
    except (OSError, ProbeError) as error:
        failure = classify(error)
        if not failure.blames_target:
            raise
        return f"{failure.detail} {_after(data)}"
    return "" if met else f"the server begins with {_shown(data)}"


def _after(data: bytes) -> str:
    return f"after {_shown(data)}" if data else "before it said a word"


def _shown(data: bytes) -> str:
    return repr(line(data[:LIMIT].decode("utf-8", "replace"), _SHOWN))
