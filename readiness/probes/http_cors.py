"""Which other sites' scripts a browser lets read the service's answers, and with whose cookies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from readiness.escape import line
from readiness.failure import Failure
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._answer import Answer
from readiness.probes._http import Target, public_path, target
from readiness.probes._round import Round

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
BEARS_COMPANY = True
"""Whether many may run at once: it times nothing."""
METRICS: Mapping[str, str] = {
    "strangers_refused": "true or false: no foreign origin is allowed together with credentials",
    "any_origin": "true or false: answers are for every origin, without credentials",
    "void_wildcard": "true or false: * comes with credentials, a pair that browsers ignore",
    "reflects_origin": "true or false: the origin that is allowed depends on the one that asks",
    "vary_origin": "true or false: such answers tell caches so, by Vary: Origin or no-store",
    "allowed_origins_accepted": "true or false: every declared origin is allowed",
}
STRANGER = "https://readiness-probe.example"
"""An origin that nobody can have: .example is reserved (RFC 2606)."""
_SHOWN = 3
_TRICKED = 2

Origin = Annotated[str, Field(pattern=r"^([a-z][a-z0-9+.-]*://[^\s/,?#@]{1,253}|null)$")]


class Settings(ProbeSettings):
    """Which answers are looked at, and whose scripts are meant to read them."""

    path: str | None = Field(
        None, pattern=r"^/\S*$", description="path to ask, the service's health path if absent"
    )
    origins: tuple[Origin, ...] | None = Field(
        None,
        min_length=1,
        max_length=10,
        description="origins that must be allowed, as in `https://app.example.com`",
    )


@dataclass(frozen=True)
class _Asked:
    """What was answered to one origin."""

    method: str
    path: str
    origin: str
    answer: Answer | Failure

    @property
    def allowed(self) -> str:
        """Access-Control-Allow-Origin; a preflight allows nothing unless it is 2xx (Fetch)."""
        if isinstance(self.answer, Failure) or (self.method == "OPTIONS" and not self.answer.ok):
            return ""
        return self.answer.headers.get("access-control-allow-origin", "").strip()

    @property
    def credentials(self) -> bool:
        """Whether cookies may be sent along: the word is case-sensitive (Fetch)."""
        if isinstance(self.answer, Failure):
            return False
        return self.answer.headers.get("access-control-allow-credentials", "").strip() == "true"

    @property
    def reflected(self) -> bool:
        """Whether the very origin that asked is allowed."""
        return self.allowed == self.origin

    @property
    def doubt(self) -> str:
        """Why the answer proves nothing where it allows nothing; empty if it does."""
        if isinstance(self.answer, Failure):
            return f"{self.method} {self.path}: {self.answer.kind}: {self.answer.detail}"
        status = self.answer.status
        if self.method == "OPTIONS" and status in (404, 405, 501):
            return ""  # no preflight is answered, so that none is granted
        if status in (404, 410, 429) or status >= 500:
            return f"{self.method} {self.path} answered {self.answer.outcome}"
        return ""

    @property
    def vary(self) -> bool:
        """Whether no cache gives this answer to another origin."""
        assert isinstance(self.answer, Answer)
        varies, stored = (_words(self.answer, name) for name in ("vary", "cache-control"))
        return bool({"origin", "*"} & varies) or "no-store" in stored


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask as some foreign origins, by GET and by preflight, and as the declared ones by GET.

    Raises ProbeError where neither of the first two requests is answered.
    """
    path = settings.path or service.health_path
    to, shown = target(service, path), public_path(path)
    declared, round_ = settings.origins or (), Round(context)
    strange: list[_Asked] = []
    for origin in _strangers(to, declared):
        for method in ("GET", "OPTIONS"):
            answer = await round_.ask(to, method=method, headers=_headers(method, origin))
            strange.append(_Asked(method, shown, origin, answer))
    ours = [
        _Asked("GET", shown, origin, await round_.ask(to, headers=_headers("GET", origin)))
        for origin in declared
    ]
    return {
        **_refused(strange),
        **_wildcard(strange),
        **_varied([asked for asked in (*strange, *ours) if asked.method == "GET"]),
        **_accepted(ours),
    }


