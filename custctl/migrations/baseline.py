"""Adopting a database that already has the schema: compare it, then journal its scripts without running them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.customers import audit
from custctl.migrations import journal, own_record
from custctl.migrations.plan import split_script
from custctl.migrations.runner import check_state, require_preconditions
from custctl.migrations.scripts import Script, discover
from custctl.migrations.shapes import Comparison, Recorded, compare_with, expected_by
from custctl.schema import standing
from custctl.schema.names import AUDIT, BOOTSTRAP
from custctl.support.errors import MigrationError, RefusedError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.model import SearchIndex
    from custctl.migrations.journal import Record, State
    from custctl.migrations.run import Listener


_ACTION = "baseline"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a baseline would do, and what prevents it.

    Attributes:
        scripts: the scripts that it would count as applied.
        comparison: where the database differs from them.
        indexes: the search indexes that it would build.
    """

    scripts: tuple[Script, ...]
    comparison: Comparison
    indexes: tuple[SearchIndex, ...] = ()

    def check(self) -> None:
        """Refuse a database of another shape.

        Raises:
            MigrationError: lists every difference, in words and in its details.
            RefusedError: this login cannot compare the schema.
        """
        found = self.comparison
        if found.refusal is not None:
            raise RefusedError(
                f"the schema cannot be compared: {found.refusal}", hint="adopt it as the owner of the tables"
            )
        if found.differences:
            count = plural(len(found.differences), "difference", "differences")
            last = self.scripts[-1].version if self.scripts else ""
            raise MigrationError(
                "\n".join(
                    [
                        f"the schema is not as the scripts up to {last} make it: {count}; nothing was written",
                        *(each.sentence for each in found.differences),
                    ]
                ),
                hint=f"`custctl migrate baseline {last} --script gap.sql` writes the statements that close the gap",
                details={"differences": found.documents()},
            )


def plan_baseline(database: Database, sql_dir: Path, version: int) -> Adoption:
    """Return the scripts that a baseline would count as applied, compared with the database.

    Raises:
        UsageError: no script has that number, or two have it.
        MigrationError: a journal already exists, or there is nothing to adopt.
    """
    scripts = discover(sql_dir, database.engine_name).up_to(version)
    state = journal.read_state(database)
    require_preconditions(database, state)
    _check(state, database.location)
    with database.reading() as connection:
        comparison = _compared(database, connection, scripts)
        return Adoption(scripts, comparison, own_record.plan(database, connection, (), scripts))


def _compared(database: Database, connection: Connection, scripts: tuple[Script, ...]) -> Comparison:
    return compare_with(database, connection, expected_by(database.product(), scripts, Recorded()))


def baseline(
    database: Database,
    scripts: tuple[Script, ...],
    *,
    environment: str,
    actor: str,
    operation_id: str,
    lock_timeout: float,
    listener: Listener,
) -> None:
    """Journal scripts as already present, stamp the database, and record it in the audit if there is one.

    Everything happens in one transaction; only own fields are recorded after it, as `migrate` does.

    Raises:
        MigrationError: the database differs from what the scripts make, or has been adopted meanwhile.
    """
    with (
        database.migration_lock(lock_timeout, listener.waiting),
        database.script_session() as session,
    ):
        state = journal.read_state_on(database, session.connection)
        _check(state, database.location)
        with session.transaction():
            comparison = _compared(database, session.connection, scripts)
            Adoption(scripts, comparison).check()
            journal.create(database, session.connection)
            standing.stamp(session.connection, environment, database.branch(session.connection))
            now = session.connection.run("clock.now").scalar()
            for script in scripts:
                total = len(split_script(database, script))
                # What was not compared is not known to exist.
                applied = 0 if script.name in comparison.unknown else total
                number = journal.free_number(session.connection, script)
                row = journal.row(
                    script, number=number, state="baseline", applied=applied, total=total, actor=actor, started_at=now
                )
                journal.write(session.connection, script, row, is_new=True)
            if AUDIT in state.tables:
                detail = {"environment": environment, "scripts": [script.name for script in scripts]}
                audit.append(database, session.connection, audit.Entry(operation_id, _ACTION, actor, detail=detail))
        own_record.record(database, session, listener)
    listener.stamped(environment)


def plan_undo(database: Database, environment: str) -> tuple[Record, ...]:
    """Return the journal's records of an adoption that can be undone.

    Raises:
        MigrationError: there is no journal.
        RefusedError: something was applied after the adoption; or the stamp is another environment's.
    """
    return _adopted(journal.read_state(database), environment, database.location)


def undo(database: Database, *, environment: str, lock_timeout: float, listener: Listener) -> tuple[Record, ...]:
    """Undo an adoption: restore the database to its state before it.

    Raises:
        MigrationError: as `plan_undo`.
        RefusedError: as `plan_undo`.
    """
    with (
        database.migration_lock(lock_timeout, listener.waiting),
        database.script_session() as session,
    ):
        state = journal.read_state_on(database, session.connection)
        adopted = _adopted(state, environment, database.location)
        with session.transaction():
            if AUDIT in state.tables:
                _forget(database, session.connection)
            for statement in standing.read_undo(session.connection):
                session.connection.send(statement)
            database.undo_tables(session.connection, BOOTSTRAP)
    return adopted


def _forget(database: Database, connection: Connection) -> None:
    """Remove the adoption from the audit, unless a later row may be chained to it."""
    table = connection.qualified(AUDIT)
    newest = connection.send(f"SELECT id, action FROM {table} WHERE id = (SELECT MAX(id) FROM {table})").first()
    if newest is not None and newest.action == _ACTION:
        database.take_back_row(connection, AUDIT, newest.id)


def _adopted(state: State, environment: str, location: str) -> tuple[Record, ...]:
    if not state.has_journal:
        raise MigrationError(
            f"{location} has no journal: nothing was adopted", hint="`custctl migrate status` shows it"
        )
    check_state(state, environment, location)
    later = [record.name for record in state.records if record.state != "baseline"]
    if later or not state.records:
        names = ", ".join(f"`{name}`" for name in later) or "nothing"
        raise RefusedError(
            f"the adoption of {location} cannot be undone: {names} was applied after it",
            hint="write a script that changes what is left",
            details={"applied": later},
        )
    return state.records


def _check(state: State, location: str) -> None:
    if state.refusal is not None:
        raise state.refusal
    if state.has_journal:
        raise MigrationError(f"{location} already has a journal", hint="`custctl migrate status` shows it")
    if not state.tables:
        raise MigrationError(f"{location} has no tables to adopt", hint="migrate it with `custctl migrate`")
