"""How one script is carried out: as one transaction, or statement by statement where the script asks for that."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from custctl.engines.scripts import Statement
from custctl.errors import (
    CommitLostError,
    CustctlError,
    ExitCode,
    MigrationError,
    OutcomeUnknownError,
    UnavailableError,
)
from custctl.migrations import journal
from custctl.migrations.journal import Record
from custctl.migrations.plan import Step
from custctl.migrations.scripts import Script
from custctl.migrations.substitution import mask, substitute
from custctl.tables import BOOTSTRAP

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from custctl.engines.base import Database, ScriptSession

_EXCERPT = 100  # characters of a failing statement that a message shows


@dataclass(frozen=True, slots=True)
class Task:
    """A step that is about to be carried out on an open session, whose lock the caller holds.

    Attributes:
        statements: the script, split.
        actor: who is journalled.
        started: `time.monotonic()` at the beginning, in seconds.
        so_far: what the run has applied before, in words.
        after_script: called in the script's own transaction, before its commit.
    """

    database: Database
    session: ScriptSession
    step: Step
    statements: Sequence[Statement]
    actor: str
    started: float
    so_far: str
    after_script: Callable[[Connection, Script], None] | None

    @property
    def script(self) -> Script:
        """The script of the step."""
        return self.step.script

    def run(self, statement: Statement) -> None:
        """Run one statement."""
        self.session.run(self.filled_in(statement))

    def filled_in(self, statement: Statement) -> Statement:
        """Return a statement as it runs; journal and messages know it as it was written."""
        if not self.script.directives.substitute:
            return statement
        text = substitute(statement.text, os.environ, name=self.script.name, line=statement.line)
        return replace(statement, text=text)

    def note(self, state: str, applied: int, *, started_at: str, error: str | None = None) -> None:
        """Write the script's row in the journal, in the open transaction."""
        self.session.take_own_rights()
        journal.write(
            self.database,
            self.session.connection,
            self.script,
            state=state,
            applied=applied,
            total=len(self.statements),
            actor=self.actor,
            started_at=started_at,
            duration_ms=milliseconds(self.started),
            error=error,
            is_new=self.step.record is None and self.script.directives.transaction,
        )

    def progress(self, applied: int, in_flight: int | None = None) -> None:
        """Journal how far the script has come, in the open transaction."""
        self.session.take_own_rights()
        journal.progress(self.session.connection, self.script, applied=applied, in_flight=in_flight)

    def begin(self) -> str:
        """Start a transaction, and make sure in it that the journal is still what was planned for.

        The lock sees to that, where it is still held. Where it does not reach as far as the database does, the row
        tells.

        Returns:
            The database's time.

        Raises:
            UnavailableError: the lock was lost, or another run has been here.
        """
        if not self.session.begin_script():
            raise UnavailableError(
                f"the migration lock was lost before `{self.script.name}`; {self.so_far}",
                hint="a pooler in transaction mode, or a script that ends its session's locks, takes it away: connect to"
                " the server itself, and run it again",
            )
        now = journal.recheck(self.database, self.session.connection, self.script, self.step.record)
        if now is None:
            raise UnavailableError(
                f"another run has begun or applied `{self.script.name}` meanwhile; {self.so_far}", hint="run it again"
            )
        return now


def carry_out(task: Task) -> None:
    """Run a script and journal it.

    Raises:
        MigrationError: it failed.
        UnavailableError: another run was faster, or the database was locked.
        CommitLostError: the connection was lost while a part of it, or all, was committed.
        OutcomeUnknownError: whether a statement in flight took effect before cannot be seen.
    """
    if task.script.directives.transaction:
        _in_transaction(task)
    else:
        _one_by_one(task)


# -- one transaction -------------------------------------------------------------------------------


