"""Adopting a database that has the schema already: its scripts are journalled and not run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from custctl.customers import audit
from custctl.migrations import journal
from custctl.migrations.plan import split_script
from custctl.migrations.runner import require_preconditions
from custctl.migrations.scripts import Script, discover
from custctl.schema import standing
from custctl.schema.names import AUDIT
from custctl.support.errors import MigrationError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.migrations.journal import State
    from custctl.migrations.runner import Listener


def plan_baseline(database: Database, sql_dir: Path, version: int) -> tuple[Script, ...]:
    """Return the scripts that a baseline would take for applied.

    Raises:
        UsageError: no script has that number, or two have it.
        MigrationError: there is a journal already, or nothing to adopt.
    """
    scripts = discover(sql_dir, database.engine_name).up_to(version)
    _check(journal.read_state(database), database.location)
    require_preconditions(database)
    return scripts


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
    """Journal scripts as there already, stamp the database and record it in the audit where that is there already.

    All of it is one transaction.
    """
    with (
        database.migration_lock(lock_timeout, listener.waiting),
        database.script_session() as session,
    ):
        state = journal.read_state_on(database, session.connection)
        _check(state, database.location)
        session.begin()
        journal.create(database, session.connection)
        standing.stamp(session.connection, environment, database.branch(session.connection))
        now = session.connection.run("clock.now").scalar()
        for script in scripts:
            total = len(split_script(database, script))
            number = journal.free_number(session.connection, script)
            row = journal.row(
                script, number=number, state="baseline", applied=total, total=total, actor=actor, started_at=now
            )
            journal.write(session.connection, script, row, is_new=True)
        if AUDIT in state.tables:
            detail = {"environment": environment, "scripts": [script.name for script in scripts]}
            audit.append(database, session.connection, audit.Entry(operation_id, "baseline", actor, detail=detail))
        session.commit()
    listener.stamped(environment)


def _check(state: State, location: str) -> None:
    if state.refusal is not None:
        raise state.refusal
    if state.has_journal:
        raise MigrationError(f"{location} already has a journal", hint="`custctl migrate status` shows it")
    if not state.tables:
        raise MigrationError(f"{location} has no tables to adopt", hint="migrate it with `custctl migrate`")
