"""How to read the scripts of PostgreSQL: `split`, and what a statement does to its transaction and its session."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from custctl.engines.postgresql.reader import Reader
from custctl.engines.postgresql.splitting import split
from custctl.engines.postgresql.tokens import first_word, tokenise
from custctl.engines.scripts import Statement
from custctl.support.patterns import compiled

__all__ = [
    "ConcurrentIndex",
    "changes_role",
    "concurrent_index",
    "may_commit",
    "needs_autocommit",
    "restores_session",
    "split",
    "transaction_control",
]

_COMMITS = compiled(r"\b(?:COMMIT|ROLLBACK|CALL|EXECUTE)\b", re.ASCII | re.IGNORECASE)

_CONTROL = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE"})
_SESSION = frozenset({"SET", "RESET", "SELECT", "LISTEN", "UNLISTEN", "PREPARE", "DEALLOCATE", "LOAD"})


class ConcurrentIndex(NamedTuple):
    """The index that CREATE INDEX CONCURRENTLY builds; names as PostgreSQL stores them.

    Attributes:
        schema: the index's schema, which is its table's; None if the script leaves it to the search path.
        name: the index's name; None if PostgreSQL chooses it.
        table_schema: the table's schema; None if the script leaves it to the search path.
        table: the table's name.
    """

    schema: str | None
    name: str | None
    table_schema: str | None
    table: str


def transaction_control(statement: Statement) -> str | None:
    """Return the keywords of a statement that would begin or end a transaction.

    Returns:
        `BEGIN`, `START TRANSACTION`, `COMMIT`, `END`, `ROLLBACK`, `ABORT`, `PREPARE TRANSACTION`, `COMMIT PREPARED`,
        `ROLLBACK PREPARED`, or None. Savepoints, and rolling back to one, stay inside a transaction and do not count.
    """
    keyword = first_word(statement.text)
    if keyword not in _CONTROL:
        return None
    reader = Reader(tokenise(statement.text))
    reader.take()
    if keyword in ("START", "PREPARE"):
        return f"{keyword} TRANSACTION" if reader.accept("TRANSACTION") else None
    if reader.accept("PREPARED"):
        return f"{keyword} PREPARED"
    if keyword == "ROLLBACK":
        reader.accept("WORK", "TRANSACTION")
        if reader.accept("TO"):
            return None
    return keyword


def needs_autocommit(statement: Statement) -> bool:
    """Whether PostgreSQL refuses to run a statement inside a transaction block.

    It misses what a script's text does not show: CLUSTER and REINDEX of a partitioned table, and CALL of a procedure
    that commits; `may_commit` covers these. CREATE, ALTER and DROP SUBSCRIPTION always count, though some forms run
    inside a transaction.

    Source: the callers of `PreventInTransactionBlock` in PostgreSQL 18.
    """
    check = _AUTOCOMMIT.get(first_word(statement.text))
    if check is None:
        return False
    reader = Reader(tokenise(statement.text))
    reader.take()
    return check(reader)


def may_commit(statement: Statement) -> bool:
    """Whether a statement may commit by itself, or may need to, so that it must run outside a transaction.

    A script's text does not show this for sure. A procedure may commit, and so may a block that contains a commit or
    runs something that may commit. CLUSTER and REINDEX of a partitioned table commit table by table.
    """
    match first_word(statement.text):
        case "CALL" | "CLUSTER" | "REINDEX":
            return True
        case "DO":
            return _COMMITS.search(statement.text) is not None
    return False


def changes_role(statement: Statement) -> bool:
    """Whether a statement changes the role of its session until further notice."""
    reader = Reader(tokenise(statement.text))
    if not reader.accept("SET", "RESET"):
        return False
    reader.accept("SESSION")
    return bool(reader.accept("ROLE", "AUTHORIZATION"))


def concurrent_index(statement: Statement) -> ConcurrentIndex | None:
    """Return the index that CREATE INDEX CONCURRENTLY builds, to find a half-built one; None for other statements."""
    if first_word(statement.text) != "CREATE":
        return None
    reader = Reader(tokenise(statement.text))
    reader.take()
    reader.accept("UNIQUE")
    if not reader.phrase("INDEX", "CONCURRENTLY"):
        return None
    reader.phrase("IF", "NOT", "EXISTS")
    name = None if reader.keyword() == "ON" else reader.name()
    if not reader.accept("ON") or (table := reader.table()) is None:
        return None
    return ConcurrentIndex(table.schema, name.name if name else None, table.schema, table.name)


def restores_session(statement: Statement) -> bool:
    """Whether a statement sets something that ends with the session.

    A script outside a transaction that resumes on a new session must run these again: SET and RESET, `set_config()`
    as pg_dump calls it, LISTEN, prepared statements and loaded libraries. Settings that end with the transaction (SET
    LOCAL, SET CONSTRAINTS, SET TRANSACTION) do not count; nor does DISCARD, which would release the session's locks.
    """
    keyword = first_word(statement.text)
    if keyword not in _SESSION:
        return False
    reader = Reader(tokenise(statement.text))
    reader.take()
    if keyword == "SET":
        return not reader.accept("LOCAL", "CONSTRAINTS", "TRANSACTION")
    if keyword == "PREPARE":
        return not reader.accept("TRANSACTION")
    if keyword == "SELECT":
        name = reader.name()
        arguments = reader.group() if name and name.name == "set_config" else None
        return arguments is not None and [token.keyword for token in Reader(arguments).items()[-1]] != ["TRUE"]
    return True


# Statements that cannot run inside a transaction block: one function per first keyword, which reads what follows it.


def _create(reader: Reader) -> bool:
    reader.accept("UNIQUE")
    return reader.phrase("INDEX", "CONCURRENTLY") or bool(reader.accept("DATABASE", "TABLESPACE", "SUBSCRIPTION"))


def _alter(reader: Reader) -> bool:
    if reader.accept("SYSTEM", "SUBSCRIPTION"):
        return True
    if reader.accept("DATABASE"):
        return reader.name() is not None and reader.phrase("SET", "TABLESPACE")
    if not reader.accept("TABLE"):
        return False
    reader.phrase("IF", "EXISTS")
    detaches = reader.table() is not None and reader.phrase("DETACH", "PARTITION")
    return detaches and reader.name() is not None and bool(reader.accept("CONCURRENTLY"))


def _always(reader: Reader) -> bool:
    return True


def _discard(reader: Reader) -> bool:
    return bool(reader.accept("ALL"))


def _prepared(reader: Reader) -> bool:
    return bool(reader.accept("PREPARED"))


def _reindex(reader: Reader) -> bool:
    if "CONCURRENTLY" in reader.options():
        return True
    what = reader.accept("INDEX", "TABLE", "SCHEMA", "DATABASE", "SYSTEM")
    return what in ("SCHEMA", "DATABASE", "SYSTEM") or bool(reader.accept("CONCURRENTLY"))


def _cluster(reader: Reader) -> bool:
    reader.group()
    reader.accept("VERBOSE")
    return reader.take() is None


_AUTOCOMMIT: dict[str, Callable[[Reader], bool]] = {
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _create,
    "REINDEX": _reindex,
    "CLUSTER": _cluster,
    "VACUUM": _always,
    "DISCARD": _discard,
    "COMMIT": _prepared,
    "ROLLBACK": _prepared,
}
