"""Whether a session ends with its logout, is renewed by login and refresh, and is kept safe."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from readiness.failure import ProbeError
from readiness.inventory import NOBODY, SAFE, Inventory, Journey, Service, Step, Tier
from readiness.measurement import Values
from readiness.probes import Context, Named, ProbeSettings, _session_cookie, _session_refresh
from readiness.probes._session_door import Door, door_of
from readiness.probes._session_renewal import Session, certain, judged, renewal, uncertain
from readiness.probes._visit import NotReached, journey_called, step_called, take, visit, visitor_of

TIER: Tier = "write"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "logout_invalidates": "true or false: what showed the session is refused after its logout",
    "login_renews": "true or false: login gives a new session id to who brings an old one",
    **_session_refresh.METRICS,
    **_session_cookie.METRICS,
}
_REFUSALS = ("logout_invalidates", "refresh_reuse_refused")
_SECONDS = 180.0
_FINDINGS = ("cookie_flagged", "cookie_short_lived", "login_renews")


class Settings(ProbeSettings):
    """Which journey has the session, and which of its steps do what."""

    journey: str = Field(description="a journey that logs in")
    show: str = Field(description="its step that only who has a session passes, such as GET /me")
    logout: str | None = Field(None, description="its step that ends the session")
    refresh: str | None = Field(None, description="its step that renews the session")
    refresh_token: str | None = Field(
        None, description="the variable of the refresh token, where its name says not so"
    )

    @property
    def at_most_seconds(self) -> float:
        """Part of ProbeSettings."""
        return _SECONDS

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        yield ("journey",), self.journey, [j.name for j in inventory.journeys], "journey"
        steps = inventory.steps_of(self.journey)
        for key in ("show", "logout", "refresh"):
            if step := getattr(self, key):
                yield (key,), step, steps, "step"


@dataclass(frozen=True)
class _Walk:
    journey: Journey
    show: Step
    settings: Settings
    context: Context


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Log in at most five times: to log out, to refresh, with cookies of before, as controls."""
    try:
        journey = journey_called(settings.journey, context.inventory)
        walk = _Walk(journey, step_called(settings.show, journey), settings, context)
        values, first = await _first(walk)
    except NotReached as error:
        if error.failure and service.name in journey.depends_on:
            raise ProbeError(error.failure.kind, error.failure.detail) from error
        return {f"{metric}_because": error.because for metric in METRICS}
    values |= await _refreshed(walk) if settings.refresh else {}
    cookies = await _cookies(walk, first)
    if "login_renews" in cookies:
        return values | cookies  # someone could log in after all else
    return await _controlled(walk, values | cookies)


async def _first(walk: _Walk) -> tuple[Values, Session]:
    """Find the session's cookies and what to plant in their place, then log out."""
    async with visit(walk.journey, walk.show.name, walk.context) as visitor:
        door = await door_of(walk.journey, walk.show, visitor)
        needed = await _session_cookie.session_cookies(door)
        cookies_set, out = tuple(visitor.cookies_set), walk.settings.logout
        values = await _logged_out(walk, out, door) if out else {}
        ids = _session_cookie.ids(needed or {})
        given = await _given(walk) if ids else []
        planted = _session_cookie.planted(door, ids, given)
        return values, Session(needed, cookies_set, door.asked.to.tls, *planted)


async def _cookies(walk: _Walk, first: Session) -> Values:
    """Judge the session's cookies, and where they are found wanting, whether they are of it."""
    if first.needed is None:
        return uncertain("nobody knows which of the cookies the session hangs on")
    kept = await _renewed(walk, first) if first.planted else None
    values = judged(first, first.needed) | renewal(kept)
    if not any(values.get(name) is False for name in _FINDINGS):
        return values
    try:
        async with visit(walk.journey, walk.show.name, walk.context) as visitor:
            again = visitor.asked[walk.show.name]
    except NotReached as error:
        because = f"whether each login gets the same cookie is not known: {error.because}"
        sure = _session_cookie.named_so(first.needed)
        return uncertain(because) | (judged(first, sure) if sure else {})
    return certain(first, kept, again)


async def _given(walk: _Walk) -> list[str]:
    """Return the cookies that a stranger gets who takes the first steps, before any login."""
    visitor = visitor_of(walk.journey, walk.context, f"stranger-{secrets.token_hex(3)}")
    for step in walk.journey.steps:
        if step.name == walk.show.name or step.method not in SAFE:
            break
        if visitor.name_at(step) != NOBODY or (await visitor.take(step)).outcome != "passed":
            break
    return visitor.cookies_set


async def _logged_out(walk: _Walk, name: str, door: Door) -> Values:
    """Log out, then show what showed the session before."""
    metric, asked = "logout_invalidates", door.asked
    step = step_called(name, walk.journey)
    if unknown := _session_refresh.missing(step, door.visitor):
        return {f"{metric}_because": unknown}
    taken = await take(walk.journey, step, door.visitor)
    if taken.outcome != "passed":
        return {f"{metric}_because": f"{step.shown}, the logout itself, {taken.told}"}
    seen = await door.knock(asked)
    said = f"{walk.show.shown} {seen.said} after {step.shown} to what had shown the session before"
    if seen.state == "alive":
        return {metric: False, f"{metric}_because": said}
    return {metric: True} if seen.state == "refused" else {f"{metric}_because": said}


async def _refreshed(walk: _Walk) -> Values:
    try:
        step = step_called(walk.settings.refresh or "", walk.journey)
        async with visit(walk.journey, walk.show.name, walk.context) as visitor:
            token = walk.settings.refresh_token
            return await _session_refresh.refreshed(walk.journey, step, token, visitor)
    except NotReached as error:
        return _session_refresh.told(error.because)


async def _renewed(walk: _Walk, first: Session) -> Sequence[str] | str:
    """Log in as someone whose browser was given cookies by an attacker.

    Returns the names of those that stayed as they were, or why that is not known.
    """
    try:
        async with visit(walk.journey, walk.show.name, walk.context, first.cookies) as visitor:
            return _session_cookie.kept(visitor.asked[walk.show.name], first.planted)
    except NotReached as error:
        return f"who brings an old cookie cannot log in: {error.because}"


async def _controlled(walk: _Walk, values: Values) -> Values:
    """Log in once more: where nobody can in the end, refusals before it prove nothing."""
    refusals = [name for name in _REFUSALS if values.get(name) is True]
    if not refusals:
        return values
    try:
        async with visit(walk.journey, walk.show.name, walk.context):
            return values
    except NotReached as error:
        because = f"in the end nobody could log in: {error.because}"
        kept = {name: value for name, value in values.items() if name not in refusals}
        return {**kept, **{f"{name}_because": because for name in refusals}}
