"""Whether a web page is served as it should be: status, expected text, title, size, latency."""

import contextlib
import html
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser

from pydantic import Field

from readiness.escape import line
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._answer import COLD_METRICS, Answer
from readiness.probes._http import exchange, public_path, target
from readiness.probes._sampling import sample

TIER: Tier = "observe"
KINDS = frozenset({"web", "http"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "status": "HTTP status of the page",
    "ok": "true or false: every request was answered 2xx with a whole page that is not empty",
    "text_found": "true or false: the expected text is on the page, where one is declared",
    "title": "the page's title, as it came",
    "has_title": "true or false: the page has a title that is not empty",
    "html": "true or false: the answer is a web page",
    "p50_ms": "ms: median of a whole exchange on a fresh connection, seven others under way",
    "p95_ms": "ms: 95th percentile of the same",
    "looks": "count: how often these samples were looked at, to end if they decide",
    **COLD_METRICS,
}
_MOST_SAMPLES = 80
_AT_ONCE = 8
_HEAD_SEARCHED = 64 << 10  # characters; the parser is quadratic on hostile markup
_LONGEST_TITLE = 200


class Settings(ProbeSettings):
    """What is expected of the page."""

    path: str | None = Field(
        None, pattern=r"^/\S*$", description="path of the page, the service's health path if absent"
    )
    text: str | None = Field(
        None, min_length=1, description="text that the page holds when it is served right"
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the page up to 80 times, each over a fresh connection; the first is looked into."""
    path = settings.path or service.health_path
    to = target(service, path)
    first = await exchange(context, to)
    outcomes = Counter([_outcome(first)])

    async def again() -> None:
        outcomes[_outcome(await exchange(context, to))] += 1

    timed = await sample(again, min(context.samples, _MOST_SAMPLES), context, _AT_ONCE)
    return {**_page(first, settings.text), **_ok(path, outcomes), **timed, **first.cold}


def _outcome(answer: Answer) -> str:
    """Return what is wrong with `answer`, empty if nothing is."""
    if not answer.ok:
        return answer.outcome
    if not answer.complete:
        return f"{answer.status} with a body that does not end within 1 MiB"
    return "" if answer.body.strip() else f"{answer.status} with an empty body"


def _ok(path: str, outcomes: Mapping[str, int]) -> Values:
    bad = {outcome: n for outcome, n in outcomes.items() if outcome}
    if not bad:
        return {"ok": True}
    listed = ", ".join(f"{outcome} ({n} of {sum(outcomes.values())})" for outcome, n in bad.items())
    return {"ok": False, "ok_because": f"GET {public_path(path)} answered {listed}"}


def _page(answer: Answer, expected: str | None) -> Values:
    text = answer.text
    title = _title(text) if answer.html else ""
    values: Values = {
        "status": answer.status,
        "html": answer.html,
        "title": title,
        "has_title": bool(title),
    }
    if not answer.html:
        values["html_because"] = f"the body is {answer.media_type or 'of no declared type'}"
    if expected is not None:
        values["text_found"] = expected in text or expected in _unescaped(text)
        if not values["text_found"]:
            values["text_found_because"] = _missing(answer)
    if answer.ok:
        return values
    lost = {name for name in ("has_title", "text_found") if values.get(name) is False}
    kept = {name: value for name, value in values.items() if name not in lost}
    return kept | {f"{name}_because": f"it is {answer.outcome}" for name in lost}


def _missing(answer: Answer) -> str:
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        return "the page is compressed, although it was asked for as it is"
    where = "the page" if answer.complete else "the first 1 MiB of the page"
    return f"the expected text is not in {where}"


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character reference of thousands of digits
        return text


class _Title(HTMLParser):
    """Keeps the text of the first title element."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._state = "before"

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "title" and self._state == "before":
            self._state = "inside"

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._state = "after"

    def handle_data(self, data: str) -> None:
        if self._state == "inside":
            self.text += data


def _title(text: str) -> str:
    parser = _Title()
    with contextlib.suppress(AssertionError, ValueError):
        # it gives up on broken markup so; a title further down than this is none
        parser.feed(text[:_HEAD_SEARCHED])
    return line(parser.text, _LONGEST_TITLE)
