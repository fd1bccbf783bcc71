"""The indexes of own fields that a search looks in: one of words a column, and one of trigrams where those are installed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from custctl.engines.model import SearchIndex
from custctl.engines.postgresql.names import quoted
from custctl.engines.postgresql.searching import own_plain, own_words
from custctl.engines.scripts import Statement

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.scripting import ScriptSession

_LONGEST: Final = 63  # bytes of a name
_MADE_BY: Final = {"words": "migrations/0006_create_customer_words.sql", "search": "repeatable/customer_search.sql"}
"""The scripts that create the function or extension that each kind of index needs."""
_HELD: Final = """
SELECT c.relname FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
 WHERE i.indrelid = pg_catalog.to_regclass(%(table)s) AND i.indisvalid
"""
_SEARCHES: Final = "SELECT 1 WHERE pg_catalog.to_regproc(%(words)s) IS NOT NULL"
_TRIGRAMS: Final = """
SELECT n.nspname FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_trgm'
"""


def missing(connection: Connection, columns: Sequence[str]) -> Iterator[SearchIndex]:
    """Yield the missing indexes of own columns, to be built while other clients write."""
    words = {"words": connection.qualified("custctl_words")}
    if not columns or connection.send(_SEARCHES, ("words",), words).first() is None:
        return
    table = connection.qualified("customer")
    held = set(connection.send(_HELD, ("table",), {"table": table}).scalars())
    for name, definition in _indexes(connection, columns):
        if name not in held:
            text = f"CREATE INDEX CONCURRENTLY {quoted(name)} ON {table} USING gin ({definition})"
            yield SearchIndex(name, (text,), (f"DROP INDEX IF EXISTS {connection.qualified(name)}",))


def first(columns: Sequence[str], scripts: Collection[str]) -> tuple[str, ...]:
    """Return the names of the indexes that are missing once these scripts have created the tables."""
    kinds = [kind for kind, script in _MADE_BY.items() if script in scripts]
    return tuple(_name(kind, column) for column in columns for kind in kinds)


def build(session: ScriptSession, index: SearchIndex) -> None:
    """Build an index outside a transaction: inside one, other clients would have to wait."""
    for statement in index.statements:
        session.run(Statement(statement, line=1))


def _indexes(connection: Connection, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the definition of each index."""
    trigrams = connection.send(_TRIGRAMS).scalar()
    for column in columns:
        yield _name("words", column), own_words(connection, connection.quote(column))
        if trigrams is not None:
            operators = f"{quoted(trigrams)}.gin_trgm_ops"
            yield _name("search", column), f"({own_plain(connection, connection.quote(column))}) {operators}"


def _name(kind: str, column: str) -> str:
    name = f"customer_{kind}_{column}"
    if len(name.encode()) <= _LONGEST:
        return name
    return f"customer_{kind}_{hashlib.sha256(column.encode()).hexdigest()[:16]}"
