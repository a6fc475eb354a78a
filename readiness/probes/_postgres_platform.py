"""A session -> the managed service that runs the server, and what such a service hides."""

from collections.abc import Mapping
from types import MappingProxyType

from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._postgres_session import Connection

SELF_MANAGED = "self-managed"

_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "rdsadmin": "Amazon RDS",
        "alloydbsuperuser": "Google AlloyDB",
        "cloudsqlsuperuser": "Google Cloud SQL",
        "azure_pg_admin": "Azure Database for PostgreSQL",
        "supabase_admin": "Supabase",
        "neon_superuser": "Neon",
        "tsdbadmin": "Timescale Cloud",
        "doadmin": "DigitalOcean",
        "avnadmin": "Aiven",
        "crunchy_superuser": "Crunchy Bridge",
    }
)
"""Role that a service makes in every database of its own -> the service, the surest first."""

_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "rds.extensions": "Amazon RDS",
        "azure.extensions": "Azure Database for PostgreSQL",
        "alloydb.iam_authentication": "Google AlloyDB",
        "cloudsql.iam_authentication": "Google Cloud SQL",
        "neon.timeline_id": "Neon",
    }
)

_SIGNS = """
SELECT array(SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1::text[])) AS roles,
       array(SELECT name FROM unnest($2::text[]) AS name
             WHERE current_setting(name, true) IS NOT NULL) AS settings,
       to_regproc('pg_catalog.aurora_version') IS NOT NULL
       OR to_regproc('aurora_version') IS NOT NULL AS aurora
"""


async def platform(connection: Connection, context: Context) -> Values:
    """Return `platform`, and in `platform_because` what is the provider's alone to see there."""
    with within(context):
        signs = await connection.fetchrow(_SIGNS, list(_ROLES), list(_SETTINGS))
    assert signs is not None, "a SELECT without FROM has one row"
    named = [
        *(service for setting, service in _SETTINGS.items() if setting in signs["settings"]),
        *(service for role, service in _ROLES.items() if role in signs["roles"]),
    ]
    if not named:
        return {"platform": SELF_MANAGED}
    service = "Amazon Aurora" if signs["aurora"] else named[0]
    because = f"{service} keeps superusers, pg_hba.conf and the host to itself: not seen from here"
    return {"platform": service, "platform_because": because}
