"""The schemas of CI files that check-jsonschema brings along, by the name it knows them by."""

import functools
import json
from importlib.resources import files
from typing import Any


@functools.cache
def builtin(name: str) -> dict[str, Any]:
    """Return a schema: `github-actions`, `github-workflows` or `gitlab-ci`."""
    folder = files("check_jsonschema") / "builtin_schemas" / "vendor"
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return found
