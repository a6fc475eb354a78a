"""Mermaid as its makers publish it (GitHub draws with version 11), and a report's diagrams."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "mermaid" / "package"
LIBRARY = next(FOLDER.glob("dist/mermaid.tiny.js"), None)
WITHOUT = "no Mermaid here: `make browser` fetches it with npm"


def diagrams(markdown: str) -> list[tuple[str, str]]:
    """Return the kind and the text of each diagram."""
    found = re.findall(r"^```mermaid\n(.*?)^```$", markdown, re.M | re.S)
    return [(text.partition("\n")[0], text) for text in found]
