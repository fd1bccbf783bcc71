"""Recording the company's own fields, so that reads need not query the engine's catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from custctl.schema.own import Field, dump_record
from custctl.schema.standing import record_own_fields

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.scripting import ScriptSession


def found_record(database: Database, connection: Connection) -> str | None:
    """Return the record of the table's own fields; None if it has none."""
    return dump_record(database.own_fields(connection))


def changed_fields(found: Sequence[Field], recorded: Sequence[Field]) -> list[str]:
    """Describe how the table's own fields differ from the recorded ones."""
    there = {field.name: field for field in found}
    held = {field.name: field for field in recorded}
    told = [f"`{name}` is new" for name in there if name not in held]
    told += [f"`{name}` is missing" for name in held if name not in there]
    told += [f"`{name}` is now {there[name].native}" for name in there if name in held and there[name] != held[name]]
    return told


def record(database: Database, session: ScriptSession) -> None:
    """Record the table's own fields, if they are not recorded already.

    If a run is killed between a script's commit and this one, the next run notices, because it checks each time.
    """
    found = found_record(database, session.connection)
    session.begin()
    try:
        record_own_fields(session.connection, found)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    database.learn(session.connection, found)
