"""What the probe says of a journey: outcomes, rates, reasons, and what is left behind."""

import asyncio
import contextlib
import dataclasses
import json
import time
from typing import Any

import pytest

from readiness.estimate import Estimate
from readiness.failure import ProbeError
from readiness.ledger import Ledger
from readiness.probes import Context
from tests import servers
from tests.journeys import (
    CREATE,
    DELETE,
    GONE,
    READ,
    STEPS,
    Held,
    Things,
    cancelled_while_removing,
    inventory,
    lent,
    outcomes,
    walked,
)

pytestmark = pytest.mark.anyio

LOGIN = {"request": "POST /login", "json": {"user": "ann", "password": "hunter22"}}


async def test_a_journey_that_works_says_so_and_leaves_nothing(context: Context) -> None:
    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, STEPS)))
    assert values["succeeded"] is True
    assert values["left_nothing"] is True
    assert (values["rounds"], values["steps_passed"], values["stays"]) == (1, 1.0, 0)
    assert outcomes(values) == ["passed"] * 4
    assert values["steps.1.request"] == "POST /things"
    assert values["steps.1.answered"] == "201, application/json, 12 bytes"
    assert values["steps.4.expected"] == "404"
    assert isinstance(values["round_ms"], float)
    assert server.kept == {}


async def test_the_first_failure_is_told_and_later_steps_are_not_reached(context: Context) -> None:
    server = Things({"GET /things/t1": servers.response(500, '{"error": "no space"}')})
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, STEPS)))
    assert values["succeeded"] is False
    assert values["succeeded_because"] == (
        "step 2 of 4, read on it: GET /things/{{id}} answered 500: no space, expected 2xx"
    )
    assert outcomes(values) == ["passed", "failed", "passed", "not reached"]
    assert values["steps_passed"] == 0.5
    assert values["left_nothing"] is True
    assert server.kept == {}


async def test_keys_of_json_are_filled_as_values_are(context: Context) -> None:
    sent: list[Any] = []

    def answer(request: servers.Request) -> bytes:
        sent.append(json.loads(request.body))
        return servers.response(200, "{}")

    publish = {
        "name": "publish",
        "request": "POST /packages",
        "json": {"files": {"{{run}}.tgz": "{{run}}"}},
    }
    async with servers.serving(servers.Web(answer)) as port:
        values = await walked(lent(context, inventory(port, [publish])))
    assert values["succeeded"] is True
    assert sent == [{"files": {f"{context.run_id}.tgz": context.run_id}}]


@pytest.mark.parametrize("patience", [{"timeout": 20}, {"expect": {"time": "20s"}}, {}])
async def test_a_step_waits_as_long_as_its_service_or_itself_says(
    context: Context, patience: dict[str, Any]
) -> None:
    hasty = dataclasses.replace(context, timeout=0.2)
    step = {"name": "slow", "request": "/slow", "expect": patience.get("expect", {})}

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.4)  # until the client gives up
        writer.write(servers.response(200, "{}"))

    async with servers.serving(late) as port:
        of = inventory(port, [step])
        if "timeout" in patience:
            service = of.services[0].model_copy(update={"timeout": 20.0})
            of = of.model_copy(update={"services": (service,)})
        values = await walked(lent(hasty, of))
    assert values["succeeded"] is bool(patience)


async def test_a_success_rate_is_over_all_rounds(context: Context) -> None:
    asked = 0

    def answer(request: servers.Request) -> bytes:
        nonlocal asked
        asked += 1
        return servers.response(200 if asked % 4 else 503)

    async with servers.serving(servers.Web(answer)) as port:
        of = inventory(port, [{"name": "look", "request": "/"}], repeat=8)
        values = await walked(lent(context, of))
    rate = values["success_rate"]
    assert isinstance(rate, Estimate)
    assert (rate.value, rate.n) == (0.75, 8)
    assert rate.low is not None and rate.low < 0.75
    assert str(values["succeeded_because"]).endswith("(in 2 of 8 rounds)")
    assert outcomes(values) == ["failed"], "the round that failed is shown"


async def test_no_round_more_is_begun_that_could_not_end(context: Context) -> None:
    limits = {"success_rate": (0.9999, 0.999)}
    async with servers.serving(servers.Web(Things())) as port:
        of = inventory(port, STEPS, repeat=2, deadline="3s")
        values = await walked(dataclasses.replace(lent(context, of), limits=limits))
    assert values["succeeded"] is True and int(str(values["rounds"])) > 2


