"""The roles and settings of a Postgres -> the provider that runs it, if one does."""

from readiness.probes._postgres_part import Reader

_PROVIDERS = {
    "rdsadmin": "Amazon RDS",
    "rds_superuser": "Amazon RDS",
    "cloudsqlsuperuser": "Google Cloud SQL",
    "alloydbsuperuser": "Google AlloyDB",
    "azure_pg_admin": "Azure Database for PostgreSQL",
    "neon_superuser": "Neon",
    "tsdbadmin": "Tiger Cloud",
    "doadmin": "DigitalOcean",
    "avnadmin": "Aiven",
}
"""Role that the provider makes in every server of its own -> the provider."""


async def provider(reader: Reader) -> str | None:
    """Return the name of the provider that runs the server, None for one's own."""
    rows = await reader.rows(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1) ORDER BY 1", list(_PROVIDERS)
    )
    return _PROVIDERS[rows[0]["rolname"]] if rows else None
