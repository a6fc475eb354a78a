"""A Vega-Lite specification -> SVG that stands in the page and takes its colours from it."""

import hashlib
import importlib.util
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from readiness.escape import html
from readiness.report.words import Sign

Spec = Mapping[str, Any]
Piece = dict[str, Any]
"""Of a specification, while it is made."""

VERSION = "6.4"
"""Of Vega-Lite; the library holds several, so that drawings stay as they were tested."""

TEXT, FAINT, LINE, PANEL, ACCENT = (
    f"var(--{name})" for name in ("text", "faint", "line", "panel", "accent")
)
HALO: Piece = {"color": "var(--page)", "stroke": "var(--page)", "strokeWidth": 4}
"""Behind a text that stands on something drawn."""
COLOURS: Mapping[Sign, str] = {
    **{sign: f"var(--{sign})" for sign in ("good", "fair", "bad", "unknown")},
    "none": FAINT,
}
_AXIS = {
    "labelColor": FAINT,
    "titleColor": FAINT,
    "titleFontWeight": "normal",
    "labelFontSize": 11,
    "titleFontSize": 11,
    "gridColor": LINE,
    "gridOpacity": 0.6,
    "domain": False,
    "ticks": False,
    "labelPadding": 6,
}
_CONFIG = {
    "aria": False,
    "background": None,
    "font": "Liberation Sans",  # it is in the library, so that texts are as wide everywhere
    "view": {"stroke": None},
    "axis": _AXIS,
    "text": {"color": TEXT, "fontSize": 11},
    "legend": {"disable": True},
}
_CLIP = re.compile(r"(?<=[\"#])clip\d+(?=[\")])")
"""The library numbers on through the life of the process."""
_OWN = re.compile(r'<(\w+)(?: (?:class|role|aria-[a-z]+|pointer-events)="[^"]*")+')
"""What the library's own viewer needs; read aloud is the label of the whole drawing."""
_ROOT = re.compile(r'<svg [^>]*?width="(\d+)" height="(\d+)" viewBox="([^"]+)">')


def available() -> bool:
    """Return whether the library is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def drawn(spec: Spec, label: str, name: str) -> Markup:
    """Return the drawing of `spec` as inline SVG of class `name`, read out as `label`."""
    import vl_convert

    whole = {"padding": 4, **spec, "config": _CONFIG}
    svg = vl_convert.vegalite_to_svg(whole, vl_version=VERSION, allowed_base_urls=[])
    root = _ROOT.match(svg)
    assert root
    svg = svg[root.end() :]
    digest, met = _digest(spec, label), {found: n for n, found in enumerate(_CLIP.findall(svg))}
    svg = _OWN.sub(r"<\1", svg)
    svg = _CLIP.sub(lambda found: f"clip-{digest}-{met[found[0]]}", svg)
    opened = (
        f'<svg class="{name}" role="img" aria-label="{html(label)}" '
        f'width="{root[1]}" height="{root[2]}" viewBox="{root[3]}">'
    )
    return Markup(opened + svg)


def _digest(spec: Spec, label: str) -> str:
    """Name what a drawing refers to: alike at each rendering, unlike any other drawing's."""
    return hashlib.sha256(f"{label}\n{spec}".encode()).hexdigest()[:8]


def values(*rows: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `rows` as data of a specification."""
    return {"values": list(rows)}
