"""Whether a session ends with its logout, is renewed by login and refresh, and is kept safe."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from readiness.failure import ProbeError
from readiness.inventory import NOBODY, SAFE, Inventory, Journey, Service, Step, Tier
from readiness.measurement import Values
from readiness.probes import Context, Named, ProbeSettings, _session_cookie, _session_refresh
from readiness.probes._access import listed
from readiness.probes._cookies import Cookies
from readiness.probes._session_door import Door, door_of
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
    """Log in at most four times: to log out, to refresh, with cookies of before, as a control."""
    try:
        journey = journey_called(settings.journey, context.inventory)
        walk = _Walk(journey, step_called(settings.show, journey), settings, context)
        first, cookies, planted = await _first(walk)
    except NotReached as error:
        if error.failure and service.name in journey.depends_on:
            raise ProbeError(error.failure.kind, error.failure.detail) from error
        return {f"{metric}_because": error.because for metric in METRICS}
    values = {**first, **(await _refreshed(walk) if settings.refresh else {})}
    if planted:
        values |= await _renewed(walk, cookies, planted)
        if "login_renews" in values:
            return values  # which is the control as well
    return await _controlled(walk, values)


async def _first(walk: _Walk) -> tuple[Values, Cookies, dict[str, str]]:
    """Look at the session's cookies, then log out; return the cookies to plant as well."""
    async with visit(walk.journey, walk.show.name, walk.context) as visitor:
        door = await door_of(walk.journey, walk.show, visitor)
        needed = await _session_cookie.session_cookies(door)
        tls = door.asked.to.tls
        values = _session_cookie.judged(needed, visitor.cookies_set, tls=tls)
        if walk.settings.logout:
            values |= await _logged_out(walk, walk.settings.logout, door)
        ids = _session_cookie.ids(needed)
        given = await _given(walk) if ids else []
        return values, *_session_cookie.planted(door, ids, given)


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


async def _renewed(walk: _Walk, cookies: Cookies, planted: Mapping[str, str]) -> Values:
    """Log in as someone whose browser was given `cookies` by an attacker."""
    try:
        async with visit(walk.journey, walk.show.name, walk.context, cookies) as visitor:
            kept = _session_cookie.kept(visitor.asked[walk.show.name], planted)
    except NotReached as error:
        return {"login_renews_because": f"who brings an old cookie cannot log in: {error.because}"}
    if kept:
        because = f"login keeps the value of {listed(kept)} that was brought along"
        return {"login_renews": False, "login_renews_because": because}
    return {"login_renews": True}


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
