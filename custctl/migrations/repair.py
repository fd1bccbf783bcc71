"""Repairing the journal: accept changed texts, settle interrupted scripts, restamp a restored database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custctl.customers import audit
from custctl.customers.operations import OperationIdUsedError
from custctl.migrations import journal, pseudonymising
from custctl.migrations.directives import ENVIRONMENTS
from custctl.migrations.journal import DONE, Record, State
from custctl.migrations.plan import Drift, make_plan
from custctl.migrations.resuming import in_flight, restore_settings
from custctl.migrations.scripts import Script, discover, seed_sets
from custctl.schema import standing
from custctl.schema.names import AUDIT, METADATA
from custctl.support.errors import MigrationError, RefusedError, UsageError
from custctl.support.text import nearest

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.scripting import ScriptSession
    from custctl.migrations.run import Listener
    from custctl.profiles import Profile


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A script that stopped half-way, and how far it got."""

    script: Script
    record: Record


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a repair.

    Attributes:
        change: accept, settle or restamp.
        script: the script's name; empty for the stamp.
        detail: the accepted checksum, how far a script got, or the old stamp and the new one.
    """

    change: str
    script: str
    detail: str


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair would change.

    Attributes:
        sql_dir: the folder of scripts that the plan was made from.
        environment: the profile's.
        accept: drifted scripts whose text on disk is accepted as what was applied.
        settle: scripts that stopped half-way; a rerun resumes after their last good statement.
        restamp: the old stamp (None if there is none) and the new one; None to keep the stamp.
        may_restamp: whether a new stamp was requested.
    """

    sql_dir: Path
    environment: str
    accept: tuple[Drift, ...]
    settle: tuple[Unsettled, ...]
    restamp: tuple[str | None, str] | None
    may_restamp: bool

    @property
    def is_empty(self) -> bool:
        """True if there is nothing to repair."""
        return not (self.accept or self.settle or self.restamp)

    @property
    def stamps_production(self) -> bool:
        """True if a production database gets another stamp, or another database is stamped as production."""
        return self.restamp is not None and "production" in self.restamp

    def changes(self) -> Iterator[Change]:
        """Yield all changes."""
        for drift in self.accept:
            yield Change("accept", drift.script.name, drift.script.checksum)
        for each in self.settle:
            done, of = each.record.statements_applied, each.record.statements_total
            yield Change("settle", each.script.name, f"{done} of {of} statements are applied")
        if self.restamp:
            yield Change("restamp", "", f"{self.restamp[0] or 'no stamp'} -> {self.restamp[1]}")

    def in_words(self) -> Iterator[str]:
        """Yield what the user must know before confirming, line by line: the changes, and their assumptions."""
        for change in self.changes():
            yield " ".join(filter(None, (change.change, change.script, change.detail)))
        for each in self.settle:
            if each.record.in_flight is not None:
                yield (
                    f"statement {each.record.in_flight + 1} of {each.script.name} was in flight: counted as"
                    " applied only if the database shows it"
                )
        for drift in self.accept:
            for line in drift.diff.splitlines():
                yield f"  {line}"


def check_stamp(wanted: str, profile: Profile) -> None:
    """Refuse a stamp other than the environment of the profile in use.

    Raises:
        UsageError: another environment's, or not an environment.
    """
    if wanted not in ENVIRONMENTS:
        close = nearest(wanted, ENVIRONMENTS)
        raise UsageError(
            f"there is no environment `{wanted}`",
            hint=f"did you mean `{close}`?" if close else f"environments: {', '.join(ENVIRONMENTS)}",
        )
    if wanted != profile.environment:
        raise UsageError(
            f"`--environment {wanted}` does not match the environment of the profile `{profile.name}`, `{profile.environment}`",
            hint=f"use a profile for `{wanted}`, so that the stamp and the profile match",
        )


def plan_repair(database: Database, sql_dir: Path, *, environment: str, restamp: bool) -> Repair:
    """Find out what there is to repair, without changing anything.

    Args:
        environment: the profile's; it must equal the stamp unless the stamp is to change.
        restamp: whether to change the stamp to `environment`.

    Raises:
        MigrationError: there is no journal.
        RefusedError: the database refuses writes, or has another environment's stamp.
    """
    return _plan(database, journal.read_state(database), sql_dir, environment=environment, restamp=restamp)


