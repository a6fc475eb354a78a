"""The text of a web page -> its script, meta and base tags, in linear time whatever the markup."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

_NEXT = re.compile(r"<!--|<(script|meta|base)\b([^<>]{0,4096})>", re.IGNORECASE)
_SCRIPT_END = re.compile("</script", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
_INTEGRITY = re.compile(r"sha(?:256|384|512)-[A-Za-z0-9+/]")
_MOST = 128 << 10
"""Characters of tags that are looked at: the loop must not stand still for a hostile page."""
_CODE = frozenset({"", "module", "text/javascript", "application/javascript"})


@dataclass(frozen=True)
class Tag:
    """One start tag. Names of attributes are in lower case."""

    name: str
    attributes: Mapping[str, str]


def read(text: str) -> tuple[tuple[Tag, ...], bool]:
    """Return the tags that count, and whether they are all or there were too many to look at."""
    tags: list[Tag] = []
    left = _MOST
    for found in _tags(text):
        left -= len(found[0])
        if left < 0:
            return tuple(tags), False
        tags.append(Tag(found[1].lower(), _attributes(found[2])))
    return tuple(tags), True


def _tags(text: str) -> Iterator[re.Match[str]]:
    """Yield the tags, without those in comments and in the text of scripts."""
    at = 0
    while found := _NEXT.search(text, at):
        at = found.end()
        if not found[1]:
            end = text.find("-->", at)
            at = len(text) if end < 0 else end
            continue
        yield found
        if found[1].lower() == "script":
            closed = _SCRIPT_END.search(text, at)
            at = closed.end() if closed else len(text)


def declared(tags: tuple[Tag, ...], header: str) -> list[str]:
    """Return what meta tags say in place of the response header `header`."""
    return [
        tag.attributes.get("content", "")
        for tag in tags
        if tag.name == "meta" and tag.attributes.get("http-equiv", "").lower() == header
    ]


def foreign_scripts(tags: tuple[Tag, ...], url: str) -> dict[str, bool]:
    """Return host -> whether every script of it is pinned by Subresource Integrity.

    Of scripts from other sites than that of `url` alone; a subdomain is the same site.
    """
    base = next((t.attributes["href"] for t in tags if t.name == "base" and _has(t, "href")), "")
    at, own = _joined(url, base), _host(url)
    pinned: dict[str, bool] = {}
    for tag in tags:
        if tag.name != "script" or not _has(tag, "src") or not _is_code(tag):
            continue
        host = _host(_joined(at, tag.attributes["src"]))
        if host and _site(host) != _site(own):
            integrity = tag.attributes.get("integrity", "").strip()
            pinned[host] = pinned.get(host, True) and bool(_INTEGRITY.match(integrity))
    return pinned


def _attributes(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text):
        value = match[2] or match[3] or match[4] or ""
        found.setdefault(match[1].lower(), html.unescape(value))
    return found


def _has(tag: Tag, name: str) -> bool:
    return bool(tag.attributes.get(name, "").strip())


def _is_code(tag: Tag) -> bool:
    return tag.attributes.get("type", "").strip().lower() in _CODE


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url.strip())
    except ValueError:  # a bracket that is no IPv6 address
        return ""


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip(".") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _site(host: str) -> str:
    """Return the registrable domain, as well as that can be told without the list of suffixes."""
    labels = host.split(".")
    if re.fullmatch(r"[\d.]+|.*:.*", host) or len(labels) < 3:
        return host
    shared = len(labels[-1]) == 2 and len(labels[-2]) <= 3  # co.uk, com.au
    return ".".join(labels[-3 if shared else -2 :])
