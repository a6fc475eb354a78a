"""Sequences of a real Postgres near their end or their column's, and ones that have none."""

from dataclasses import replace

import pytest

from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.postgres_sequences import METRICS, Settings, measure
from tests.replicated import PROBES, fresh, named, service
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

SERIAL = "CREATE TABLE t (id serial PRIMARY KEY); SELECT setval('t_id_seq', 2147480000)"
WIDE = "CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY {}); SELECT setval('s', 2147480000)"

STATES = {
    "serial": (SERIAL, "t_id_seq (integer t.id) is at 2147480000 of 2147483647"),
    "bigint-feeding-integer": (
        WIDE.format("DEFAULT nextval('s')"),
        "public.s (integer t.id) is at 2147480000 of 2147483647",
    ),
    "bigint-owned-by-integer": (
        WIDE.format("") + "; ALTER SEQUENCE s OWNED BY t.id",
        "public.s (integer t.id) is at 2147480000 of 2147483647",
    ),
    "identity-of-smallint": (
        "CREATE TABLE t (id smallint PRIMARY KEY GENERATED ALWAYS AS IDENTITY); "
        "SELECT setval('t_id_seq', 32000)",
        "public.t_id_seq (smallint t.id) is at 32000 of 32767",
    ),
    "domain-over-integer": (
        "CREATE SEQUENCE s; CREATE DOMAIN key AS int; CREATE TABLE t (id key PRIMARY KEY "
        "DEFAULT nextval('s')); SELECT setval('s', 2147480000)",
        "public.s (integer t.id) is at 2147480000 of 2147483647",
    ),
    "end-of-its-own": (
        "CREATE SEQUENCE tickets MAXVALUE 1000; SELECT setval('tickets', 999)",
        "public.tickets is at 999 of 1000",
    ),
    "downwards": (
        "CREATE SEQUENCE down INCREMENT -1 MINVALUE -1000; SELECT setval('down', -990)",
        "public.down is at -990 of -1000",
    ),
    "begins-near-its-end": (
        "CREATE SEQUENCE late START 990 MAXVALUE 1000",
        "public.late is at 989 of 1000",
    ),
    "cycle-wider-than-its-column": (
        "CREATE SEQUENCE s CYCLE; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s')); "
        "SELECT setval('s', 2147480000)",
        "public.s (integer t.id) is at 2147480000 of 2147483647",
    ),
}


async def probe(url: str, context: Context) -> Values:
    return await measure(service(url), Settings(), context)


@pytest.mark.parametrize("state", STATES)
async def test_a_sequence_near_its_end_is_caught_by_its_check_alone(
    state: str, realistic_postgres: str, context: Context
) -> None:
    statements, because = STATES[state]
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(statements)
        findings = await judged(service(url), context, PROBES)
    assert troubled(findings) == {"postgres-sequences"}
    assert findings["postgres-sequences"].because.endswith(because)
    assert not unknown(findings)


@pytest.mark.parametrize(
    ("statements", "finite", "ratio"),
    [
        ("SELECT 1", False, None),
        ("CREATE SEQUENCE round MAXVALUE 100 CYCLE; SELECT setval('round', 99)", False, None),
        ("CREATE TEMPORARY SEQUENCE mine MAXVALUE 100; SELECT setval('mine', 99)", False, None),
        ("CREATE TABLE t (id serial PRIMARY KEY)", True, 0),
        (SERIAL.replace("serial", "bigserial"), True, 0),
        (
            "CREATE SEQUENCE all_of_it AS int MINVALUE -2147483648 START 1;"
            "SELECT nextval('all_of_it')",
            True,
            0,
        ),
        (
            "CREATE SEQUENCE far AS int MINVALUE -2147483648; SELECT setval('far', -1073741824)",
            True,
            0.25,
        ),
    ],
    ids=[
        "none",
        "cycle",
        "temporary",
        "never-called",
        "bigserial",
        "whole-range",
        "from-the-least",
    ],
)
async def test_a_sequence_with_room_or_without_end_is_no_finding(
    statements: str, finite: bool, ratio: float | None, realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(statements)
        values = await probe(url, context)
        findings = await judged(service(url), context, ["postgres_sequences"])
    assert values["finite"] is finite
    assert values.get("used_ratio") == (None if ratio is None else pytest.approx(ratio, abs=1e-6))
    outcome = findings["postgres-sequences"].outcome
    assert outcome == ("pass" if finite else "not_applicable")


async def test_the_fullest_of_many_is_named_first(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        for n in range(1, 31):
            await session.execute(f"CREATE SEQUENCE s{n} MAXVALUE 100; SELECT setval('s{n}', {n})")
        values = await probe(url, context)
    assert set(values) - {"used_ratio_because"} == set(METRICS)
    assert values["sequences"] == 30
    assert values["used_ratio"] == pytest.approx(29 / 99)
    assert str(values["used_ratio_because"]).startswith("public.s30 is at 30 of 100; public.s29")


async def test_sequences_that_may_not_be_read_are_not_tested(
    realistic_postgres: str, context: Context
) -> None:
    """Unless one that may be read is beyond the limit: others cannot make that any better."""
    async with fresh(realistic_postgres) as (url, session):
        await session.execute("DROP ROLE IF EXISTS counter; CREATE ROLE counter LOGIN")
        await session.execute("CREATE SEQUENCE hidden AS int; CREATE SEQUENCE seen MAXVALUE 100")
        await session.execute("SELECT setval('seen', 90); GRANT SELECT ON SEQUENCE seen TO counter")
        seen = named(url, url.rpartition("/")[2], "counter")
        values = await probe(seen, context)
        assert "used_ratio" not in values
        assert values["used_ratio_because"] == (
            "not tested: no permission to read public.hidden: GRANT SELECT ON ALL SEQUENCES; "
            "of the others public.seen is at 90 of 100"
        )
        limited = replace(context, limits={"used_ratio": (0.5, 0.8)})
        assert (await probe(seen, limited))["used_ratio"] == pytest.approx(89 / 99)
        await session.execute("REVOKE SELECT ON SEQUENCE seen FROM counter")
        findings = await judged(service(seen), context, ["postgres_sequences"])
        assert unknown(findings) == {"postgres-sequences"}
        await session.execute(
            "DROP SEQUENCE hidden, seen; CREATE TABLE t (id bigserial PRIMARY KEY)"
        )
        findings = await judged(service(seen), context, ["postgres_sequences"])
        vast = findings["postgres-sequences"]
        assert vast.outcome == "not_applicable", "nobody counts to the end of bigint"
        assert vast.because == "not tested: no permission to read 1 sequences of bigint"
        await session.execute("DROP OWNED BY counter; DROP ROLE counter")