def _in_transaction(task: Task) -> None:
    """Run a script and its journal row as one transaction."""
    session, script = task.session, task.script
    at: int | None = None
    if task.step.reason == "resume" and (task.step.resume_at or task.step.in_flight is not None):
        raise MigrationError(
            f"`{script.name}` stopped after statement {task.step.resume_at} outside a transaction,"
            " and is to run in one now: those statements would be applied twice",
            hint="put `-- custctl: transaction=off` back at its head",
        )
    try:
        started_at = task.begin()
        at = 0
        for at in session.run_all(map(task.filled_in, task.statements)):
            if not session.in_transaction():
                raise MigrationError(
                    f"{script.name}:{task.statements[at - 1].line}: the statement ended the script's transaction; {task.so_far}",
                    hint="look at what it left behind, then use `-- custctl: transaction=off`",
                )
        at = None
        task.note("applied", len(task.statements), started_at=started_at)
        if task.after_script is not None:
            task.after_script(session.connection, script)
        session.commit()
    except (MigrationError, CommitLostError):
        session.rollback()
        raise
    except CustctlError as error:
        session.rollback()
        raise _failure(task, at, error, "nothing of it was kept") from _cause(script, error)
    except sa.exc.DBAPIError as error:
        session.rollback()
        raise _journal_failure(task, error) from error


# -- statement by statement ------------------------------------------------------------------------


def _one_by_one(task: Task) -> None:
    """Run a script statement by statement, journalling each, so that a rerun goes on after the last good one."""
    database, session, script = task.database, task.session, task.script
    statements, total = task.statements, len(task.statements)

    def progress(applied: int, in_flight: int | None = None) -> None:
        session.begin()
        task.progress(applied, in_flight)
        session.commit()

    record = task.step.record if task.step.reason == "resume" else None
    if record is not None:
        restore_settings(database, task.run, record)
    started_at = task.begin()
    if record is not None:
        started_at = record.started_at
    done = _resume_at(task)
    task.note("running", done, started_at=started_at)
    session.commit()
    at: int | None = None
    opened = done  # the statement by which the script began a transaction of its own
    try:
        for number in range(done, total):
            at, statement = number, statements[number]
            control = database.language.transaction_control(statement)
            if session.in_transaction():
                # Between the script's own BEGIN and COMMIT; how far it came commits with them.
                if control in ("COMMIT", "END"):
                    task.progress(number + 1)
                task.run(statement)
            elif control is not None:
                opened = number
                task.run(statement)
            elif database.language.needs_autocommit(statement):
                progress(number, in_flight=number)
                task.run(statement)
                progress(number + 1)
            else:
                session.begin()
                task.run(statement)
                task.progress(number + 1)
                session.commit()
            if not session.in_transaction():
                done = number + 1
        if session.in_transaction():
            at = opened
            raise CustctlError("the transaction that begins here is never committed")
        at = None
        session.begin()
        task.note("applied", total, started_at=started_at)
        if task.after_script is not None:
            task.after_script(session.connection, script)
        session.commit()
    except CommitLostError:
        raise
    except CustctlError as error:
        session.rollback()
        reason = _reason(script, error)
        kept = f"{done} of its {total} statements are applied, and a rerun goes on after them"
        try:
            session.begin()
            task.note("failed", done, started_at=started_at, error=reason)
            session.commit()
        except (CustctlError, sa.exc.DBAPIError):
            # The row stays as it is, and a rerun goes on from there.
            kept = f"at least {done} of its {total} statements are applied, and a rerun looks how far it came"
        raise _failure(task, at, error, kept) from _cause(script, error)
    except sa.exc.DBAPIError as error:
        session.rollback()
        raise _journal_failure(task, error) from error


def _resume_at(task: Task) -> int:
    """Return where to go on in a script that was begun before.

    Raises:
        MigrationError: the statements that were applied have been changed.
        OutcomeUnknownError: whether the statement in flight took effect cannot be seen.
    """
    step, statements = task.step, task.statements
    if step.reason != "resume" or step.record is None:
        return 0
    applied = step.resume_at
    before = [statement.text for statement in task.database.language.split(step.record.script)]
    if before[:applied] != [statement.text for statement in statements[:applied]]:
        if step.script.version is None:
            return 0  # what is repeatable runs again whenever its text changes
        raise MigrationError(
            f"`{step.script.name}` stopped after statement {applied}, and what it had applied was changed since",
            hint="put those statements back as they were; change only what comes after them",
        )
    if step.in_flight is None or step.in_flight >= len(before):
        return applied
    settled = task.database.settle(task.session.connection, Statement(before[step.in_flight], 1))
    if settled is None:
        raise OutcomeUnknownError(
            f"whether statement {step.in_flight + 1} of `{step.script.name}` took effect is not known",
            hint="look at the database and undo what it did, then run `custctl migrate repair`, which takes it for not"
            " applied",
        )
    if not settled:
        return step.in_flight
    if step.in_flight >= len(statements) or statements[step.in_flight].text != before[step.in_flight]:
        raise MigrationError(
            f"`{step.script.name}` stopped after statement {step.in_flight + 1}, and what it had applied was changed since",
            hint="put those statements back as they were; change only what comes after them",
        )
    return step.in_flight + 1


