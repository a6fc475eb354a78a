"""The tools of a server -> what is wrong with them: schemas, names, hints, and what texts hide."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from readiness.measurement import Values
from readiness.probes import _mcp_schema
from readiness.probes._few import few
from readiness.probes._mcp_headers import header_fault
from readiness.probes._mcp_listing import Listing, shown
from readiness.probes._mcp_schema import Steps, TooMuch

METRICS: Mapping[str, str] = {
    "schemas_valid": "true or false: each input and output schema is valid in its dialect",
    "references_local": "true or false: no schema refers to another host or file",
    "names_valid": "true or false: each name has 1 to 128 of A-Z, a-z, 0-9, '_', '-', '.'",
    "names_unique": "true or false: no name comes twice",
    "described": "true or false: each tool has a description",
    "hints_consistent": "true or false: hints are truth values that do not contradict each other",
    "annotated": "ratio: tools that say whether they only read",
    "secrets_absent": "true or false: no text of a tool looks like a key, token or password",
    "text_visible": "true or false: no text of a tool hides characters from its reader",
}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_SECRETS = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{50,}\b|\bglpat-[A-Za-z0-9_-]{20,}\b"
    r"|\bsk-(?:ant-|proj-|live-)?[A-Za-z0-9_-]{32,}\b|\b[rs]k_live_[A-Za-z0-9]{20,}\b"
    r"|\bxox[abprs]-[A-Za-z0-9-]{20,}\b|\bAIza[A-Za-z0-9_-]{35}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,400}+\.eyJ[A-Za-z0-9_-]{10,2000}+\.[A-Za-z0-9_-]{20,}"
    r"|\b[a-z][a-z0-9+]{1,15}://[^\s/:@\"'<>{}$]{1,64}:[^\s/:@\"'<>{}$*]{6,64}@(?!example\b)"
)
"""Keys, tokens and URLs with a password, by forms that hardly anything else has."""
_EXAMPLE = re.compile(
    r"EXAMPLE|:(?:password|pass|passwd|secret|changeme|xxx+|\.\.\.)@|(.)\1{9}", re.IGNORECASE
)
"""What documentation writes in the place of a secret."""
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f")
"""The flag of a part of a country, the one honest use of tags."""
_HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
"""Changes of direction and tags, which a model reads and a person does not see."""


async def faults(listing: Listing, *, headers: bool) -> Values:
    """Return the values that METRICS describes; `headers` says whether the era has x-mcp-header."""
    named = listing.named
    values: Values = {
        **_told("names_valid", _bad_names(listing)),
        **_told("names_unique", _twice([name for name, _ in named])),
        **_told("described", (shown(n) for n, t in named if not _text(t.get("description")))),
        **_told("hints_consistent", (shown(n) for n, t in named if _contradicts(t))),
        **_told("secrets_absent", (shown(n) for n, t in named if _leaks(t))),
        **_told("text_visible", (shown(n) for n, t in named if _hides(t))),
        **await _schemas(named, headers=headers),
    }
    if listing.tools:
        values["annotated"] = sum(_is_annotated(tool) for _, tool in named) / len(listing.tools)
    return values


def _told(metric: str, culprits: Iterator[str]) -> Values:
    names = few(culprits, between=", ")
    values: Values = {metric: not names}
    return values | ({f"{metric}_because": names} if names else {})


def _bad_names(listing: Listing) -> Iterator[str]:
    for number, tool in enumerate(listing.tools, 1):
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(name, str):
            yield f"tool {number} has no name"
        elif not _NAME.fullmatch(name):
            yield shown(name)


def _twice(names: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield shown(name)
        seen.add(name)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _hints(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    found = tool.get("annotations")
    return found if isinstance(found, dict) else {}


def _contradicts(tool: Mapping[str, Any]) -> bool:
    """Whether hints are no truth values, or a tool that only reads is said to destroy."""
    hints = _hints(tool)
    if tool.get("annotations") is not None and not isinstance(tool["annotations"], dict):
        return True
    if any(not isinstance(hints[key], bool) for key in _HINTS if hints.get(key) is not None):
        return True
    return hints.get("readOnlyHint") is True and hints.get("destructiveHint") is True


def _is_annotated(tool: Mapping[str, Any]) -> bool:
    return isinstance(_hints(tool).get("readOnlyHint"), bool)


def _whole_text(tool: Mapping[str, Any]) -> str:
    return json.dumps(tool, ensure_ascii=False)


def _leaks(tool: Mapping[str, Any]) -> bool:
    return any(not _EXAMPLE.search(one[0]) for one in _SECRETS.finditer(_whole_text(tool)))


def _hides(tool: Mapping[str, Any]) -> bool:
    return bool(_HIDDEN.search(_FLAG.sub("", _whole_text(tool))))


async def _schemas(named: list[tuple[str, dict[str, Any]]], *, headers: bool) -> Values:
    steps = Steps()
    wrong, unknown, remote = [], [], []
    for name, tool in named:
        await asyncio.sleep(0)  # what else is under way goes on between tools
        try:
            wrong += [f"{shown(name)}: {one}" for one in _wrong(tool, steps, headers=headers)]
            remote += [shown(name)] if _is_remote(tool) else []
        except TooMuch as error:
            unknown.append(f"not tested: a schema of {shown(name)} is too much, {error}")
    values = _told("schemas_valid", iter(wrong)) | _told("references_local", iter(remote))
    if unknown:
        for metric in ("schemas_valid", "references_local"):
            if values[metric]:  # a fault that was found remains one
                del values[metric]
                values[f"{metric}_because"] = few(unknown, 1)
    return values


def _wrong(tool: Mapping[str, Any], steps: Steps, *, headers: bool) -> Iterator[str]:
    fault = _mcp_schema.fault(tool.get("inputSchema"), steps, must_be_object=True)
    if fault is None and headers:
        fault = header_fault(tool["inputSchema"])
    if fault:
        yield f"inputSchema {fault}"
    if tool.get("outputSchema") is not None:
        # before 2026-07-28 its type had to be object as well; the newer rule is the wider one
        fault = _mcp_schema.fault(tool["outputSchema"], steps, must_be_object=not headers)
        if fault:
            yield f"outputSchema {fault}"


def _is_remote(tool: Mapping[str, Any]) -> bool:
    return any(_mcp_schema.remote(tool.get(key)) for key in ("inputSchema", "outputSchema"))