GET = {"name": "look", "request": "/things"}


@pytest.mark.parametrize("why", ["stays", "observe"])
async def test_who_must_not_be_asked_for_more_is_not(context: Context, why: str) -> None:
    step = {**CREATE, "stays": "the log keeps it"} if why == "stays" else GET
    of_tiers: dict[str, Any] = {"allowed": frozenset({"observe"})} if why == "observe" else {}
    async with servers.serving(servers.Web(Things())) as port:
        lend = lent(context, inventory(port, [step], repeat=3, deadline="3s"), **of_tiers)
        limits = {"success_rate": (0.9999, 0.999)}
        values = await walked(dataclasses.replace(lend, limits=limits))
    assert values["rounds"] == 3


async def test_each_round_has_names_of_its_own(context: Context) -> None:
    server, named = Things(), list[str]()

    def answer(request: servers.Request) -> bytes:
        if request.method == "POST":
            named.append(json.loads(request.body)["name"])
        return server(request)

    async with servers.serving(servers.Web(answer)) as port:
        await walked(lent(context, inventory(port, STEPS, repeat=2)))
    assert named == ["readiness-test-1", "readiness-test-2"]


async def test_a_service_that_is_down_fails_the_journey_and_owes_nothing(context: Context) -> None:
    async with servers.refusing() as port:
        lend = lent(context, inventory(port, STEPS))
        values = await walked(lend)
    assert values["succeeded"] is False
    assert "refused" in str(values["succeeded_because"])
    assert values["left_nothing"] is True
    assert lend.ledger.book.left == ()


async def test_a_refused_creation_owes_nothing_and_removes_nothing(context: Context) -> None:
    refusal = servers.response(409, '{"id": "theirs"}')
    server = Things({"POST /things": refusal})
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, STEPS)))
    assert server.asked == ["POST /things"], "what another created is not ours to remove"
    assert values["left_nothing"] is True


async def test_nothing_is_removed_that_was_not_created(context: Context) -> None:
    server = Things({"POST /things": servers.response(409)})
    delete = {**DELETE, "request": "DELETE /things/{{unique}}"}
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, [CREATE, delete])))
    assert server.asked == ["POST /things"]
    assert outcomes(values) == ["failed", "not reached"]


async def test_an_id_in_an_error_is_not_taken_for_that_of_a_creation(context: Context) -> None:
    server = Things({"POST /things": servers.response(500, '{"id": "theirs"}')})
    async with servers.serving(servers.Web(server)) as port:
        await walked(lent(context, inventory(port, STEPS)))
    assert server.asked == ["POST /things"]


UNSURE = {
    "no answer": servers.hang_up,
    "500": servers.always(servers.response(500)),
    "408": servers.always(servers.response(408)),
    "302": servers.always(servers.response(302, headers={"Location": "/"})),
}


@pytest.mark.parametrize("answer", UNSURE.values(), ids=UNSURE)
async def test_nobody_knows_what_a_broken_creation_left(
    context: Context, answer: servers.Handler
) -> None:
    async with servers.serving(answer) as port:
        lend = lent(context, inventory(port, STEPS))
        values = await walked(lend)
    assert "left_nothing" not in values
    assert values["left_nothing_because"] == (
        "nobody knows whether it is there: thing readiness-test-1"
    )
    assert [entry.what for entry in lend.ledger.book.left] == ["thing readiness-test-1"]


async def test_what_cannot_be_removed_is_named(context: Context) -> None:
    server = Things({f"DELETE /things/t{n}": servers.response(403) for n in range(20)})
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, STEPS, repeat=7)))
    assert values["left_nothing"] is False
    assert str(values["left_nothing_because"]).startswith("left behind: thing readiness-test-1, ")
    assert str(values["left_nothing_because"]).endswith("readiness-test-5 and 2 more")


async def test_what_is_gone_already_counts_as_removed(context: Context) -> None:
    server = Things({"DELETE /things/t1": servers.response(410)})
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, STEPS)))
    assert values["succeeded"] is False
    assert values["left_nothing"] is True


async def test_an_id_is_kept_though_its_answer_is_not_as_expected(context: Context) -> None:
    server = Things()
    create = {**CREATE, "expect": {"status": 200}}
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, [create, READ, DELETE])))
    assert values["succeeded"] is False
    assert server.kept == {}
    assert values["left_nothing"] is True


