"""Repairing the journal: accept changed texts, settle what was interrupted, stamp a restored database anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from custctl import standing
from custctl.customers import audit
from custctl.errors import MigrationError, OutcomeUnknownError, RefusedError
from custctl.migrations import journal
from custctl.migrations.journal import DONE, Record, State
from custctl.migrations.plan import Drift, make_plan
from custctl.migrations.scripts import Script, discover
from custctl.tables import customer_audit, metadata

if TYPE_CHECKING:
    from custctl.engines.base import Database, ScriptSession
    from custctl.migrations.runner import Listener


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A script that stopped half-way, and how far it came."""

    script: Script
    record: Record


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair would change.

    Attributes:
        accept: drifted scripts whose text on disk is taken for what was applied.
        settle: scripts that stopped half-way; a rerun goes on after their last good statement.
        restamp: the old stamp (None where there is none) and the new one; None where it stays.
    """

    accept: tuple[Drift, ...]
    settle: tuple[Unsettled, ...]
    restamp: tuple[str | None, str] | None

    @property
    def is_empty(self) -> bool:
        """True where nothing is to be repaired."""
        return not (self.accept or self.settle or self.restamp)


def plan_repair(database: Database, sql_dir: Path, *, environment: str, restamp: bool) -> Repair:
    """Work out what there is to repair, without changing anything.

    Args:
        environment: the profile's, which the stamp must equal where it is not to be changed.
        restamp: whether the stamp is to become `environment`.

    Raises:
        MigrationError: there is no journal.
        RefusedError: a standby, or another environment's stamp.
    """
    return _plan(database, journal.read_state(database), sql_dir, environment=environment, restamp=restamp)


def _plan(database: Database, state: State, sql_dir: Path, *, environment: str, restamp: bool) -> Repair:
    if not state.has_journal:
        raise MigrationError(f"{database.location} has no journal to repair", hint="run `custctl migrate`")
    if state.standby:
        raise RefusedError(f"{database.location} is a read-only standby", hint="repair the primary")
    found = state.standing or standing.Standing(None, 1, None, None)
    if not restamp:
        standing.check_environment(found, environment, database.location)
    scripts = discover(sql_dir, database.engine_name)
    plan = make_plan(scripts, state.records, environment=environment, features=database.features())
    on_disk = {script.version: script for script in scripts.versioned}
    by_name = {script.name: script for script in scripts.repeatable}
    unsettled = []
    for record in state.records:
        script = on_disk.get(record.version) if record.version is not None else by_name.get(record.name)
        if (
            record.state not in DONE
            and script is not None
            and (record.state == "running" or record.in_flight is not None)
        ):
            unsettled.append(Unsettled(script, record))
    new_stamp = (found.environment, environment) if restamp and found.environment != environment else None
    return Repair(plan.drifted, tuple(unsettled), new_stamp)


def repair(
    database: Database,
    planned: Repair,
    sql_dir: Path,
    *,
    environment: str,
    restamp: bool,
    actor: str,
    operation_id: str,
    lock_timeout: float,
    listener: Listener,
) -> None:
    """Carry a repair out, in one transaction; a restamp is recorded in the audit where there is one.

    Raises:
        MigrationError: the database has changed since the repair was planned.
        OutcomeUnknownError: whether a statement in flight took effect cannot be seen.
    """
    with (
        database.migration_lock(lock_timeout, listener.waiting),
        database.script_session() as session,
    ):
        state = journal.read_state_on(database, session.connection)
        if _plan(database, state, sql_dir, environment=environment, restamp=restamp) != planned:
            raise MigrationError("the journal has changed meanwhile; nothing was repaired", hint="run it again")
        session.begin()
        for drift in planned.accept:
            journal.accept(session.connection, drift.script)
        for unsettled in planned.settle:
            _settle(database, session, unsettled)
        if planned.restamp:
            _restamp(database, session, state, planned.restamp, actor, operation_id)
        session.commit()


def _settle(database: Database, session: ScriptSession, unsettled: Unsettled) -> None:
    record = unsettled.record
    journal.fail(database, session.connection, record)
    if record.in_flight is None:
        return
    statement = database.split(record.script)[record.in_flight]
    took_effect = database.settle(session.connection, statement)
    if took_effect is None:
        raise OutcomeUnknownError(
            f"whether statement {record.in_flight + 1} of `{record.name}` took effect cannot be seen",
            hint="make its effect undone by hand, then repair again",
        )
    applied = record.in_flight + (1 if took_effect else 0)
    journal.progress(session.connection, unsettled.script, applied=applied)


def _restamp(
    database: Database,
    session: ScriptSession,
    state: State,
    change: tuple[str | None, str],
    actor: str,
    operation_id: str,
) -> None:
    before, after = change
    if metadata.name not in state.tables:
        journal.create(session.connection)
    done = standing.restamp(session.connection, after)
    if customer_audit.name in state.tables:
        detail = {"from": before, "to": after, "database_id": done.database_id, "epoch": done.epoch}
        audit.append(database, session.connection, audit.Entry(operation_id, "restamp", actor, detail=detail))
