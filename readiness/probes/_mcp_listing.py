"""Page after page of tools/list -> the tools as the server wrote them, and whether that was all."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from readiness.failure import ProbeError

MOST_PAGES = 20
MOST_TOOLS = 2_000
_SHOWN = 60

Page = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""The parameters of tools/list -> its result; raises ProbeError."""


@dataclass(frozen=True)
class Listing:
    """What was read of a server's tools.

    `looped` says how the pages never end, `cut` why reading stopped before the last.
    """

    tools: tuple[Any, ...]
    looped: str = ""
    cut: str = ""

    @property
    def whole(self) -> bool:
        """Whether these are all the tools."""
        return not self.looped and not self.cut

    @property
    def named(self) -> list[tuple[str, dict[str, Any]]]:
        """Each tool that has a name, with it; a name may come twice."""
        return [
            (tool["name"], tool)
            for tool in self.tools
            if isinstance(tool, dict) and isinstance(tool.get("name"), str)
        ]

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the first tool of that name."""
        return next((tool for own, tool in self.named if own == name), None)


async def read(page: Page) -> Listing:
    """Read the pages; a cursor that comes again ends it, as it would never end by itself."""
    tools: list[Any] = []
    seen: set[str] = set()
    cursor: str | None = None
    for number in range(1, MOST_PAGES + 1):
        result = await page({} if cursor is None else {"cursor": cursor})
        listed = result.get("tools")
        if not isinstance(listed, list):
            raise ProbeError("protocol", "the result of tools/list holds no list of tools")
        tools += listed
        following = result.get("nextCursor")
        if following is None:
            return Listing(tuple(tools))
        if not isinstance(following, str):
            return Listing(tuple(tools), looped=f"the cursor of page {number} is no text")
        if following in seen:
            return Listing(tuple(tools), looped=f"page {number} gives an earlier cursor again")
        seen.add(following)
        cursor = following
        if len(tools) > MOST_TOOLS:
            return Listing(tuple(tools), cut=f"reading stopped after {len(tools)} tools")
    return Listing(tuple(tools), cut=f"reading stopped after {MOST_PAGES} pages, there are more")


def shown(name: str) -> str:
    """Return a tool's name fit to be shown."""
    return json.dumps(name)[1:-1][:_SHOWN] or "(no name)"
