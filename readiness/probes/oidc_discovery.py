"""Whether what an OpenID provider or authorization server publishes of itself is right and safe."""

import ipaddress
import json
import re
from collections.abc import Mapping

from pydantic import Field

from readiness.failure import Failure
from readiness.inventory import Service, Tier
from readiness.inventory.url import fault, split
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _issuer_metadata, _jwks
from readiness.probes._answer import Answer
from readiness.probes._http import Target, attempt, exchange, public_path, target

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "discovered": "true or false: the discovery document is a JSON object, answered with 200",
    **_issuer_metadata.METRICS,
    "tls_expected": "true or false: the service is https, or http on a public host",
    "keys_published": "true or false: the document names a jwks_uri",
    "keys_answered": "true or false: the jwks_uri answers with a key set",
    **_jwks.METRICS,
}
_PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".test", ".lan", ".home.arpa")
_OAUTH = "oauth-authorization-server"
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON can hold and no request."""


class Settings(ProbeSettings):
    """Where the document is, and whose it should be."""

    path: str = Field(
        "/.well-known/openid-configuration",
        pattern=r"^/\S*$",
        description="path of the document, below the service's URL",
    )
    issuer: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#@]+$",
        description="the issuer as clients are given it, the service's URL if absent",
    )
    jwks_uri: str | None = Field(
        None,
        pattern=r"^https?://[^\s#@]+$",
        description="where the keys are, to have them asked for at another host than the service's",
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the document, then the keys where they are the service's own or declared.

    Both are for everyone: nothing of the URL's credentials is sent.
    """
    answer = await exchange(context, target(service, settings.path, anonymous=True))
    expected = {"tls_expected": _tls_expected(service)}
    document, because = _document(answer, settings.path)
    if not isinstance(document, dict):
        discovered = {} if _tells_nothing(answer) else {"discovered": False}
        return {
            **expected,
            **discovered,
            "discovered_because": because,
            **_issuer_metadata.untold(because),
            **_no_keys(because),
        }
    issuer = settings.issuer or service.address
    verdicts = _issuer_metadata.verdicts(
        document,
        issuer,
        declared=settings.issuer is not None,
        openid=_OAUTH not in settings.path,
    )
    keys = await _keys(document.get("jwks_uri"), service, settings, context)
    return {**expected, "discovered": True, **verdicts, **keys}


def _document(answer: Answer, path: str) -> tuple[object, str]:
    """Return what JSON the answer holds, or None and why there is none."""
    asked = f"GET {public_path(path)} answered"
    if answer.status != 200:
        return None, f"{asked} {answer.outcome}"
    if answer.packed:
        return None, f"{asked} with a compressed body, although it was asked for as it is"
    if not answer.complete:
        return None, f"{asked} with a body that does not end within 1 MiB"
    try:
        document = json.loads(answer.text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return None, f"{asked} with {'a web page' if answer.html else 'no valid JSON'}"
    return document, "" if isinstance(document, dict) else f"{asked} with JSON that is no object"


def _tells_nothing(answer: Answer) -> bool:
    """Whether the answer is a failure or a limit of the moment, or cannot be read."""
    return answer.status in (408, 429) or answer.status >= 500 or (answer.ok and answer.packed)


def _tls_expected(service: Service) -> bool:
    parts = split(service.url.get_secret_value())
    return parts.scheme == "https" or not _private(parts.hostname or "")


def _private(host: str) -> bool:
    """Whether `host` is no public one: a private address, a name of a local network."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_private
    except ValueError:
        return "." not in host or host.lower().endswith(_PRIVATE_ENDINGS)


async def _keys(uri: object, service: Service, settings: Settings, context: Context) -> Values:
    if not isinstance(uri, str) or not uri:
        return {"keys_published": False, **_no_keys("the document names no jwks_uri")}
    to = _place(uri, service, settings)
    if isinstance(to, str):
        return {"keys_published": True, **_no_keys(to)}
    return {"keys_published": True, **await _asked(to, context)}


def _place(uri: str, service: Service, settings: Settings) -> Target | str:
    """Return where to ask for the keys, or why not to.

    The document is the server's word: it leads to no host that the inventory does not name. At
    the declared issuer's host, the service itself is asked, which is the same seen from here.
    """
    if _SURROGATE.search(uri) or fault(uri, "http") or split(uri).username is not None:
        return "the jwks_uri is no URL that can be asked"
    if settings.jwks_uri == uri or _origin(uri) == _origin(service.address):
        base = uri
    elif settings.issuer and _origin(uri) == _origin(settings.issuer):
        base = service.address
    else:
        return "the keys are at another host: declare it as jwks_uri to have them asked for"
    scheme, host, port = _origin(base)
    bracketed = f"[{host}]" if ":" in host else host
    origin = Service.model_validate(
        {"name": service.name, "kind": "http", "url": f"{scheme}://{bracketed}:{port}"}
    )
    parts = split(uri)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return target(origin, path, anonymous=True)


def _origin(url: str) -> tuple[str, str, int]:
    parts = split(url)
    return (
        parts.scheme,
        parts.hostname or "",
        parts.port or (443 if parts.scheme == "https" else 80),
    )


async def _asked(to: Target, context: Context) -> Values:
    answer = await attempt(context, to)
    if isinstance(answer, Failure):
        known = {} if answer.kind in ("timeout", "reset") else {"keys_answered": False}
        return {**known, **_no_keys(f"the jwks_uri gave no answer ({answer.detail})")}
    document, because = _document(answer, to.path)
    listed = _jwks.keys(document)
    if listed is None:
        known = {} if _tells_nothing(answer) else {"keys_answered": False}
        return {**known, **_no_keys(because or f"GET {public_path(to.path)} gave no key set")}
    return {"keys_answered": True, **_jwks.verdicts(listed)}


def _no_keys(because: str) -> Values:
    return {"keys_answered_because": because, **_jwks.untold(because)}
