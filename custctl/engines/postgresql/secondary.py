"""The indexes of a table that only speed up reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import psycopg

from custctl.engines.model import Index
from custctl.schema.names import METADATA
from custctl.support.errors import StatementError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection

_PATIENCE = "2s"  # every other session queues behind one that waits to drop an index
_SAVEPOINT = "custctl_indexes"
# The login must be able to create them again, exactly as they were, and to record them.
_MAY = """
SELECT 1 FROM pg_catalog.pg_class AS t
 WHERE t.oid = to_regclass(%(table)s) AND t.relkind = 'r' AND NOT t.relispartition
   AND pg_catalog.pg_has_role(t.relowner, 'USAGE')
   AND pg_catalog.has_schema_privilege(t.relnamespace, 'CREATE')
   AND pg_catalog.has_table_privilege(to_regclass(%(metadata)s), 'INSERT')
   AND pg_catalog.has_table_privilege(to_regclass(%(metadata)s), 'DELETE')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS h WHERE t.oid IN (h.inhrelid, h.inhparent))
"""
_SECONDARY = """
SELECT i.relname, pg_catalog.pg_get_indexdef(i.oid),
       format('COMMENT ON INDEX %%I.%%I IS %%L', n.nspname, i.relname, d.description), d.description IS NOT NULL
  FROM pg_catalog.pg_index AS x
  JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
  LEFT JOIN pg_catalog.pg_description AS d
    ON d.objoid = i.oid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
 WHERE x.indrelid = to_regclass(%(table)s)
   AND NOT (x.indisunique OR x.indisexclusion OR x.indisclustered OR x.indisreplident)
   AND x.indisvalid AND x.indisready AND i.reltablespace = 0
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = i.oid AND a.attstattarget >= 0)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS u
                    WHERE u.refclassid = 'pg_catalog.pg_class'::regclass AND u.refobjid = i.oid)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                    WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = i.oid AND e.deptype IN ('e', 'x'))
 ORDER BY i.oid
"""


def drop(connection: Connection, table: str, at_most: int) -> Sequence[Index]:
    """Drop them inside the open transaction; see `Database.drop_secondary_indexes`."""
    names = {"table": connection.qualified(table), "metadata": connection.qualified(METADATA)}
    if connection.send(_MAY, tuple(names), names).first() is None:
        return ()
    some = f"SELECT count(*) FROM (SELECT FROM {names['table']} LIMIT {at_most + 1}) AS held"
    if connection.send(some).scalar() > at_most:
        return ()
    try:
        # With this search path, a definition qualifies everything that it uses, so it means the same on any path.
        connection.send(f"SAVEPOINT {_SAVEPOINT}; SET LOCAL search_path = pg_catalog")
        rows = connection.send(_SECONDARY, ("table",), names).all()
        connection.send(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        dropped = [
            Index(name, (made, comment) if is_commented else (made,)) for name, made, comment, is_commented in rows
        ]
        if dropped:
            listed = ", ".join(connection.qualified(index.name) for index in dropped)
            connection.send(f"SET LOCAL lock_timeout = '{_PATIENCE}'; DROP INDEX {listed}")
        return dropped
    except StatementError as error:
        # Another transaction uses the table, or the error is unexpected: load the rows with the indexes in place.
        if connection.lost or not isinstance(error.orig, psycopg.DatabaseError):
            raise
        connection.send(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        return ()
