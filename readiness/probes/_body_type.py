"""One answer -> whether its Content-Type is right for its body."""

import codecs
import json
import re

from readiness.probes._answer import Answer

_BINARY_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_META_CHARSET = re.compile(rb"<meta\s[^<>]{0,200}charset\s*=", re.IGNORECASE)
_META_SEARCHED = 1024
"""Bytes in which HTML must declare its charset (WHATWG, section 4.2.5.4)."""
_JSON = re.compile(
    r"(application|text)/([\w.-]+\+)?json|[\w.-]+/[\w.-]+\+json|application/x-ndjson"
)


def type_fault(answer: Answer) -> str:
    """Return what is wrong with its type, for a sentence; empty if nothing is.

    JSON needs no charset (RFC 8259, section 11), and text of ASCII reads alike in any.
    """
    if not answer.body:
        return ""
    if not answer.media_type:
        return "which leaves browsers to guess the type"
    if _is_json(answer) and not _JSON.fullmatch(answer.media_type):
        return "but the body is JSON"
    if _starts_as_html(answer.body) and answer.media_type not in _HTML:
        return "but the body is HTML"
    return _charset_fault(answer)


_HTML = ("text/html", "application/xhtml+xml", "text/plain")
"""Types that fit a document which starts as HTML: text/plain shows its source on purpose."""


def _is_json(answer: Answer) -> bool:
    if not answer.complete or answer.body.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(answer.text)
    except (ValueError, RecursionError):
        return False
    return True


def _starts_as_html(body: bytes) -> bool:
    return body[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _charset_fault(answer: Answer) -> str:
    if not answer.media_type.startswith("text/"):
        return ""
    declared = re.search(
        r"charset\s*=\s*\"?([\w.:-]{1,40})", answer.headers["content-type"], re.IGNORECASE
    )
    if declared:
        return "but the body is not in that charset" if _garbled(answer, declared[1]) else ""
    if answer.body.startswith(_BINARY_MARKS):
        return ""
    if answer.media_type == "text/html":
        named = _META_CHARSET.search(answer.body[:_META_SEARCHED])
        return "" if named else "and neither it nor the page names a charset"
    return "" if answer.body.isascii() else "which names no charset for text that is not ASCII"


def _garbled(answer: Answer, charset: str) -> bool:
    if charset.lower() not in ("utf-8", "utf8", "us-ascii", "ascii") or not answer.complete:
        return False
    try:
        answer.body.decode(charset)
    except UnicodeDecodeError:
        return True
    return False
