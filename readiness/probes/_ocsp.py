"""An OCSP response that a server stapled -> what is wrong with it (RFC 6960, section 4.2.1).

Its signature is not verified, and no responder is ever asked.
"""

from collections.abc import Mapping
from datetime import datetime

from readiness.probes._der import ENUMERATED, OCTET_STRING, SEQUENCE, Element, only

_STATUSES: Mapping[int, str] = {
    1: "the responder found the request malformed",
    2: "the responder had an internal error",
    3: "the responder says to try later",
    5: "the responder demands a signed request",
    6: "the responder refused the request",
}
_GOOD, _REVOKED = 0x80, 0xA1


def fault(response: bytes, serial: int, now: datetime) -> str:
    """Return why `response` does not say that certificate `serial` is good, empty if it does."""
    try:
        return _fault(response, serial, now)
    except (ValueError, IndexError):
        return "the stapled OCSP response is malformed"


def _fault(response: bytes, serial: int, now: datetime) -> str:
    status, *rest = only(response, SEQUENCE).inner
    if status.tag != ENUMERATED:
        raise ValueError("no status")
    if status.number:
        said = _STATUSES.get(status.number, "the responder gave an unknown status")
        return f"the stapled OCSP response is none: {said}"
    single = _single(rest[0], serial)
    if single is None:
        return "the stapled OCSP response is for another certificate"
    _, state, begins, *later = single.inner
    if state.tag != _GOOD:
        word = "revoked" if state.tag == _REVOKED else "unknown to its responder"
        return f"the stapled OCSP response says that the certificate is {word}"
    return _out_of_date(begins, later, now)


def _single(answer: Element, serial: int) -> Element | None:
    """Return the part of the answer that is about certificate `serial`."""
    _, octets = only(answer.content, SEQUENCE).inner
    if octets.tag != OCTET_STRING:
        raise ValueError("no answer")
    told = only(octets.content, SEQUENCE).inner[0].inner
    responses = next(each for each in (*told, Element(0, b"")) if each.tag in (SEQUENCE, 0))
    if not responses.tag:
        raise ValueError("no responses")
    return next((r for r in responses.inner if r.inner[0].inner[3].number == serial), None)


def _out_of_date(begins: Element, later: list[Element], now: datetime) -> str:
    if begins.time > now:
        return "the stapled OCSP response is of the future"
    ends = [each.inner[0].time for each in later if each.tag == 0xA0]
    if ends and ends[0] < now:
        return f"the stapled OCSP response expired on {ends[0]:%Y-%m-%d}"
    return ""
