"""Finds out from the catalogue whether a statement outside a transaction took effect, if its end was not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from custctl.engines.postgresql.concurrently import index_is_valid, regclass
from custctl.engines.postgresql.messages import legible
from custctl.engines.postgresql.reader import Name, Reader
from custctl.engines.postgresql.script import concurrent_index, restores_session
from custctl.engines.postgresql.tokens import first_word, tokenise

if TYPE_CHECKING:
    from custctl.engines.postgresql.connection import LimitedConnection
    from custctl.engines.scripts import Statement

# Running these again is harmless.
_AGAIN = frozenset({"VACUUM", "REINDEX", "CLUSTER", "DISCARD"})
_NAMED: dict[str, LiteralString] = {
    "DATABASE": "SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s",
    "TABLESPACE": "SELECT 1 FROM pg_catalog.pg_tablespace WHERE spcname = %s",
    "SUBSCRIPTION": (
        "SELECT 1 FROM pg_catalog.pg_subscription WHERE subname = %s"
        " AND subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    ),
}
_PREPARED: LiteralString = (
    "SELECT 1 FROM pg_catalog.pg_prepared_xacts WHERE database = current_database() AND quote_literal(gid) = %s"
)
_PARTITION: LiteralString = "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)"


def settle(driver: LimitedConnection, statement: Statement) -> bool | None:
    """Check whether a statement took effect, or can be run again in any case.

    The session's settings must be those that the statement had, because a name may be looked up along the search path.

    Returns:
        True, False, or None if that cannot be determined.
    """
    word = first_word(statement.text)
    if word in _AGAIN or restores_session(statement):
        return False
    with legible(driver):
        return _look(driver, statement, word)


def _look(driver: LimitedConnection, statement: Statement, word: str) -> bool | None:
    index = concurrent_index(statement)
    if index is not None:
        return index_is_valid(driver, index) if index.name is not None else None
    reader = Reader(tokenise(statement.text))
    reader.take()
    match word:
        case "CREATE" | "DROP":
            return _made_or_dropped(driver, reader, made=word == "CREATE")
        case "ALTER":
            return _altered(driver, reader)
        case "COMMIT" | "ROLLBACK" if reader.accept("PREPARED"):
            name = reader.take()
            return not _one(driver, _PREPARED, name.text) if name and name.text.startswith("'") else None
    return None


def _made_or_dropped(driver: LimitedConnection, reader: Reader, *, made: bool) -> bool | None:
    if not made and reader.phrase("INDEX", "CONCURRENTLY"):
        reader.phrase("IF", "EXISTS")
        index = reader.name()
        return None if index is None else not _one(driver, "SELECT to_regclass(%s)::oid", _spelt(index))
    query = _NAMED.get(reader.accept(*_NAMED))
    reader.phrase("IF", "EXISTS")
    name = reader.name() if query else None
    if query is None or name is None:
        return None
    return bool(_one(driver, query, name.name)) == made


def _altered(driver: LimitedConnection, reader: Reader) -> bool | None:
    if reader.accept("SYSTEM", "DATABASE"):
        return False  # a setting or a location: repeating it is harmless
    if not reader.accept("TABLE"):
        return None
    reader.phrase("IF", "EXISTS")
    table = reader.table()
    partition = reader.name() if table is not None and reader.phrase("DETACH", "PARTITION") else None
    if table is None or partition is None:
        return None
    row = driver.execute(_PARTITION, (_spelt(table), _spelt(partition))).fetchone()
    if row is None:
        return True
    # A half-detached partition must be finished by a person, with FINALIZE.
    return None if row[0] else False


def _one(driver: LimitedConnection, query: LiteralString, *values: str) -> Any:
    row = driver.execute(query, values).fetchone()
    return row[0] if row is not None else None


def _spelt(name: Name) -> str:
    return regclass(name.schema, name.name)
