"""What runs CONCURRENTLY: beside the writers, in several transactions, so that a half-done one can be left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from custctl.engines.postgresql.reader import Reader
from custctl.engines.postgresql.script import ConcurrentIndex
from custctl.engines.postgresql.tokens import first_word, tokenise
from custctl.support.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from custctl.engines.postgresql.connection import LimitedConnection
    from custctl.engines.scripts import Statement

# Which table another login works on is shown to nobody; that he builds an index is, and so are the locks he holds.
_BUILT_NOW: LiteralString = """
EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS p
          JOIN pg_catalog.pg_locks AS l ON l.pid = p.pid AND l.database = p.datid
         WHERE l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock')
"""
_INDEX: LiteralString = f"""
SELECT i.indisvalid, {_BUILT_NOW}, n.nspname
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE i.indrelid = to_regclass(%(table)s) AND c.relname = %(name)s
"""
# What REINDEX CONCURRENTLY leaves of a table, of an index's table, or of the partitions of either.
_LEFTOVERS: LiteralString = f"""
WITH named AS (
  SELECT to_regclass(%(name)s)::oid AS oid
  UNION
  SELECT relid FROM pg_catalog.pg_partition_tree(to_regclass(%(name)s))
)
SELECT n.nspname, c.relname, {_BUILT_NOW}
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
   AND i.indrelid IN (SELECT oid FROM named
                      UNION
                      SELECT x.indrelid FROM pg_catalog.pg_index AS x JOIN named ON named.oid = x.indexrelid)
"""


def index_is_valid(driver: LimitedConnection, index: ConcurrentIndex) -> bool:
    """Tell whether an index is there and was built to its end."""
    row = _find(driver, index)
    return row is not None and row[0]


def invalid(driver: LimitedConnection, index: ConcurrentIndex) -> list[str]:
    """Return the index, as SQL names it, where an attempt before left it INVALID.

    Raises:
        UnavailableError: another session is building it.
    """
    row = _find(driver, index)
    return _idle([(row[2], index.name or "", row[1])]) if row is not None and not row[0] else []


def leftovers(driver: LimitedConnection, statement: Statement) -> list[str]:
    """Return what an attempt before left of a REINDEX CONCURRENTLY, as SQL names it; any other statement leaves nothing.

    PostgreSQL names it so that it is known: `…_ccnew` was not finished, `…_ccold` is replaced.

    Raises:
        UnavailableError: another session is building it.

    Source: https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY
    """
    if first_word(statement.text) != "REINDEX":
        return []
    reader = Reader(tokenise(statement.text))
    reader.take()
    concurrently = "CONCURRENTLY" in reader.options()
    if not reader.accept("INDEX", "TABLE") or not (reader.accept("CONCURRENTLY") or concurrently):
        return []
    name = reader.name()
    if name is None:
        return []
    return _idle(driver.execute(_LEFTOVERS, {"name": regclass(name.schema, name.name)}).fetchall())


def regclass(schema: str | None, name: str) -> str:
    """Return a name as `to_regclass` reads it; without a schema it is looked for along the search path."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name) if part is not None)


def _find(driver: LimitedConnection, index: ConcurrentIndex) -> tuple[bool, bool, str] | None:
    """Return whether an index is valid, whether a session builds it now, and its schema; None where it is not there."""
    values = {"table": regclass(index.table_schema, index.table), "name": index.name}
    return driver.execute(_INDEX, values).fetchone()


def _idle(found: Sequence[tuple[str, str, bool]]) -> list[str]:
    """Return the names of indexes, none of which is being built."""
    for _, name, built_now in found:
        if built_now:
            raise UnavailableError(
                f"another session is building the index `{name}`", hint="wait until it ends, and run it again"
            )
    return [regclass(schema, name) for schema, name, _ in found]
