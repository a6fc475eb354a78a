"""Inventories with journeys, a real server that keeps things, and walks through it."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest

from readiness.inventory import Inventory
from readiness.ledger import Ledger
from readiness.measurement import Values
from readiness.probes import Context, journey
from readiness.probes._visitor import Visitor
from tests import servers

Step = Mapping[str, Any]
Answer = Callable[[servers.Request], bytes]

CREATE: Step = {
    "name": "create",
    "request": "POST /things",
    "json": {"name": "{{unique}}"},
    "capture": {"id": "$.id"},
    "creates": "thing {{unique}}",
}
READ: Step = {"name": "read", "request": "GET /things/{{id}}"}
DELETE: Step = {
    "name": "delete",
    "request": "DELETE /things/{{id}}",
    "always": True,
    "removes": "create",
}
GONE: Step = {"name": "gone", "request": "/things/{{id}}", "expect": {"status": 404}}
STEPS: Sequence[Step] = (CREATE, READ, DELETE, GONE)


class Things:
    """Keeps things; `instead` says which requests get another answer."""

    def __init__(self, instead: Mapping[str, bytes] | None = None) -> None:
        self.instead, self.kept, self.asked = dict(instead or {}), dict[str, str](), list[str]()

    def __call__(self, request: servers.Request) -> bytes:
        self.asked.append(f"{request.method} {request.target}")
        if self.asked[-1] in self.instead:
            return self.instead[self.asked[-1]]
        name = request.target.rpartition("/")[2]
        if request.method == "POST":
            self.kept[f"t{len(self.asked)}"] = json.loads(request.body)["name"]
            return servers.response(201, json.dumps({"id": f"t{len(self.asked)}"}))
        if name not in self.kept:
            return servers.response(404)
        if request.method == "DELETE":
            del self.kept[name]
        return servers.response(200, "{}")


class Held:
    """Answers as `answer` does, but keeps each DELETE waiting until `go` is set."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.reached, self.go = answer, asyncio.Event(), asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await servers.read_request(reader)
        assert request is not None
        if request.method == "DELETE":
            self.reached.set()
            await self.go.wait()
        writer.write(self.answer(request))


async def cancelled_while_removing(held: Held, task: "asyncio.Task[Any]") -> None:
    """Cancel `task` twice while its first DELETE is under way, then let the server answer."""
    await held.reached.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.wait([task], timeout=0.05)
    assert not task.done(), "it would have dropped what it was about"
    held.go.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def inventory(port: int, steps: Sequence[Step], **more: Any) -> Inventory:
    """Return an inventory of one service and one journey; `identities` are taken out of `more`."""
    return Inventory.model_validate(
        {
            "version": 1,
            "system": {"name": "it"},
            "services": {"it": {"kind": "http", "url": f"http://127.0.0.1:{port}"}},
            "identities": more.pop("identities", {}),
            "journeys": {"things": {"title": "Things", "service": "it", "steps": steps, **more}},
        }
    )


def lent(context: Context, of: Inventory, ledger: Ledger | None = None, **more: Any) -> Context:
    """Return `context` with an inventory and a ledger of its own."""
    return dataclasses.replace(context, inventory=of, ledger=ledger or Ledger(None, "it"), **more)


async def walked(context: Context) -> Values:
    """Return what the probe measures of the one journey."""
    [only] = context.inventory.journeys
    return await journey.measure(only, journey.Settings(), context)


def outcomes(values: Values) -> list[str]:
    """Return the outcome of each step in turn."""
    n = len([key for key in values if key.endswith(".outcome")])
    return [str(values[f"steps.{i}.outcome"]) for i in range(1, n + 1)]


@contextlib.asynccontextmanager
async def visitor(
    context: Context, answer: Answer, *steps: Step, **more: Any
) -> AsyncIterator[tuple[Visitor, servers.Web]]:
    """Yield who can take `steps`, each by its place, and the server that is asked."""
    web = servers.Web(answer)
    async with servers.serving(web) as port:
        of = inventory(port, steps, **more)
        [only] = of.journeys
        yield Visitor(lent(context, of), of, only.service, only.identity, "1"), web
