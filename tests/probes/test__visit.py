"""A journey held at one of its steps: what is lent, and that all is taken away however it ends."""

import asyncio
import dataclasses
import time
from typing import Any

import pytest

from readiness.failure import ProbeError
from readiness.inventory import Inventory, Journey
from readiness.ledger import Ledger
from readiness.probes import Context
from readiness.probes._visit import NotReached, journey_called, visit
from tests import servers
from tests.journeys import Held, Things, cancelled_while_removing

pytestmark = pytest.mark.anyio

STEPS: list[dict[str, Any]] = [
    {
        "name": "create",
        "request": "POST /things",
        "json": {"name": "{{unique}}"},
        "capture": {"id": "$.id"},
        "creates": "thing {{unique}}",
    },
    {"name": "read", "request": "GET /things/{{id}}"},
    {"name": "rename", "request": "PUT /things/{{id}}", "json": {"name": "{{unique}}"}},
    {"name": "delete", "request": "DELETE /things/{{id}}", "always": True, "removes": "create"},
    {"name": "gone", "request": "GET /things/{{id}}", "expect": {"status": 404}},
]


def breaking(*requests: str) -> Things:
    """Return a system of things that answers 500 to `requests`."""
    return Things({request: servers.response(500) for request in requests})


def lent(context: Context, port: int, **more: Any) -> Context:
    """Return `context` with an inventory of one service and one journey."""
    inventory = Inventory.model_validate(
        {
            "version": 1,
            "system": {"name": "it"},
            "services": {"it": {"kind": "http", "url": f"http://127.0.0.1:{port}"}},
            "journeys": {"things": {"title": "Things", "service": "it", "steps": STEPS, **more}},
        }
    )
    return dataclasses.replace(context, inventory=inventory, ledger=Ledger(None, "it"))


def things(context: Context) -> Journey:
    return journey_called("things", context.inventory)


async def test_whoever_walked_is_lent_at_the_step_and_then_cleans_up(context: Context) -> None:
    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        context = lent(context, port)
        async with visit(things(context), "read", context) as visitor:
            assert server.asked == ["POST /things", "GET /things/t1"]
            assert server.kept["t1"].startswith("readiness-test-v")
            assert visitor.asked["read"].to.path == "/things/t1"
            assert visitor.context.deadline < context.deadline
            [entry] = context.ledger.book.left
            assert entry.what == f"thing {server.kept['t1']}"
    assert server.asked[2:] == ["DELETE /things/t1"]
    assert not context.ledger.book.left


async def test_two_visits_do_not_meet(context: Context) -> None:
    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        context = lent(context, port)
        async with (
            visit(things(context), "create", context),
            visit(things(context), "create", context),
        ):
            assert len(set(server.kept.values())) == 2
            assert len(context.ledger.book.left) == 2
    assert server.kept == {}
    assert not context.ledger.book.left


async def test_a_step_that_is_not_reached_is_told_and_cleaned_up_after(context: Context) -> None:
    server = breaking("GET /things/t1")
    async with servers.serving(servers.Web(server)) as port:
        context = lent(context, port)
        with pytest.raises(NotReached) as caught:
            async with visit(things(context), "rename", context):
                pytest.fail("it was not reached")
    assert caught.value.because == (
        "things, step 2 of 5, read on it: GET /things/{{id}} answered 500, expected 2xx"
    )
    assert caught.value.failure is None
    assert server.asked == ["POST /things", "GET /things/t1", "DELETE /things/t1"]
    assert not context.ledger.book.left


async def test_no_answer_is_told_as_the_targets_failure(context: Context) -> None:
    async with servers.refusing() as port:
        context = lent(context, port)
        with pytest.raises(NotReached) as caught:
            async with visit(things(context), "create", context):
                pytest.fail("it was not reached")
    assert caught.value.failure is not None
    assert caught.value.failure.kind == "refused"
    assert context.ledger.book.left == (), "nothing was sent"


async def test_an_error_in_the_block_flies_after_cleaning_up(context: Context) -> None:
    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        context = lent(context, port)
        with pytest.raises(ZeroDivisionError):
            async with visit(things(context), "create", context):
                raise ZeroDivisionError
    assert server.asked == ["POST /things", "DELETE /things/t1"]


async def test_a_cancelled_visit_cleans_up(context: Context) -> None:
    server, inside = Things(), asyncio.Event()

    async def hold(context: Context) -> None:
        async with visit(things(context), "create", context):
            inside.set()
            await asyncio.Event().wait()

    async with servers.serving(servers.Web(server)) as port:
        context = lent(context, port)
        task = asyncio.create_task(hold(context))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert server.asked == ["POST /things", "DELETE /things/t1"]
    assert not context.ledger.book.left


async def test_a_visit_that_is_cancelled_while_it_cleans_up_drops_nothing(
    context: Context,
) -> None:
    held = Held(server := Things())

    async def look(context: Context) -> None:
        async with visit(things(context), "create", context):
            pass

    async with servers.serving(held) as port:
        context = lent(context, port)
        await cancelled_while_removing(held, asyncio.create_task(look(context)))
    assert server.kept == {}
    assert not context.ledger.book.left


async def test_a_visit_that_a_group_and_a_deadline_end_together_cleans_up(
    context: Context,
) -> None:
    held = Held(server := Things())

    async def hold(context: Context) -> None:
        async with (
            asyncio.timeout_at(time.monotonic() + 0.4),
            visit(things(context), "create", context),
        ):
            await asyncio.Event().wait()

    async def group(context: Context) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hold(context))

    async with servers.serving(held) as port:
        context = lent(context, port)
        await cancelled_while_removing(held, asyncio.create_task(group(context)))
    assert server.kept == {}
    assert not context.ledger.book.left


async def test_a_visit_without_the_time_to_clean_up_sends_nothing(context: Context) -> None:
    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        context = dataclasses.replace(lent(context, port), deadline=time.monotonic() + 0.2)
        with pytest.raises(ProbeError, match="too little time") as caught:
            async with visit(things(context), "create", context):
                pytest.fail("it was begun")
    assert caught.value.failure.kind == "deadline"
    assert server.asked == []


async def test_a_visit_that_takes_too_long_is_ended_in_time_to_clean_up(context: Context) -> None:
    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        soon = time.monotonic() + 1.5
        context = dataclasses.replace(lent(context, port), timeout=1.0, deadline=soon)
        with pytest.raises(ProbeError) as caught:
            async with visit(things(context), "create", context):
                await asyncio.Event().wait()
    assert caught.value.failure.kind == "deadline"
    assert server.kept == {}


async def test_a_clean_up_that_fails_leaves_its_entry(context: Context) -> None:
    server = breaking("DELETE /things/t1")
    async with servers.serving(servers.Web(server)) as port:
        context = lent(context, port)
        async with visit(things(context), "create", context):
            pass
    assert len(context.ledger.book.left) == 1


async def test_nothing_is_sent_without_the_write_tier(context: Context) -> None:
    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        context = dataclasses.replace(lent(context, port), allowed=frozenset({"observe"}))
        with pytest.raises(ProbeError) as caught:
            async with visit(things(context), "create", context):
                pytest.fail("it was not allowed")
    assert caught.value.failure.kind == "not_allowed"
    assert server.asked == []


async def test_a_step_or_journey_that_is_not_there_is_named(context: Context) -> None:
    context = lent(context, 1)
    with pytest.raises(NotReached, match="the journey things has no step called fetch"):
        async with visit(things(context), "fetch", context):
            pytest.fail("there is none")
    with pytest.raises(NotReached, match="the inventory has no journey called files"):
        journey_called("files", context.inventory)
