"""How a Postgres is guarded: the application's role, its login, TLS, passwords, schema public."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._few import few
from readiness.probes._postgres_platform import SELF_MANAGED, platform
from readiness.probes._postgres_session import Connection, session
from readiness.probes._postgres_text import name

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "superuser": "true or false: the role of the URL is a superuser",
    "excess_privileges": "true or false: the role has rights that an application does not need",
    "privileges": "those rights",
    "remote": "true or false: the server is reached over a network",
    "encrypted": "true or false: our connection is encrypted",
    "server_ssl": "true or false: the server's setting ssl is on",
    "login": "how we logged in: scram-sha-256, md5, password, gss, sspi, certificate or none",
    "login_seen": "true or false: the login tells whether the server asks who we are",
    "login_asked": "true or false: the server asked us for a proof of who we are",
    "scram": "true or false: passwords are stored and proved by SCRAM",
    "password_encryption": "how the server stores new passwords",
    "public_create": "true or false: everyone may create objects in the schema public",
    "rules_read": "true or false: our role may read the rules of pg_hba.conf",
    "remote_trust": "true or false: a rule lets hosts of a network in without a password",
}

_ROLE = """
SELECT bool_or(rolsuper) AS superuser, bool_or(rolbypassrls) AS bypassrls,
       bool_or(rolreplication) AS replication, bool_or(rolcreaterole) AS createrole,
       array(SELECT rolname::text FROM pg_roles
             WHERE rolname = ANY ($1::text[]) AND pg_has_role(session_user, oid, 'MEMBER')
             ORDER BY 1) AS member_of
FROM pg_roles WHERE rolname IN (current_user, session_user)
"""
_POWERFUL = [
    *("pg_execute_server_program", "pg_write_server_files", "pg_read_server_files"),
    *("pg_write_all_data", "rds_superuser", "cloudsqlsuperuser", "alloydbsuperuser"),
    *("azure_pg_admin", "neon_superuser", "crunchy_superuser"),
]

_SERVER = """
SELECT current_setting('ssl', true) = 'on' AS ssl,
       current_setting('password_encryption') AS password_encryption,
       has_schema_privilege('public', to_regnamespace('public')::oid, 'CREATE') AS public_create,
       coalesce(has_function_privilege(to_regprocedure('pg_catalog.pg_hba_file_rules()')::oid,
                                       'EXECUTE')
                AND has_table_privilege(to_regclass('pg_catalog.pg_hba_file_rules')::oid,
                                        'SELECT'), false) AS rules_read
"""

_RULES = """
SELECT line_number AS line, type, address, netmask FROM pg_hba_file_rules
WHERE auth_method = 'trust' AND type LIKE 'host%' AND error IS NULL
ORDER BY line_number LIMIT 100
"""

_NOT_READ = "not tested: the role may not read pg_hba_file_rules, which only a superuser can grant"

Row = Mapping[str, Any]


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Look at the role and the connection that the URL gives, and at the server's settings."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        with within(context):
            role = await connection.fetchrow(_ROLE, _POWERFUL)
            server = await connection.fetchrow(_SERVER)
        assert role is not None and server is not None, "each has one row"
        rules: Values = {"rules_read": False, "rules_read_because": _NOT_READ}
        if server["rules_read"]:
            rules = await _rules(connection, context)
        certified = "sslcert=" in service.url.get_secret_value()
        managed = (await platform(connection, context))["platform"] != SELF_MANAGED
        return {
            **_role(dict(role)),
            **_transport(connection, bool(server["ssl"])),
            **_login(connection, certified, managed),
            **_scram(connection, server["password_encryption"]),
            "public_create": bool(server["public_create"]),
            **rules,
        }


def _role(role: Row) -> Values:
    held = [right for right in ("bypassrls", "replication", "createrole") if role[right]]
    rights = [*(right.upper() for right in held), *role["member_of"]]
    values: Values = {"superuser": role["superuser"], "excess_privileges": bool(rights)}
    if role["superuser"]:
        values["superuser_because"] = "the role of the URL is a superuser"
    if rights:
        values["privileges"] = values["excess_privileges_because"] = few(rights, 6, between=", ")
    return values


def _transport(connection: Connection, ssl: bool) -> Values:
    remote = _is_remote(connection.peer)
    values: Values = {
        "remote": remote,
        "encrypted": connection.encrypted,
        "server_ssl": ssl,
    }
    if not remote:
        values["remote_because"] = "the connection does not leave this machine"
    elif not connection.encrypted and not connection.pooled:
        offered = "the server offers TLS, the URL does without" if ssl else "ssl is off"
        values["encrypted_because"] = offered
    return values


def _is_remote(peer: str) -> bool:
    """Whether the peer is another machine: neither a Unix socket nor a loopback address."""
    return bool(peer) and not ipaddress.ip_address(peer.partition("%")[0]).is_loopback


def _login(connection: Connection, certified: bool, managed: bool) -> Values:
    login = connection.login
    if login != "none":
        return {"login": login, "login_seen": True, "login_asked": True}
    if connection.encrypted and certified:
        return {"login": "certificate", "login_seen": True, "login_asked": True}
    vouching = ""
    if not connection.peer:
        vouching = "not tested: a Unix socket may know us by our user"
    elif managed and not _is_remote(connection.peer):
        vouching = "not tested: the provider's proxy on this machine may vouch for us"
    if vouching:
        return {"login": login, "login_seen": False, "login_seen_because": vouching}
    because = "we were let in without a password (trust in pg_hba.conf)"
    return {
        "login": login,
        "login_seen": True,
        "login_asked": False,
        "login_asked_because": because,
    }


def _scram(connection: Connection, stored: str) -> Values:
    """A password in the clear is what LDAP and IAM need, and safe within TLS."""
    values: Values = {"password_encryption": stored}
    login = connection.login
    clear = login == "password" and not connection.encrypted
    weak = [
        *([f"password_encryption is {stored}"] if stored != "scram-sha-256" else []),
        *([f"we were asked for a password by {login}"] if login == "md5" or clear else []),
    ]
    if weak:
        values["scram_because"] = "; ".join(weak)
    return values | {"scram": not weak}


async def _rules(connection: Connection, context: Context) -> Values:
    with within(context):
        rows = await connection.fetch(_RULES)
    trusting = [row for row in rows if not _loopback_only(row["address"], row["netmask"])]
    values: Values = {"rules_read": True, "remote_trust": bool(trusting)}
    if trusting:
        told = (f"line {row['line']}: {name(row['address'])}" for row in trusting)
        values["remote_trust_because"] = few(told)
    return values


def _loopback_only(address: str | None, netmask: str | None) -> bool:
    """Whether a rule is for this machine: `samehost`, or a network of loopback addresses."""
    if address in ("samehost", "localhost"):
        return True
    try:
        return ipaddress.ip_network(f"{address}/{_prefix(netmask)}", strict=False).is_loopback
    except ValueError:  # a name, `all` or `samenet`
        return False


def _prefix(netmask: str | None) -> str:
    if netmask is None:
        return ""
    return str(bin(int(ipaddress.ip_address(netmask))).count("1"))