async def test_a_redirect_after_a_form_has_created_it(context: Context) -> None:
    server = Things({"POST /things": servers.response(303, headers={"Location": "/things/x"})})
    create = {
        **CREATE,
        "capture": {"where": {"header": "Location"}},
        "expect": {"status": 303},
    }
    boom = {"name": "boom", "request": "/boom"}
    delete = {**DELETE, "request": "DELETE {{where}}"}
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, [create, boom, delete])))
    assert server.asked[-1] == "DELETE /things/x"
    assert values["left_nothing"] is True


async def test_what_stays_by_intention_is_counted_and_no_residue(context: Context) -> None:
    create = {**CREATE, "stays": "the audit log keeps it"}
    async with servers.serving(servers.Web(Things())) as port:
        lend = lent(context, inventory(port, [create], repeat=3))
        values = await walked(lend)
    assert (values["stays"], values["stays_because"]) == (3, "the audit log keeps it")
    assert values["left_nothing"] is True
    assert lend.ledger.book.left == ()


async def test_a_login_without_the_write_tier_is_unknown(context: Context) -> None:
    server = Things()
    ann = {"ann": {"service": "it", "login": LOGIN}}
    async with servers.serving(servers.Web(server)) as port:
        of = inventory(port, [{"name": "me", "request": "/me"}], identities=ann, **{"as": "ann"})
        values = await walked(lent(context, of, allowed=frozenset({"observe"})))
    assert server.asked == []
    assert "succeeded" not in values
    assert "needs the write tier" in str(values["succeeded_because"])
    assert outcomes(values) == ["unknown"]


