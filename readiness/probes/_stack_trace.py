"""The text of an error page -> which kind of stack trace or debugger it shows, if any."""

import re

_FIRST, _LAST = 128 << 10, 32 << 10
"""Characters that are looked at: the loop must not stand still for a hostile page.

Django says at the end of its page that it is one for debugging.
"""

_FAR = 300
"""Characters that may be between two words of a PHP error."""
_PHP = "a PHP error with its file"
_PHP_WORDS = re.compile(
    r"(?P<kind>(?:Fatal error|Parse error|Warning|Notice): )|(?P<place> in )| on line \d"
)
_BREAK = re.compile(r"[\r\n]")
_SIGNATURES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("a Django debug page", r"<code>DEBUG = True</code>"),
        ("the Werkzeug debugger", r"Werkzeug Debugger|__debugger__"),
        ("a Python traceback", r"Traceback \(most recent call last\)"),
        (
            "a Java stack trace",
            r"at [\w$./]{1,200}(?:<init>)?\([\w$]{1,100}\.(?:java|kt|scala|groovy):\d{1,6}\)",
        ),
        (
            "a Node.js stack trace",
            r"\((?:file://|node:|/|[A-Za-z]:\\)[^\s()<>]{1,200}:\d{1,6}:\d{1,6}\)"
            r"|at (?:async )?(?:file://|node:|/|[A-Za-z]:\\)[^\s()<>]{1,200}:\d{1,6}:\d{1,6}",
        ),
        (
            "a .NET stack trace",
            r"at [\w.`+<>\[\],]{1,200}\([^()\r\n]{0,200}\) in [^\r\n]{1,200}:line \d"
            r"|<b>Stack Trace:</b>|An unhandled exception occurred while processing the request",
        ),
        (
            _PHP,
            r"on line <b>\d|#0 [^\s()]{1,200}\(\d{1,6}\): "
            r"|\"file\": ?\"[^\"\r\n]{1,300}\", ?\"line\": ?\d",
        ),
        ("the Whoops debugger", r"class=\"Whoops container\"|Whoops! There was an error"),
        ("the Laravel debugger", r"window\.ignite\(|Illuminate\\\\?[A-Z]\w{1,60}\\"),
        ("a Ruby stack trace", r"\.rb:\d{1,6}:in (?:[`']|&#)"),
        ("a Rails debug page", r"Rails\.root: |Action Controller: Exception caught"),
        ("a Go stack trace", r"goroutine \d{1,9} \[[a-z]|\.go:\d{1,6} \+0x[0-9a-f]"),
        ("a Rust panic", r"thread '[^'\r\n]{1,80}' panicked at"),
        (
            "a database error",
            r"SQLSTATE\[|You have an error in your SQL syntax|ORA-\d{5}: |PG::\w{3,40}Error"
            r"|(?:sqlite3|psycopg2?|sqlalchemy\.exc)\.\w{3,40}(?:Error|Exception)",
        ),
    )
)


def found_in(text: str) -> str | None:
    """Return what the text shows, for a sentence, or None."""
    searched = text if len(text) <= _FIRST + _LAST else f"{text[:_FIRST]}\n{text[-_LAST:]}"
    found = (name for name, pattern in _SIGNATURES if pattern.search(searched))
    return next(found, _PHP if _php_notice(searched) else None)


def _php_notice(text: str) -> bool:
    """Whether a line says `Warning: what in file on line 3`, told in one pass over the text.

    One pattern for all of it would try every `in` of a hostile line anew for every `Warning`.
    """
    kind = place = began = -_FAR - 1
    for found in _PHP_WORDS.finditer(text):
        start, end = found.span()
        if found["kind"]:
            kind = end
        elif found["place"]:
            began, place = (kind, end) if 0 < start - kind <= _FAR else (began, place)
        elif 0 < start - place <= _FAR and not _BREAK.search(text, began, start):
            return True
    return False
