"""Recording the company's own fields, so that reads need not query the engine's catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from custctl.migrations import journal
from custctl.migrations.column_markers import column_markers, searchable_columns
from custctl.schema.own import Field, dump_record
from custctl.schema.standing import read_undo, record_own_fields, record_undo
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.model import SearchIndex
    from custctl.engines.scripting import ScriptSession
    from custctl.migrations.journal import Record
    from custctl.migrations.run import Listener
    from custctl.migrations.scripts import Script


def found_fields(database: Database, connection: Connection, records: Iterable[Record]) -> list[Field]:
    """Return the table's own fields; those that the scripts of the journal mark are searchable."""
    return _marked(database.own_fields(connection), _applied(records))


def _applied(records: Iterable[Record]) -> list[str]:
    return [each.script for each in records if each.state in journal.DONE]


def _marked(fields: Sequence[Field], scripts: Iterable[str]) -> list[Field]:
    texts = [text for text in scripts if "searchable" in text.lower()]

    def is_searchable(field: Field) -> bool:
        return field.kind == "text" and any("searchable" in column_markers(text, field.name) for text in texts)

    return [field._replace(searchable=is_searchable(field)) for field in fields]


def _planned(database: Database, connection: Connection, found: Sequence[Field]) -> tuple[SearchIndex, ...]:
    return database.plan_own_words(connection, [field.name for field in found if field.searchable])


def plan(
    database: Database, connection: Connection, records: Iterable[Record], scripts: Sequence[Script]
) -> tuple[SearchIndex, ...]:
    """Return the search indexes that `record` would build once these scripts are applied."""
    names = {script.name for script in scripts}
    before = _applied(each for each in records if each.name not in names)
    found = _marked(database.own_fields(connection), [*before, *(script.text for script in scripts)])
    there = {field.name for field in found}
    added = [name for script in scripts for name in searchable_columns(script.text) if name not in there]
    return _planned(database, connection, [*found, *(Field(name, "text", "", searchable=True) for name in added)])


def plan_first(database: Database, scripts: Sequence[Script]) -> tuple[str, ...]:
    """Return the names of the search indexes that `record` would build after scripts that create the tables."""
    columns = [name for script in scripts for name in searchable_columns(script.text)]
    return database.first_own_words(columns, [script.name for script in scripts])


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


def record(database: Database, session: ScriptSession, listener: Listener) -> None:
    """Let a search look in the searchable own fields, and record the table's own fields.

    A failure does not undo what was applied or adopted: the listener gets it, and the next run records the fields. So
    it does if this run is killed before.
    """
    try:
        with session.errors():
            _index_and_record(database, session, listener.indexing)
    except CustctlError as error:
        listener.unrecorded(error)


def _index_and_record(database: Database, session: ScriptSession, on_build: Callable[[SearchIndex], None]) -> None:
    connection = session.connection
    fields = database.own_fields(connection)
    records = journal.read_state_on(database, connection).records if fields else ()
    found = _marked(fields, _applied(records))
    try:
        for index in _planned(database, connection, found):
            on_build(index)
            if records and all(each.state == "baseline" for each in records):
                _remember(session, index)
            database.build_own_words(session, index)
    except CustctlError:
        # Without an index, searches would read all rows.
        _record(database, session, [field._replace(searchable=False) for field in found])
        raise
    _record(database, session, found)


def _remember(session: ScriptSession, index: SearchIndex) -> None:
    """Record how to undo an index before it is built, as long as the adoption can be taken back."""
    with session.transaction():
        record_undo(session.connection, [*index.undo, *read_undo(session.connection)])


def _record(database: Database, session: ScriptSession, fields: Sequence[Field]) -> None:
    held = dump_record(fields)
    with session.transaction():
        record_own_fields(session.connection, held)
    database.learn(session.connection, held)