async def test_the_deadline_is_unknown_and_leaves_time_to_clean_up(context: Context) -> None:
    server, held = Things(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await servers.read_request(reader)
        assert request is not None
        if request.method == "GET":
            await held.wait()
        writer.write(server(request))

    async with servers.serving(hold) as port:
        values = await walked(lent(context, inventory(port, STEPS, deadline=1.2)))
        held.set()
    assert "succeeded" not in values
    assert outcomes(values) == ["passed", "unknown", "passed", "not reached"]
    assert values["left_nothing"] is True
    assert server.kept == {}


async def test_waiting_on_a_poll_ends_in_time_to_clean_up(context: Context) -> None:
    server = Things()
    wait = {**GONE, "name": "wait", "poll": {"every": "30s", "for": "5m"}}
    async with servers.serving(servers.Web(server)) as port:
        of = inventory(port, [CREATE, wait, DELETE], deadline=2)
        began = time.monotonic()
        values = await walked(lent(context, of))
    assert time.monotonic() - began < 2
    assert outcomes(values) == ["passed", "unknown", "passed"]
    assert server.kept == {}


async def test_a_removal_that_the_deadline_struck_is_made_by_clean_up(context: Context) -> None:
    server, tries = Things(), 0

    async def slow_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        request = await servers.read_request(reader)
        assert request is not None
        if request.method == "DELETE":
            tries += 1
            if tries == 1:
                await reader.read()  # until the client gives up
                return
        writer.write(server(request))

    async with servers.serving(slow_once) as port:
        values = await walked(lent(context, inventory(port, STEPS, deadline=1.2)))
    assert tries == 2
    assert server.kept == {}
    assert "succeeded" not in values
    assert values["left_nothing"] is True


async def test_a_removal_that_we_gave_up_is_not_blamed_on_the_service(context: Context) -> None:
    server = Things()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await servers.read_request(reader)
        assert request is not None
        if request.method == "DELETE":
            await reader.read()  # until the client gives up
        writer.write(server(request))

    async with servers.serving(hang) as port:
        values = await walked(lent(context, inventory(port, STEPS, deadline=1)))
    assert "succeeded" not in values
    assert "left_nothing" not in values
    assert values["left_nothing_because"] == (
        "nobody knows whether it is there: thing readiness-test-1"
    )


async def test_our_own_failure_ends_the_rounds(context: Context) -> None:
    ann = {"ann": {"service": "it", "login": LOGIN}}
    of = inventory(1, [{"name": "me", "request": "/me"}], identities=ann, repeat=5, **{"as": "ann"})
    values = await walked(lent(context, of, allowed=frozenset({"observe"})))
    assert values["rounds"] == 1


async def test_a_full_disk_stops_the_journey_before_it_creates(context: Context) -> None:
    class Full(Ledger):
        def creates(self, entry: Any) -> None:
            raise OSError(28, "No space left on device")

    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        values = await walked(lent(context, inventory(port, STEPS), Full(None, "it")))
    assert server.asked == []
    assert "succeeded" not in values
    assert "the ledger cannot be written: No space left on device" in str(
        values["succeeded_because"]
    )


async def test_a_cancelled_walk_cleans_up(context: Context) -> None:
    server, reached = Things(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await servers.read_request(reader)
        assert request is not None
        if request.method == "GET":
            reached.set()
            await reader.read()
            return
        writer.write(server(request))

    async with servers.serving(hold) as port:
        lend = lent(context, inventory(port, STEPS))
        task = asyncio.create_task(walked(lend))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert server.kept == {}
    assert lend.ledger.book.left == ()


async def test_a_cancellation_while_cleaning_up_drops_nothing(context: Context) -> None:
    held = Held(server := Things({"GET /things/t1": servers.response(500)}))
    tidy = {"name": "tidy", "request": "POST /tidy", "json": {"name": "x"}, "always": True}
    async with servers.serving(held) as port:
        lend = lent(context, inventory(port, [CREATE, READ, DELETE, tidy]))
        await cancelled_while_removing(held, asyncio.create_task(walked(lend)))
    assert server.asked[2:] == ["DELETE /things/t1", "POST /tidy"]
    assert lend.ledger.book.left == ()


async def test_a_cancelled_walk_cleans_up_though_it_is_cancelled_again(context: Context) -> None:
    server, reached = Things(), asyncio.Event()
    held = Held(server)

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reached.is_set() or len(server.asked) != 1:
            return await held(reader, writer)
        reached.set()
        await reader.read()  # until the client gives up
        return None

    async with servers.serving(hold) as port:
        lend = lent(context, inventory(port, STEPS))
        task = asyncio.create_task(walked(lend))
        await reached.wait()
        task.cancel()
        await cancelled_while_removing(held, task)
    assert server.kept == {}
    assert lend.ledger.book.left == ()


async def test_a_round_without_the_time_to_clean_up_is_not_begun(context: Context) -> None:
    server = Things()
    async with servers.serving(servers.Web(server)) as port:
        late = lent(context, inventory(port, STEPS, repeat=2), deadline=time.monotonic() + 0.2)
        values = await walked(late)
        look = [{"name": "look", "request": "/"}]
        soon = lent(context, inventory(port, look), deadline=time.monotonic() + 1)
        await walked(soon)
    assert server.asked == ["GET /"], "what only looks leaves nothing"
    assert "succeeded" not in values
    assert "too little time was left to begin" in str(values["succeeded_because"])
    assert outcomes(values) == ["unknown", *["not reached"] * 3]


HOSTILE = {
    "slam": servers.slam,
    "garbage": servers.garbage,
    "hang up": servers.hang_up,
    "silent": servers.silent,
    "drip": servers.header_drip,
    "body drip": servers.body_drip,
    "1xx flood": servers.interim_flood,
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_server_fails_the_journey_within_bounds(
    context: Context, kind: str
) -> None:
    async with servers.serving(HOSTILE[kind]) as port:
        of = inventory(port, [{"name": "look", "request": "/", "expect": {"text": "x"}}])
        began = time.monotonic()
        values = await walked(lent(context, of, timeout=0.5))
    assert time.monotonic() - began < 3
    assert values["succeeded"] is False
    assert outcomes(values) == ["failed"]


async def test_an_endless_body_is_read_up_to_its_limit(context: Context) -> None:
    async with servers.serving(servers.endless_body) as port:
        found = {"name": "look", "request": "/", "expect": {"text": "xx"}}
        lacks = {"name": "lacks", "request": "/", "expect": {"text": "needle"}}
        values = await walked(lent(context, inventory(port, [found, lacks])))
    assert outcomes(values) == ["passed", "unknown"]
    assert "longer than the 1 MiB" in str(values["succeeded_because"])


async def test_an_error_of_our_own_is_no_outcome(context: Context) -> None:
    async def broken(host: str, port: int) -> Any:
        raise ProbeError("local_limit", "no file descriptor left")

    lend = dataclasses.replace(lent(context, inventory(1, STEPS)), resolve=broken)
    values = await walked(lend)
    assert "succeeded" not in values
    assert outcomes(values)[0] == "unknown"
    assert "no file descriptor left" in str(values["succeeded_because"])