def _strangers(to: Target, declared: Sequence[str]) -> tuple[str, ...]:
    """Return foreign origins, and such as pass for allowed ones where a check is sloppy."""
    own = f"{'https' if to.tls else 'http'}://{to.host}"
    tricks = [trick for base in (own, *declared[:_TRICKED]) for trick in _tricks(base)]
    plain = [f"http://{to.authority}"] if to.tls else []
    found = dict.fromkeys((STRANGER, "null", *tricks, *plain))
    return tuple(origin for origin in found if origin not in declared)


def _tricks(origin: str) -> Iterator[str]:
    """Yield an origin that begins, and one that ends, as `origin` does."""
    scheme, separator, authority = origin.partition("://")
    host = authority.partition(":")[0]
    if separator and host and "[" not in authority:
        yield f"{scheme}://{host}.readiness-probe.example"
        yield f"{scheme}://readiness-probe-{host}"


def _headers(method: str, origin: str) -> dict[str, str]:
    """Return what a browser would send; some servers reflect the origin only beside a cookie."""
    if method == "OPTIONS":
        return {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    return {"Origin": origin, "Cookie": "readiness=probe"}


def _words(answer: Answer, name: str) -> set[str]:
    return {word.strip().lower() for word in answer.headers.get(name, "").split(",")}


def _refused(strange: Sequence[_Asked]) -> Values:
    metric = "strangers_refused"
    admitted = [asked for asked in strange if asked.reflected and asked.credentials]
    if admitted:
        listed = [f"{a.method} {a.path} allows {line(a.origin, 100)}" for a in admitted[:_SHOWN]]
        more = [f"{len(admitted) - _SHOWN} more"] if len(admitted) > _SHOWN else []
        told = "with Access-Control-Allow-Credentials: true, "
        return {metric: False, f"{metric}_because": told + "; ".join([*listed, *more])}
    return _unless_doubtful(strange, {metric: True}, metric)


def _wildcard(strange: Sequence[_Asked]) -> Values:
    void = next((a for a in strange if a.allowed == "*" and a.credentials), None)
    anyone = any(a.allowed == "*" for a in strange)
    good: Values = {"any_origin": anyone}
    values = good if anyone else _unless_doubtful(strange, good, "any_origin")
    if not void:
        return values | _unless_doubtful(strange, {"void_wildcard": False}, "void_wildcard")
    because = f"{void.method} {void.path} allows * with credentials, a pair that browsers ignore"
    return {**values, "void_wildcard": True, "void_wildcard_because": because}


def _varied(asked: Sequence[_Asked]) -> Values:
    """Judge answers whose allowed origin depends on who asks: a constant one needs no Vary."""
    reflecting = [a for a in asked if a.reflected and any(b.allowed != a.allowed for b in asked)]
    if not reflecting:
        return _unless_doubtful(asked, {"reflects_origin": False}, "reflects_origin")
    careless = next((a for a in reflecting if not a.vary), None)
    if not careless:
        return {"reflects_origin": True, "vary_origin": True}
    origin = line(careless.origin, 100)
    because = f"GET {careless.path} allows {origin}, which it was asked by, without Vary: Origin"
    return {"reflects_origin": True, "vary_origin": False, "vary_origin_because": because}


def _accepted(ours: Sequence[_Asked]) -> Values:
    metric = "allowed_origins_accepted"
    if not ours:
        return {f"{metric}_because": "no origin is declared"}
    clear = [a for a in ours if not a.doubt]
    shut = [line(a.origin, 100) for a in clear if not (a.reflected or a.allowed == "*")]
    if shut:
        because = f"GET {ours[0].path} does not allow {', '.join(shut[:_SHOWN])}"
        return {metric: False, f"{metric}_because": because}
    return _unless_doubtful(ours, {metric: True}, metric)


def _unless_doubtful(asked: Sequence[_Asked], good: Values, metric: str) -> Values:
    doubts = list(dict.fromkeys(a.doubt for a in asked if a.doubt))
    return {f"{metric}_because": line("; ".join(doubts[:_SHOWN]))} if doubts else good
