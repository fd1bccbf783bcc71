"""Records in the database which standbys a primary's commits wait for, for when the primary is gone.

A node that has received the record has everything acknowledged before it. Commits acknowledged later have waited for
these standbys, as long as the primary's settings do not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from custctl.engines.postgresql.connection import LimitedConnection

MANAGERS = {"Patroni": "Patroni", "repmgrd": "repmgr", "pg_auto_failover": "pg_auto_failover", "cnpg": "CloudNativePG"}
"""Cluster managers by the application name of the session that they keep open; every login may see those names."""

WAITS = """
current_setting('synchronous_commit') IN ('on', 'remote_write', 'remote_apply')
AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting AS s, unnest(s.setconfig) AS c
                 WHERE c ~* '^synchronous_commit=(off|local|false|no|0)$')
"""
"""Whether commits wait for standbys by default, and no role or database overrides that."""

SETTLED = """
clock_timestamp() - pg_catalog.pg_conf_load_time() > interval '1 second'
AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity
             WHERE backend_type = 'checkpointer' AND wait_event IN ('CheckpointerMain', 'CheckpointWriteDelay'))
"""
"""Whether the checkpointer has read the settings; until then sessions may still use the old ones, because it tells all
of them whether commits wait. For a login that may not see the checkpointer this is false."""

_MAY_RECORD = """
(SELECT COALESCE(bool_and(has_table_privilege(t, p)), false)
   FROM to_regclass(format('%I.custctl_metadata', {schema}::text)) AS t, unnest(ARRAY['INSERT', 'DELETE']) AS p)
"""

_NOW = """to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.USZ')"""
_WAITED_FOR = f"CASE WHEN {WAITS} THEN btrim(current_setting('synchronous_standby_names')) ELSE '' END"

# The expensive checks come last, because usually nothing has changed. A damaged time counts as no time.
_DUE = f"""
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN false
            WHEN k.names = w.names AND k.at ~ '^\\d{{{{4}}}}-\\d\\d-\\d\\dT[\\d:.]+Z$'
                 AND k.at::timestamptz >= pg_catalog.pg_conf_load_time() THEN false
            WHEN NOT {_MAY_RECORD} THEN false
            WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_activity
                          WHERE split_part(application_name, ' ', 1) = ANY ({{managers}})) THEN false
            ELSE w.names = '' OR ({SETTLED}) END
  FROM (SELECT {_WAITED_FOR} AS names) AS w,
       (SELECT max(value) FILTER (WHERE name = 'synchronous') AS names,
               max(value) FILTER (WHERE name = 'synchronous_at') AS at FROM {{metadata}}) AS k
"""


# This takes the same lock as the step of a switchover that records it, so that they do not run at the same time.
_WRITE = f"""
BEGIN READ WRITE;
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({{lock}}, 0));
DELETE FROM {{metadata}} WHERE name IN ('synchronous', 'synchronous_at');
INSERT INTO {{metadata}} (name, value)
SELECT r.name, r.value
  FROM (SELECT {_WAITED_FOR} AS names) AS w,
       LATERAL (VALUES ('synchronous', w.names), ('synchronous_at', {_NOW})) AS r (name, value)
 WHERE w.names = '' OR ({SETTLED});
SET LOCAL synchronous_commit = local;
COMMIT
"""


def due(schema: str) -> sql.Composed:
    """Return the query that tells whether this login should record what commits on this node wait for.

    That is true on a primary without a cluster manager, if the recorded setting differs or may have been changed and
    changed back since, once the server has applied its settings.
    """
    return sql.SQL(_DUE).format(
        metadata=sql.Identifier(schema, "custctl_metadata"),
        schema=sql.Literal(schema),
        managers=sql.Literal(list(MANAGERS)),
    )


def may_record(schema: str) -> sql.Composed:
    """Return the query that tells whether this login may write the record."""
    return sql.SQL("SELECT " + _MAY_RECORD).format(schema=sql.Literal(schema))


def write(driver: LimitedConnection, schema: str) -> None:
    """Record what commits wait for, in one round trip and in its own transaction, which waits for no standby.

    Raises:
        psycopg.Error: it was refused, or the connection is lost.
    """
    query = sql.SQL(_WRITE).format(
        metadata=sql.Identifier(schema, "custctl_metadata"), lock=sql.Literal(f"custctl/{schema}/audit")
    )
    try:
        driver.execute(query)
    except psycopg.Error:
        if not driver.closed:
            driver.execute("ROLLBACK")
        raise