def _plan(database: Database, state: State, sql_dir: Path, *, environment: str, restamp: bool) -> Repair:
    if not state.has_journal:
        raise MigrationError(f"{database.location} has no journal to repair", hint="run `custctl migrate`")
    if state.refusal is not None:
        raise state.refusal
    found = state.standing or standing.Standing(None, 1, None, None)
    if not restamp:
        standing.check_environment(found, environment, database.location)
    scripts = discover(sql_dir, database.engine_name)
    plan = make_plan(scripts, state.records, environment=environment, features=database.features())
    on_disk = {(script.space, script.version): script for script in scripts.versioned}
    seeds = [script for each in seed_sets(sql_dir, database.engine_name).values() for script in each]
    by_name = {script.name: script for script in (*scripts.repeatable, *seeds)}
    unsettled = []
    for record in state.records:
        script = on_disk.get((record.space, record.number)) or by_name.get(record.name)
        if (
            record.state not in DONE
            and script is not None
            and (record.state == "running" or record.in_flight is not None)
        ):
            unsettled.append(Unsettled(script, record))
    new_stamp = (found.environment, environment) if restamp and found.environment != environment else None
    return Repair(sql_dir, environment, plan.drifted, tuple(unsettled), new_stamp, restamp)


def execute(
    database: Database,
    planned: Repair,
    *,
    actor: str,
    operation_id: str,
    lock_timeout: float,
    listener: Listener,
    pseudonymise: bool = False,
) -> None:
    """Carry out a repair in one transaction, and record it in the audit if there is one.

    The audit gets one entry `repair` for the scripts, and another one for a restamp.

    Args:
        pseudonymise: whether to record that personal data must be replaced afterwards.

    Raises:
        OperationIdUsedError: the operation id belongs to another request.
        MigrationError: the database has changed since the repair was planned.
        CredentialError: the database may hide customers from this login, and their data must be replaced.
    """
    with (
        database.migration_lock(lock_timeout, listener.waiting),
        database.script_session() as session,
    ):
        state = journal.read_state_on(database, session.connection)
        where, restamp = planned.sql_dir, planned.may_restamp
        if _plan(database, state, where, environment=planned.environment, restamp=restamp) != planned:
            raise MigrationError("the journal changed in the meantime; nothing was repaired", hint="run it again")
        has_audit = AUDIT in state.tables
        seen = [_look(database, session, unsettled) for unsettled in planned.settle]
        with session.transaction():
            if has_audit:
                _check_operation(session.connection, operation_id)
            done: list[tuple[str, dict[str, Any]]] = []
            for drift in planned.accept:
                journal.accept(session.connection, drift.script)
            settled = [_settle(database, session, *each) for each in zip(planned.settle, seen, strict=True)]
            if planned.accept or settled:
                done.append(("repair", {"accepted": list(map(_accepted, planned.accept)), "settled": settled}))
            if planned.restamp:
                if METADATA not in state.tables:
                    journal.create(database, session.connection)
                before, after = planned.restamp
                stamped = standing.restamp(session.connection, after, database.branch(session.connection))
                detail = {"from": before, "to": after, "database_id": stamped.database_id, "epoch": stamped.epoch}
                done.append(("restamp", detail))
            for part, (action, detail) in enumerate(done if has_audit else ()):
                entry = audit.Entry(operation_id, action, actor, part=part, detail=detail)
                audit.append(database, session.connection, entry)
            if pseudonymise:
                pseudonymising.begin(database, session.connection)


def check_pseudonymise(environment: str) -> None:
    """Refuse to replace personal data in production.

    Raises:
        RefusedError: the environment is production.
    """
    if environment == "production":
        raise RefusedError("personal data in production is never replaced", hint="use a profile of another environment")


def _check_operation(connection: Connection, operation_id: str) -> None:
    """Refuse an operation id that is in use: after a repair, there is nothing left to repair under its id."""
    for row in audit.find_operation(connection, operation_id):
        raise OperationIdUsedError(operation_id, f"has already been applied as `{row.action}`")


def _accepted(drift: Drift) -> dict[str, str]:
    return {"script": drift.script.name, "from": drift.record.checksum, "to": drift.script.checksum}


def _look(database: Database, session: ScriptSession, unsettled: Unsettled) -> bool | None:
    """Return whether the statement in flight took effect; None if there was none, or it cannot be determined."""
    record = unsettled.record
    statement = in_flight(database, record)
    if statement is None:
        return None
    restore_settings(database, session.run, record)
    took_effect = database.settle(session.connection, statement)
    session.reset()
    return took_effect


def _settle(
    database: Database, session: ScriptSession, unsettled: Unsettled, took_effect: bool | None
) -> dict[str, Any]:
    """Mark a script as failed where it stopped, and return the audit's facts about it.

    A statement whose outcome is unknown counts as not applied: the user was told to undo it.
    """
    record = unsettled.record
    journal.fail(database, session.connection, record)
    facts = {"script": record.name, "was": record.state, "applied": record.statements_applied}
    if record.in_flight is None or in_flight(database, record) is None:
        return facts
    applied = record.in_flight + (1 if took_effect else 0)
    journal.progress(session.connection, unsettled.script, applied=applied)
    return {**facts, "applied": applied, "in_flight": record.in_flight, "took_effect": took_effect}
