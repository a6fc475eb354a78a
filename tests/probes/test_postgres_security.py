"""Roles, logins, encryption and rules in each bad state, on real servers."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from pydantic import SecretStr

from readiness.demo import postgres
from readiness.finding import Finding
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.postgres_security import (
    METRICS,
    Settings,
    _is_remote,
    _loopback_only,
    measure,
)
from tests import states
from tests.certificates import Authority
from tests.debian_postgres import (
    SECRET,
    as_role,
    bouncer,
    connected,
    database,
    in_database,
    outward_address,
    until,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(postgres_url: str) -> AsyncIterator[str]:
    async with database(postgres_url) as url:
        yield url


@pytest.fixture
async def ruled(debian_url: str) -> AsyncIterator[str]:
    """An application's role where the rules of pg_hba.conf are not all as they should be."""
    async with database(debian_url) as url:
        yield url


async def found(url: str, context: Context) -> Mapping[str, Finding]:
    service = Service(name="db", kind="postgres", url=SecretStr(url))
    return await states.judged(service, context, ["postgres_security"])


async def probe(url: str, context: Context) -> Values:
    service = Service(name="db", kind="postgres", url=SecretStr(url))
    return await measure(service, Settings(), context)


async def test_an_ordinary_role_has_no_finding(shop: str, context: Context) -> None:
    values = await probe(shop, context)
    findings = await found(shop, context)
    assert set(METRICS) - set(values) == {"privileges", "remote_trust"}
    assert not states.troubled(findings) and not states.unknown(findings)
    inapplicable = {c for c, f in findings.items() if f.outcome == "not_applicable"}
    assert inapplicable == {"postgres-tls", "postgres-trust-rules"}
    assert findings["postgres-trust-rules"].because.startswith("not tested: ")
    assert values["login"] == "scram-sha-256"


async def test_a_superuser(postgres_url: str, context: Context) -> None:
    async with database(postgres_url, "SUPERUSER", monitor=False) as url:
        findings = await found(url, context)
    assert states.troubled(findings) == {"postgres-not-superuser"}
    assert findings["postgres-trust-rules"].outcome == "pass"


async def test_a_superuser_sees_the_rules(debian_url: str, context: Context) -> None:
    async with database(debian_url, "SUPERUSER", monitor=False) as url:
        findings = await found(url, context)
    assert states.troubled(findings) == {"postgres-not-superuser", "postgres-trust-rules"}
    assert "203.0.113.0" in findings["postgres-trust-rules"].because


@pytest.mark.parametrize("right", ["BYPASSRLS", "REPLICATION", "CREATEROLE"])
async def test_rights_beyond_its_data(right: str, postgres_url: str, context: Context) -> None:
    async with database(postgres_url, right) as url:
        findings = await found(url, context)
    assert states.troubled(findings) == {"postgres-least-privilege"}
    assert findings["postgres-least-privilege"].because.endswith(right)


async def test_a_role_that_reaches_the_host(postgres_url: str, shop: str, context: Context) -> None:
    async with connected(postgres_url) as owner:
        await owner.execute(f"GRANT pg_execute_server_program TO {shop.rpartition('/')[2]}")
    findings = await found(shop, context)
    assert states.troubled(findings) == {"postgres-least-privilege"}
    assert findings["postgres-least-privilege"].because.endswith("pg_execute_server_program")


async def test_everyone_may_create_in_public(
    postgres_url: str, shop: str, context: Context
) -> None:
    """As it is in every database that began before Postgres 15."""
    async with connected(in_database(postgres_url, shop)) as owner:
        await owner.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        findings = await found(shop, context)
        assert states.troubled(findings) == {"postgres-public-schema"}
        await owner.execute("DROP SCHEMA public")
    assert not states.troubled(await found(shop, context))


async def test_passwords_are_stored_as_md5(postgres_url: str, shop: str, context: Context) -> None:
    async with connected(postgres_url) as owner:
        role = shop.rpartition("/")[2]
        await owner.execute(f"ALTER ROLE {role} SET password_encryption = md5")
    findings = await found(shop, context)
    assert states.troubled(findings) == {"postgres-scram"}
    assert findings["postgres-scram"].because.endswith("password_encryption is md5")


@pytest.mark.parametrize("method", ["md5", "password"])
async def test_passwords_are_asked_for_without_scram(
    method: str, debian_url: str, context: Context
) -> None:
    async with database(debian_url, role=f"by_{method}") as url, connected(debian_url) as owner:
        if method == "md5":  # else the server proves by SCRAM all the same
            kept = f"SET password_encryption = md5; ALTER ROLE by_md5 PASSWORD '{SECRET}'"
            await owner.execute(kept)
        values = await probe(url, context)
        findings = await found(url, context)
    assert values["login"] == method
    assert states.troubled(findings) == {"postgres-scram"}
    assert findings["postgres-scram"].because.endswith(f"asked for a password by {method}")


