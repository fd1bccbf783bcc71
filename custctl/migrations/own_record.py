"""Recording the company's own fields, so that reads need not query the engine's catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from custctl.migrations import journal
from custctl.migrations.column_markers import column_markers
from custctl.schema.own import Field, dump_record
from custctl.schema.standing import record_own_fields
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.scripting import ScriptSession
    from custctl.migrations.journal import Record


def found_fields(database: Database, connection: Connection, records: Iterable[Record]) -> list[Field]:
    """Return the table's own fields; those that the scripts of the journal mark are searchable."""
    return _marked(database.own_fields(connection), records)


def _marked(fields: Sequence[Field], records: Iterable[Record]) -> list[Field]:
    texts = [each.script for each in records if each.state in journal.DONE and "searchable" in each.script.lower()]

    def is_searchable(field: Field) -> bool:
        return field.kind == "text" and any("searchable" in column_markers(text, field.name) for text in texts)

    return [field._replace(searchable=is_searchable(field)) for field in fields]


def changed_fields(found: Sequence[Field], recorded: Sequence[Field]) -> list[str]:
    """Describe how the table's own fields differ from the recorded ones."""
    there = {field.name: field for field in found}
    held = {field.name: field for field in recorded}
    told = [f"`{name}` is new" for name in there if name not in held]
    told += [f"`{name}` is missing" for name in held if name not in there]
    for name, field in there.items():
        if name in held and field != held[name]:
            is_same = field._replace(searchable=held[name].searchable) == held[name]
            now = ("" if field.searchable else "not ") + "searchable" if is_same else field.native
            told.append(f"`{name}` is now {now}")
    return told


def record(database: Database, session: ScriptSession) -> None:
    """Let a search look in the searchable own fields, and record the table's own fields.

    If a run is killed between a script's commit and this one, the next run notices, because it checks each time.
    """
    connection = session.connection
    fields = database.own_fields(connection)
    found = _marked(fields, journal.read_state_on(database, connection).records) if fields else []
    try:
        database.index_own_words(session, [field.name for field in found if field.searchable])
    except CustctlError:
        # Without an index, searches would read all rows.
        _record(database, session, [field._replace(searchable=False) for field in found])
        raise
    _record(database, session, found)


def _record(database: Database, session: ScriptSession, fields: Sequence[Field]) -> None:
    held = dump_record(fields)
    session.begin()
    try:
        record_own_fields(session.connection, held)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    database.learn(session.connection, held)
