"""The result of a tool -> its texts, and what in it is not as it was expected."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from readiness.inventory import Expect
from readiness.probes import _expectation
from readiness.probes._answer import Answer


def texts(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of the unstructured part."""
    content = result.get("content")
    for item in content if isinstance(content, list) else ():
        if isinstance(item, dict) and isinstance(item.get("text"), str):
            yield item["text"]


def unmet(expect: Expect, result: Mapping[str, Any]) -> list[str]:
    """Return which conditions the structured part does not meet, as those of an HTTP body."""
    if "structuredContent" not in result:
        return ["the result has no structuredContent"]
    body = json.dumps(result["structuredContent"]).encode()
    answer = Answer(200, "HTTP/1.1", {}, body, True, {}, None)
    return _expectation.unmet(expect, answer, {})
