"""What a PostgreSQL script has set or created in its session, and a rerun on a new session lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from custctl.engines.postgresql.reader import Reader
from custctl.engines.postgresql.script import restores_session, transaction_control
from custctl.engines.postgresql.tokens import first_word, tokenise
from custctl.engines.resuming import Lost, Temporary, lost_objects, mentions

if TYPE_CHECKING:
    from custctl.engines.scripts import Statement

_TEMPORARY = "TEMP", "TEMPORARY"


def settings(statements: Sequence[Statement]) -> list[int]:
    """Return the indexes of the statements that a new session must run again, without those that were rolled back.

    Source: https://www.postgresql.org/docs/current/sql-set.html: a ROLLBACK undoes the settings of a transaction, and
        so does a rollback to a savepoint; PREPARE TRANSACTION keeps them.
    """
    kept: list[int] = []
    block: list[int] | None = None
    marks: list[tuple[str, int]] = []
    for number, statement in enumerate(statements):
        control = transaction_control(statement)
        if control in ("BEGIN", "START TRANSACTION"):
            block, marks = block or [], []
        elif control in ("COMMIT", "END", "PREPARE TRANSACTION", "ROLLBACK", "ABORT"):
            if control not in ("ROLLBACK", "ABORT"):
                kept += block or ()
            chained = statement.text.upper().split()[-2:] == ["AND", "CHAIN"]
            block, marks = [] if chained else None, []
        elif block is not None and first_word(statement.text) == "SAVEPOINT":
            marks.append((_last_name(statement), len(block)))
        elif block is not None and first_word(statement.text) == "ROLLBACK":
            name = _last_name(statement)
            while marks and marks[-1][0] != name:
                marks.pop()
            if marks:
                del block[marks[-1][1] :]
        elif restores_session(statement):
            (kept if block is None else block).append(number)
    return kept


def lost(applied: Sequence[Statement], rest: Sequence[Statement]) -> Lost | None:
    """Return the temporary object that one of the remaining statements needs, if any.

    Args:
        applied: the statements that have run.
        rest: the remaining statements.
    """
    left: dict[str, Temporary] = {}
    for statement in applied:
        found = _making(statement)
        if found is not None:
            left[found.name] = found
        elif first_word(statement.text) in ("DROP", "DISCARD"):
            left = {name: each for name, each in left.items() if not _drops(statement, name)}
    return lost_objects(
        left,
        rest,
        lambda statement: made.name if (made := _making(statement)) is not None else None,
        lambda statement, each: mentions(statement, each.name),
    )


def _last_name(statement: Statement) -> str:
    return [token.identifier or "" for token in tokenise(statement.text)][-1]


def _drops(statement: Statement, name: str) -> bool:
    return mentions(statement, name) or first_word(statement.text) == "DISCARD"


def _making(statement: Statement) -> Temporary | None:
    """Return the temporary object that a statement creates, if it outlives its transaction."""
    reader = Reader(tokenise(statement.text))
    word = reader.accept("CREATE", "SELECT", "WITH")
    if not word or "ON COMMIT DROP" in " ".join(statement.text.upper().split()):
        return None
    if word != "CREATE":
        while (token := reader.top_level()) is not None:
            if token.keyword == "INTO" and reader.accept(*_TEMPORARY):
                return _named(reader, "table")
        return None
    reader.phrase("OR", "REPLACE")
    reader.accept("GLOBAL", "LOCAL")
    temporary = bool(reader.accept(*_TEMPORARY))
    reader.accept("RECURSIVE")
    kind = reader.accept("TABLE", "VIEW", "SEQUENCE", "FUNCTION", "PROCEDURE", "TYPE")
    if not kind:
        return None
    reader.phrase("IF", "NOT", "EXISTS")
    return _named(reader, kind.lower(), only_in=None if temporary else "pg_temp")


def _named(reader: Reader, kind: str, *, only_in: str | None = None) -> Temporary | None:
    reader.accept("TABLE")
    name = reader.name()
    if name is None or (only_in is not None and name.schema != only_in):
        return None
    return Temporary(kind, name.shown, name.name)
