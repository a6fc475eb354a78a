"""The text of an error page -> which kind of stack trace or debugger it shows, if any."""

import re

SEARCHED = 256 << 10
"""Characters that are looked at."""

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
            "a PHP error with its file",
            r"on line <b>\d|(?:Fatal error|Parse error|Warning|Notice): [^\r\n]{1,300} in "
            r"[^\r\n]{1,200} on line \d|#0 [^\s()]{1,200}\(\d{1,6}\): "
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
    searched = text[:SEARCHED]
    return next((name for name, pattern in _SIGNATURES if pattern.search(searched)), None)