async def test_nobody_asks_who_we_are(debian_url: str, context: Context) -> None:
    async with database(debian_url, role="by_trust") as url:
        findings = await found(as_role(url, "by_trust", "anything"), context)
    assert states.troubled(findings) == {"postgres-login"}


async def test_a_proxy_of_the_provider_may_vouch(debian_url: str, context: Context) -> None:
    async with database(debian_url, role="by_trust") as url, connected(debian_url) as owner:
        await owner.execute("CREATE ROLE cloudsqlsuperuser")
        try:
            findings = await found(url, context)
        finally:
            await owner.execute("DROP ROLE cloudsqlsuperuser")
    assert not states.troubled(findings)
    assert findings["postgres-login"].because.startswith("not tested: the provider's proxy")


async def test_a_rule_that_trusts_a_network(debian_url: str, ruled: str, context: Context) -> None:
    """Where the role was given leave to read the rules."""
    async with connected(in_database(debian_url, ruled)) as owner:
        role = ruled.rpartition("/")[2]
        await owner.execute(f"GRANT SELECT ON pg_hba_file_rules TO {role}")
        await owner.execute(f"GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO {role}")
    findings = await found(ruled, context)
    assert states.troubled(findings) == {"postgres-trust-rules"}


@contextlib.asynccontextmanager
async def encrypting(server: str, folder: Path) -> AsyncIterator[Authority]:
    """Let the server offer TLS for a while, by an authority of the test's own."""
    authority = Authority(folder)
    authority.server(outward_address())  # leaves certificate and key in one file
    async with connected(server) as owner:
        there = Path(await owner.fetchval("SHOW data_directory")) / "server.pem"
        give(folder, there)
        for setting in ("ssl_cert_file", "ssl_key_file"):
            await owner.execute(f"ALTER SYSTEM SET {setting} = '{there}'")
        try:
            await switched(owner, "on")
            yield authority
        finally:
            await switched(owner, "off")


def give(folder: Path, there: Path) -> None:
    """Copy a key for the server's eyes alone, as it demands."""
    shutil.copy(next(folder.glob("*.pem")), there)
    there.chmod(0o600)
    os.chown(there, *postgres._account())


async def switched(owner: asyncpg.Connection, state: str) -> None:
    await owner.execute(f"ALTER SYSTEM SET ssl = {state}")
    await owner.execute("SELECT pg_reload_conf()")
    await until(owner, "current_setting('ssl') = $1", state)


async def test_no_encryption_over_a_network(
    debian_url: str, ruled: str, context: Context, tmp_path: Path
) -> None:
    port = urlsplit(ruled).port
    away = ruled.replace(f"127.0.0.1:{port}", f"{outward_address()}:{port}")
    findings = await found(away, context)
    assert states.troubled(findings) == {"postgres-tls"}
    assert findings["postgres-tls"].because.endswith("ssl is off")
    async with encrypting(debian_url, tmp_path) as authority:
        trusting = replace(context, tls=authority.client)
        findings = await found(f"{away}?sslmode=verify-full", trusting)
        assert not states.troubled(findings)
        assert findings["postgres-tls"].outcome == "pass"
        findings = await found(f"{away}?sslmode=disable", context)
        assert states.troubled(findings) == {"postgres-tls"}
        assert "the URL does without" in findings["postgres-tls"].because


async def test_behind_a_pooler(shop: str, context: Context) -> None:
    with bouncer(shop) as pooled:
        findings = await found(pooled, context)
    assert not states.troubled(findings) and not states.unknown(findings)


@pytest.mark.parametrize(
    ("peer", "remote"),
    [("", False), ("127.0.0.1", False), ("::1", False), ("10.0.0.5", True), ("fe80::1%eth0", True)],
)
def test_what_is_another_machine(peer: str, remote: bool) -> None:
    assert _is_remote(peer) is remote


@pytest.mark.parametrize(
    ("address", "netmask", "expected"),
    [
        ("127.0.0.1", "255.255.255.255", True),
        ("127.0.0.0", "255.0.0.0", True),
        ("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("samehost", None, True),
        ("all", None, False),
        ("samenet", None, False),
        ("db.example.com", None, False),
        ("0.0.0.0", "0.0.0.0", False),
        ("10.0.0.0", "255.0.0.0", False),
    ],
)
def test_what_a_rule_is_for(address: str, netmask: str | None, expected: bool) -> None:
    assert _loopback_only(address, netmask) is expected
