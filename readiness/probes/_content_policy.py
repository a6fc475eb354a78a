"""Content-Security-Policy as it was sent -> what it leaves open to injected scripts and frames."""

from collections.abc import Iterable, Mapping
from itertools import islice

Policy = Mapping[str, tuple[str, ...]]
"""Directive in lower case -> its sources in lower case; of directives named twice the first."""

_SCRIPTS: tuple[tuple[str, ...], ...] = (
    ("script-src-elem", "script-src", "default-src"),
    ("script-src-attr", "script-src", "default-src"),
)
_EVAL = ("script-src", "default-src")
_ANY_HOST = frozenset({"*", "http:", "https:", "http://*", "https://*"})
_INLINE, _EVALUATED, _ANYWHERE = "inline scripts", "eval", "scripts of any host"
_MOST = 500
"""Policies that are looked at: the loop must not stand still for a header of commas."""
_PROVEN = ("'nonce-", "'sha256-", "'sha384-", "'sha512-")


def read(headers: Iterable[str]) -> tuple[Policy, ...]:
    """Return the policies in `headers`; one header may hold several, parted by commas."""
    texts = (text for header in headers for text in header.split(","))
    return tuple(policy for text in islice(texts, _MOST) if (policy := _policy(text)))


def scripts_left_open(policies: Iterable[Policy]) -> tuple[str, ...]:
    """Return the ways in which injected scripts run, empty if each is closed by some policy.

    After W3C CSP Level 3: every policy must allow what is to run; 'unsafe-inline' is void beside
    a nonce, a hash or 'strict-dynamic', hosts are void beside 'strict-dynamic'. Without any
    policy, all ways are open.
    """
    ways = {_INLINE, _EVALUATED, _ANYWHERE}
    for policy in policies:
        ways &= _ways(policy)
    return tuple(sorted(ways))


def script_directive(policy: Policy) -> str:
    """Return the directive that governs scripts, as text; empty if there is none."""
    name = next((n for n in ("script-src-elem", *_EVAL) if n in policy), "")
    return " ".join((name, *policy[name])) if name else ""


def frames_restricted(policies: Iterable[Policy]) -> bool | None:
    """Whether some policy names who may frame the page; None if no policy speaks of frames."""
    lists = [policy["frame-ancestors"] for policy in policies if "frame-ancestors" in policy]
    return any(_ANY_HOST.isdisjoint(sources) for sources in lists) if lists else None


def _policy(text: str) -> Policy:
    policy: dict[str, tuple[str, ...]] = {}
    for directive in text.lower().split(";"):
        name, *sources = directive.split() or [""]
        if name:
            policy.setdefault(name, tuple(sources))
    return policy


def _ways(policy: Policy) -> set[str]:
    if "sandbox" in policy and "allow-scripts" not in policy["sandbox"]:
        return set()
    ways = set().union(*(_of_list(_sources(policy, names)) for names in _SCRIPTS))
    evaluated = _sources(policy, _EVAL)
    return ways | ({_EVALUATED} if evaluated is None or "'unsafe-eval'" in evaluated else set())


def _sources(policy: Policy, names: Iterable[str]) -> tuple[str, ...] | None:
    return next((policy[name] for name in names if name in policy), None)


def _of_list(sources: tuple[str, ...] | None) -> set[str]:
    if sources is None:
        return {_INLINE, _ANYWHERE}
    dynamic = "'strict-dynamic'" in sources
    proven = dynamic or any(source.startswith(_PROVEN) for source in sources)
    ways = set()
    if ("'unsafe-inline'" in sources and not proven) or ("data:" in sources and not dynamic):
        ways.add(_INLINE)
    if not dynamic and not _ANY_HOST.isdisjoint(sources):
        ways.add(_ANYWHERE)
    return ways
