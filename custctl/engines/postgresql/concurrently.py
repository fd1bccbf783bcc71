"""Statements that run CONCURRENTLY: in several transactions alongside writers, so that they can remain half done."""

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

# Other logins cannot see which table a session builds an index on, but they see that it builds one, and its locks.
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
# The leftovers of REINDEX CONCURRENTLY on a table, on an index's table, or on the partitions of either.
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
    """Tell whether an index exists and is completely built."""
    row = _find(driver, index)
    return row is not None and row[0]


def invalid(driver: LimitedConnection, index: ConcurrentIndex) -> list[str]:
    """Return the index's qualified name, in a list, if an earlier attempt left it INVALID; else an empty list.

    Raises:
        UnavailableError: another session is building it.
    """
    row = _find(driver, index)
    return _idle([(row[2], index.name or "", row[1])]) if row is not None and not row[0] else []


def leftovers(driver: LimitedConnection, statement: Statement) -> list[str]:
    """Return the qualified names of what an earlier REINDEX CONCURRENTLY left; empty for any other statement.

    PostgreSQL's names identify them: `…_ccnew` was not finished, `…_ccold` has been replaced.

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
    """Return a name for `to_regclass`; without a schema, it is looked up along the search path."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name) if part is not None)


def _find(driver: LimitedConnection, index: ConcurrentIndex) -> tuple[bool, bool, str] | None:
    """Return whether an index is valid, whether a session builds it now, and its schema; None if it does not exist."""
    values = {"table": regclass(index.table_schema, index.table), "name": index.name}
    return driver.execute(_INDEX, values).fetchone()


def _idle(found: Sequence[tuple[str, str, bool]]) -> list[str]:
    """Return the qualified names of indexes, after checking that none is being built."""
    for _, name, built_now in found:
        if built_now:
            raise UnavailableError(
                f"another session is building the index `{name}`", hint="wait until it ends, and run it again"
            )
    return [regclass(schema, name) for schema, name, _ in found]