def restore_settings(database: Database, run: Callable[[Statement], None], record: Record) -> None:
    """Run again what a script had set for its session (attached files, pragmas) before it stopped, and nothing else.

    Where one cannot be run any more, a later statement that needs it tells so better.
    """
    for statement in database.language.split(record.script)[: record.statements_applied]:
        if database.language.restores_session(statement):
            with suppress(CustctlError):
                run(statement)


# -- telling what failed ---------------------------------------------------------------------------


def _failure(task: Task, number: int | None, error: CustctlError, kept: str) -> MigrationError:
    """Return the error for a script that failed.

    Args:
        number: the 0-based number of the failing statement; None where it was none of them.
        kept: what the script left behind, in words.
    """
    script, reason = task.script, _reason(task.script, error)
    statement = task.statements[number] if number is not None else None
    if statement is None or number is None:
        lines = [f"{script.name}: {reason}"]
    else:
        place = f"{script.name}:{statement.line}: statement {number + 1} of {len(task.statements)}"
        lines = [f"{place} failed: {reason}", f"  {_excerpt(statement)}"]
    failure = MigrationError(
        "\n".join([*lines, f"{kept}; {task.so_far}"]),
        hint=error.hint if error.exit_code is ExitCode.MIGRATION and error.hint else "mend the script and run it again",
        details={
            "script": script.name,
            "line": statement.line if statement else None,
            "statement": number + 1 if number is not None else None,
        },
    )
    if error.exit_code in (ExitCode.UNAVAILABLE, ExitCode.CREDENTIAL, ExitCode.REFUSED):
        # A lock, a full disk, a lost connection or a node that takes no writes is no fault of the script.
        failure.exit_code = error.exit_code
        failure.hint = error.hint
    return failure


def _journal_failure(task: Task, error: sa.exc.DBAPIError) -> Exception:
    """Return the error for a script that left a database in which it cannot be journalled."""
    told = task.database.translate(error)
    if told.exit_code is ExitCode.UNAVAILABLE:
        return error  # an interrupt may be behind it, which the session's owner knows
    names = " and ".join(f"`{table.name}`" for table in BOOTSTRAP)
    return MigrationError(
        f"{task.script.name}: after its statements the journal cannot be written: {error.orig}\n"
        f"the last of them was not kept; {task.so_far}",
        hint=f"{names} are custctl's own: leave them, and `query_only`, alone",
        details={"script": task.script.name},
    )


def _reason(script: Script, error: CustctlError) -> str:
    """Return why a statement failed, in the engine's own words where they fit a script better than a customer."""
    reason = error.message
    outside = error.exit_code in (ExitCode.UNAVAILABLE, ExitCode.CREDENTIAL, ExitCode.REFUSED)
    if not outside and isinstance(error.__cause__, Exception):
        reason = str(error.__cause__)
    return mask(reason, script.text, os.environ) if script.directives.substitute else reason


def _cause(script: Script, error: CustctlError) -> CustctlError | None:
    """Return what a traceback may show: nothing where the engine's own words may hold substituted values."""
    return None if script.directives.substitute else error


def _excerpt(statement: Statement) -> str:
    first, *others = statement.text.split("\n")
    return first[:_EXCERPT] + (" …" if others or len(first) > _EXCERPT else "")


def milliseconds(started: float) -> int:
    """Return the milliseconds since `started`, which `time.monotonic()` gave."""
    return round((time.monotonic() - started) * 1000)
