"""Mermaid as its makers publish it, and the diagrams in a Markdown report."""

import re
from pathlib import Path

VERSION = "11.17.2"
"""GitHub draws with version 11."""
FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "mermaid" / "package"
LIBRARY = next(FOLDER.glob("dist/mermaid.tiny.js"), None)
WITHOUT = "no Mermaid here: `make mermaid` fetches it with npm"


def diagrams(markdown: str) -> list[tuple[str, str]]:
    """Return the kind and the text of each diagram."""
    found = re.findall(r"^```mermaid\n(.*?)^```$", markdown, re.M | re.S)
    return [(text.partition("\n")[0], text) for text in found]
