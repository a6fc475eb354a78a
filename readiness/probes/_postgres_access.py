"""A session -> what its role may see of other roles' sessions, and what to grant it."""

from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._postgres_session import Connection

GRANT = "GRANT pg_monitor to the role"

_SEES_ALL = """
SELECT coalesce(pg_has_role(to_regrole('pg_read_all_stats')::oid, 'USAGE'), false)
       OR coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false)
"""


async def sees_all(connection: Connection, context: Context) -> bool:
    """Whether the role sees all of pg_stat_activity and pg_stat_statements."""
    with within(context):
        return bool(await connection.fetchval(_SEES_ALL))
