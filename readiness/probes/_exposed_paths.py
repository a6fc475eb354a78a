"""Well-known paths that should be closed -> the signature by which what they show is recognised.

A status alone proves nothing: many sites answer 200 to every path.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from readiness.probes._answer import Answer

Group = Literal["secrets", "operations", "docs"]
_SEARCHED = 256 << 10
"""Characters in which a pattern is looked for: the loop must not stand still meanwhile."""
_MASKED = re.compile(r"\*{3,}")


@dataclass(frozen=True)
class Listed:
    """One path of the list, below a service's URL or at its origin's root."""

    group: Group
    path: str
    what: str
    shows: Callable[[Answer], bool]


def _matches(pattern: str) -> Callable[[Answer], bool]:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda answer: bool(compiled.search(answer.text[:_SEARCHED]))


def _holds(*texts: str) -> Callable[[Answer], bool]:
    return lambda answer: all(text in answer.text for text in texts)


def _object(answer: Answer) -> dict[str, Any]:
    """Return the JSON object that the body is, an empty one if it is none."""
    if not answer.body.lstrip().startswith(b"{"):
        return {}
    try:
        data = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _assigns(answer: Answer) -> bool:
    """Whether the body is lines of NAME=value, comments aside."""
    if answer.html or _object(answer):
        return False
    lines = [text.strip() for text in answer.text.splitlines()[:1000]]
    lines = [text for text in lines if text and not text.startswith("#")]
    assigned = [text for text in lines if re.match(r"(export\s+)?[A-Za-z_]\w{0,99}\s*=", text)]
    named = any(re.match(r"(export\s+)?[A-Z_][A-Z0-9_]{0,99}\s*=", text) for text in assigned)
    return named and lines[0] in assigned and 2 * len(assigned) >= len(lines)


def _property_sources(answer: Answer) -> list[Any]:
    sources = _object(answer).get("propertySources")
    return sources if isinstance(sources, list) else []


def _tells_values(answer: Answer) -> bool:
    """Whether some value is told: since Spring Boot 3 all are masked unless configured else."""
    values = [
        entry.get("value")
        for source in _property_sources(answer)
        if isinstance(source, dict) and isinstance(source.get("properties"), dict)
        for entry in source["properties"].values()
        if isinstance(entry, dict)
    ]
    return any(v is not None and not _MASKED.fullmatch(str(v)) for v in values)


def _links_more_than_health(answer: Answer) -> bool:
    links = _object(answer).get("_links")
    if not isinstance(links, dict) or "self" not in links:
        return False
    harmless = ("self", "health", "health-path", "info")
    return "actuator" in answer.text and any(name not in harmless for name in links)


def _is_dump(answer: Answer) -> bool:
    disposition = answer.headers.get("content-disposition", "").lower()
    return answer.media_type == "application/octet-stream" or "hprof" in disposition


_DEBUG = (
    r"(?i)\b(debug(ger|ging| mode| toolbar|\"?\s{0,9}[:=])|goroutine|stack ?trace|heap|"
    r"environ(ment)?|settings|config|profil(e|er|ing)|memory|threads?)\b"
)
_API_PAGE = r"(?i)swagger-?ui|<redoc|redoc\.standalone|<rapi-doc|scalar/api-reference|elements-api"
_PROMETHEUS = re.compile(
    r"^(# (HELP|TYPE) \w|[a-zA-Z_:][\w:]{0,199}(\{[^{}\r\n]{0,999}\})? "
    r"[-+]?(\d[\d.e+-]{0,40}|NaN|[+-]?Inf)( -?\d{1,20})?\r?$)",
    re.MULTILINE,
)


def _is_metrics(answer: Answer) -> bool:
    return not answer.html and bool(_PROMETHEUS.search(answer.text))


HEAP_DUMP = Listed("secrets", "/actuator/heapdump", "a Java heap dump", _is_dump)
"""Asked by HEAD and with `LIVE`, apart from the rest."""
LIVE = "?live=readiness"
"""Spring answers a HEAD as a GET, and would halt to write the dump; this is no boolean, so that
it refuses with 400 whoever may have the dump, and does not write it."""

LISTED: tuple[Listed, ...] = (
    Listed(
        "secrets", "/.git/HEAD", "a Git repository", _matches(r"\A(ref: |[0-9a-f]{40,64}\s*\Z)")
    ),
    Listed("secrets", "/.git/config", "a Git configuration", _matches(r"^[ \t]{0,9}\[core\]")),
    Listed("secrets", "/.env", "environment variables", _assigns),
    Listed(
        "secrets",
        "/.svn/entries",
        "a Subversion working copy",
        _matches(r"\A(\d{1,2}\r?\n(\Z|\r?\n?dir\b)|<\?xml[^>]{0,99}>\s{0,9}<wc-entries)"),
    ),
    Listed("secrets", "/actuator/env", "configuration values", _tells_values),
    Listed("secrets", "/phpinfo.php", "phpinfo()", _holds("phpinfo()", "PHP Version")),
    Listed(
        "operations", "/actuator/env", "configuration names", lambda a: bool(_property_sources(a))
    ),
    Listed("operations", "/actuator", "actuator endpoints", _links_more_than_health),
    Listed("operations", "/metrics", "metrics", _is_metrics),
    Listed("operations", "/debug", "debug information", _matches(_DEBUG)),
    Listed(
        "operations",
        "/debug/pprof/",
        "Go profiles",
        _holds("/debug/pprof/", "profile", "goroutine"),
    ),
    Listed("operations", "/debug/vars", "Go variables", _matches(r"\"(memstats|cmdline)\"\s*:")),
    Listed(
        "operations",
        "/server-status",
        "the server's status",
        _matches(r"Apache (Server )?Status|\AActive connections: \d"),
    ),
    Listed(
        "operations",
        "/.DS_Store",
        "names of files",
        lambda answer: answer.body.startswith(b"\x00\x00\x00\x01Bud1"),
    ),
    Listed("docs", "/docs", "API documentation", _matches(_API_PAGE)),
    Listed(
        "docs",
        "/openapi.json",
        "an API description",
        lambda answer: bool({"openapi", "swagger"} & _object(answer).keys()),
    ),
)

AT_ROOT = ("/.git/HEAD", "/.env")
"""Of a service whose URL has a path, these are asked for at its origin's root as well."""
EXPECTABLE = frozenset(listed.path for listed in LISTED if listed.group != "secrets")
"""Paths that may be meant for everyone."""
