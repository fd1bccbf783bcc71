"""Running one script: in one transaction, or statement by statement if the script asks for that."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.engines.scripting import TransactionEndedError
from custctl.engines.scripts import Statement
from custctl.migrations import journal
from custctl.migrations.journal import Record
from custctl.migrations.plan import Step
from custctl.migrations.scripts import Script
from custctl.migrations.substitution import mask, substitute
from custctl.schema.names import BOOTSTRAP
from custctl.support.errors import (
    CommitLostError,
    CustctlError,
    ExitCode,
    MigrationError,
    OutcomeUnknownError,
    StatementError,
    UnavailableError,
)

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.scripting import ScriptSession
    from custctl.migrations.shapes import Recorder

_EXCERPT = 100  # characters of a failing statement that a message shows
_BEFORE, _IN, _AFTER = "before ", "", "after "


@dataclass(slots=True)
class Task:
    """A step to run on an open session; the caller holds its lock.

    Attributes:
        statements: the script, split.
        actor: the name recorded in the journal.
        started: `time.monotonic()` at the beginning, in seconds.
        so_far: what the run has applied before, in words.
        recorder: records what the run's scripts change.
        is_last: whether this is the run's last script.
        after_script: called in the script's own transaction, before its commit.
        at: the 0-based number of the statement that is running, or ran last.
        phase: whether that statement is about to run, running or done, in words that a message puts before its number.
    """

    database: Database
    session: ScriptSession
    step: Step
    statements: Sequence[Statement]
    actor: str
    started: float
    so_far: str
    recorder: Recorder
    is_last: bool
    after_script: Callable[[Connection, Script], None] | None
    at: int = 0
    phase: str = _BEFORE

    @property
    def script(self) -> Script:
        """The script of the step."""
        return self.step.script

    def run(self, number: int) -> None:
        """Run one statement by its 0-based number."""
        self.at, self.phase = number, _IN
        self.session.run(self.filled_in(self.statements[number]))

    def located(self, error: CustctlError) -> CustctlError:
        """Return an error that names file, line and statement, in its message and in its details."""
        if f"{self.script.name}:" not in error.message:
            error.message = f"{self.place}: {error.message}"
            error.args = (error.message,)
        error.details = {**self.located_details, **error.details}
        return error

    @property
    def located_details(self) -> dict[str, Any]:
        """The current place in the script, for `details`."""
        return {"script": self.script.name, "line": self.line, "statement": self.at + 1}

    @property
    def line(self) -> int | None:
        """The line of the statement that is running, or ran last; None if there are no statements."""
        return self.statements[self.at].line if self.statements else None

    @property
    def place(self) -> str:
        """The current place in the script, for a message."""
        return f"{self.script.name}:{self.line}: {self.phase}statement {self.at + 1} of {len(self.statements)}"

    def filled_in(self, statement: Statement) -> Statement:
        """Return a statement with its variables substituted; journal and messages show the original."""
        if not self.script.directives.substitute:
            return statement
        text = substitute(statement.text, os.environ, name=self.script.name, line=statement.line)
        return statement._replace(text=text)

    def note(self, state: str, applied: int, *, started_at: str, error: str | None = None) -> None:
        """Write the script's row in the journal, in the open transaction."""
        self.session.become_own()
        number = journal.free_number(self.session.connection, self.script)
        row = self._row(number, state, applied, started_at, error)
        is_new = self._is_new and self.script.directives.transaction
        journal.write(self.session.connection, self.script, row, is_new=is_new)

    def finish(self, started_at: str, number: int | None) -> None:
        """Journal a script that ran in a transaction as applied, and commit.

        Args:
            number: see `journal.free_number`.
        """
        total = len(self.statements)
        self.recorder.after(self.script, started_at, is_last=self.is_last)
        if self._is_new and self.after_script is None:
            self.session.run_and_commit(journal.NEW, **self._row(number, "applied", total, started_at))
            return
        self.note("applied", total, started_at=started_at)
        if self.after_script is not None:
            self.after_script(self.session.connection, self.script)
        self.session.commit()

    @property
    def _is_new(self) -> bool:
        return self.step.record is None

    def _row(
        self, number: int | None, state: str, applied: int, started_at: str, error: str | None = None
    ) -> dict[str, Any]:
        return journal.row(
            self.script,
            number=number,
            state=state,
            applied=applied,
            total=len(self.statements),
            actor=self.actor,
            started_at=started_at,
            duration_ms=milliseconds(self.started),
            error=error,
        )

    def progress(self, applied: int, in_flight: int | None = None) -> None:
        """Journal the script's progress, in the open transaction."""
        self.session.become_own()
        journal.progress(self.session.connection, self.script, applied=applied, in_flight=in_flight)

    def begin(self) -> str:
        """Start a transaction, and check in it that the journal is unchanged since the plan.

        The migration lock ensures this while it is held. In case the lock does not reach as far as the database does,
        the row is checked.

        Returns:
            The database's time.

        Raises:
            UnavailableError: the lock was lost, or another run has changed the row.
        """
        rechecked = journal.recheck(self.session, self.script)
        if rechecked is None:
            raise UnavailableError(
                f"the migration lock was lost before `{self.script.name}`; {self.so_far}",
                hint="a pooler in transaction mode, or a script that releases its session's locks, can cause this:"
                " connect directly to the server, and run it again",
                details={"script": self.script.name},
            )
        now = journal.time_if_unchanged(rechecked, self.step.record)
        if now is None:
            raise UnavailableError(
                f"another run has started or applied `{self.script.name}` meanwhile; {self.so_far}",
                hint="run it again",
                details={"script": self.script.name},
            )
        return now


def carry_out(task: Task) -> None:
    """Run a script and journal it.

    Raises:
        MigrationError: it failed.
        UnavailableError: another run was faster, or the database was locked.
        CommitLostError: the connection was lost during a commit of the script, or of a part of it.
        OutcomeUnknownError: it cannot be determined whether an earlier statement in flight took effect.
    """
    if task.script.directives.transaction:
        _in_transaction(task)
    else:
        _one_by_one(task)


# -- one transaction -------------------------------------------------------------------------------


def _in_transaction(task: Task) -> None:
    """Run a script and its journal row as one transaction."""
    session, script = task.session, task.script
    if task.step.reason == "resume" and (task.step.resume_at or task.step.in_flight is not None):
        raise MigrationError(
            f"`{script.name}` stopped after statement {task.step.resume_at} outside a transaction,"
            " and would now run in one: those statements would be applied twice",
            hint="put `-- custctl: transaction=off` back at the top of the script",
            details={"script": script.name},
        )
    last = len(task.statements) - 1
    try:
        started_at = task.begin()
        number = journal.free_number(session.connection, script)
        task.recorder.before(script, started_at)
        task.phase = _IN
        for done in session.run_all(map(task.filled_in, task.statements)):
            task.at = done - 1
            session.check_transaction()
            task.at = min(done, last)
        task.at, task.phase = max(last, 0), _AFTER
        task.finish(started_at, number)
    except CommitLostError:
        session.rollback()
        raise
    except CustctlError as error:
        session.rollback()
        kept = "what it committed is kept" if isinstance(error, TransactionEndedError) else "none of it was kept"
        raise _failure(task, error, kept) from _cause(script, error)
    except StatementError as error:
        session.rollback()
        raise _journal_failure(task, error) from error


# -- statement by statement ------------------------------------------------------------------------


def _one_by_one(task: Task) -> None:
    """Run a script statement by statement and journal each, so that a rerun resumes after the last good one."""
    database, session, script = task.database, task.session, task.script
    statements, total = task.statements, len(task.statements)

    def progress(applied: int, in_flight: int | None = None) -> None:
        session.begin()
        task.progress(applied, in_flight)
        session.commit()

    started_at, done = task.begin(), 0
    record = task.step.record if task.step.reason == "resume" else None
    if record is not None:
        # Restored settings must only affect the script's own statements: begin() has queried the journal already.
        session.rollback()
        started_at, done = record.started_at, _resume_at(task, record)
        session.begin()
    task.note("running", done, started_at=started_at)
    task.recorder.before(script, started_at)
    session.commit()
    opened: int | None = None  # the statement that opened the script's own transaction, while it is open
    try:
        for number in range(done, total):
            task.at, statement = number, statements[number]
            control = database.language.transaction_control(statement)
            if opened is not None or control is not None:
                # Inside the script's own BEGIN and COMMIT; the progress commits with them.
                if opened is not None and control in ("COMMIT", "END"):
                    task.progress(number + 1)
                task.run(number)
                if not session.in_transaction():
                    if control is None:
                        raise TransactionEndedError
                    opened = None
                elif opened is None:
                    opened = number
            elif database.runs_alone(statement):
                progress(number, in_flight=number)
                task.run(number)
                if session.in_transaction():
                    raise CustctlError("the statement begins a transaction and leaves it open")
                progress(number + 1)
            else:
                session.begin_statement()
                task.run(number)
                session.check_transaction()
                task.progress(number + 1)
                session.commit()
            if opened is None:
                done = number + 1
        if opened is not None:
            task.at = opened
            raise CustctlError("the transaction that starts here is never committed")
        task.at, task.phase = max(total - 1, 0), _AFTER
        session.begin()
        task.note("applied", total, started_at=started_at)
        task.recorder.after(script, started_at, is_last=task.is_last)
        if task.after_script is not None:
            task.after_script(session.connection, script)
        session.commit()
    except CommitLostError:
        raise
    except CustctlError as error:
        session.rollback()
        reason = _reason(script, error)
        kept = f"{done} of its {total} statements are applied, and a rerun continues after them"
        if isinstance(error, TransactionEndedError):
            kept = f"what it committed is kept; {kept}"
        try:
            session.begin()
            task.note("failed", done, started_at=started_at, error=reason)
            session.commit()
        except (CustctlError, StatementError):
            # The row stays as it is, and a rerun resumes from there.
            kept = f"at least {done} of its {total} statements are applied, and a rerun checks how far it got"
        raise _failure(task, error, kept) from _cause(script, error)
    except StatementError as error:
        session.rollback()
        raise _journal_failure(task, error) from error


def _resume_at(task: Task, record: Record) -> int:
    """Return where to resume a script, after restoring its session settings.

    Raises:
        MigrationError: the applied statements have changed, or their settings cannot be restored.
        OutcomeUnknownError: it cannot be determined whether the statement in flight took effect.
    """
    step, statements = task.step, task.statements
    applied = step.resume_at
    before = [statement.text for statement in task.database.language.split(record.script)]
    if before[:applied] != [statement.text for statement in statements[:applied]]:
        if step.script.version is None:
            return 0  # a repeatable script runs again whenever its text changes
        now = [statement.text for statement in statements]
        task.at = next((n for n, text in enumerate(before[:applied]) if now[n : n + 1] != [text]), 0)
        raise _changed(task, applied)
    _restore(task, applied)
    if step.in_flight is None or step.in_flight >= len(before):
        return applied
    task.at, task.phase = min(step.in_flight, len(statements) - 1), _IN
    settled = task.database.settle(task.session.connection, Statement(before[step.in_flight], 1))
    if settled is None:
        raise OutcomeUnknownError(
            f"{task.place}: whether it took effect is unknown",
            hint="check the database and undo what it did, then run `custctl migrate repair`, which counts it as not"
            " applied",
            details=task.located_details,
        )
    if not settled:
        return step.in_flight
    if step.in_flight >= len(statements) or statements[step.in_flight].text != before[step.in_flight]:
        raise _changed(task, step.in_flight + 1)
    return step.in_flight + 1


def _changed(task: Task, applied: int) -> MigrationError:
    task.at, task.phase = min(task.at, len(task.statements) - 1), _IN
    return MigrationError(
        f"`{task.script.name}` stopped after statement {applied}, and its applied statements have changed since",
        hint="restore those statements; change only what comes after them",
        details={"script": task.script.name},
    )


def _restore(task: Task, applied: int) -> None:
    """Restore the session settings that a script had made before it stopped.

    Raises:
        MigrationError: something that the rest needs cannot be restored, or ended with the previous run's session;
            without it, the rest would do something else.
    """
    database, statements = task.database, task.statements
    lost = database.lost(statements[:applied], statements[applied:])
    if lost is not None:
        task.at, task.phase = applied + lost.number, _IN
        raise MigrationError(
            f"{task.place}: it needs {lost.what}; the run that stopped after statement {applied} had it, and this one"
            " does not",
            hint=lost.hint,
            details=task.located_details,
        )
    failed: dict[str, tuple[int, CustctlError]] = {}
    for number in database.settings_of(statements[:applied]):
        essential = database.essential_setting(statements[number])
        try:
            task.run(number)
        except CustctlError as refusal:
            if essential is not None:
                failed[essential] = number, refusal
        else:
            failed.pop(essential or "", None)
    task.at, task.phase = min(applied, len(statements) - 1), _BEFORE
    for number, error in failed.values():
        task.at, task.phase = number, _IN
        raise _failure(task, error, f"it resumes after statement {applied}, once this setting can be restored")


def restore_settings(database: Database, run: Callable[[Statement], None], record: Record) -> None:
    """Run again the session settings that a script had made before it stopped, as far as possible, and nothing else."""
    statements = database.language.split(record.script)[: record.statements_applied]
    for number in database.settings_of(statements):
        with suppress(CustctlError):
            run(statements[number])


# -- reporting failures ---------------------------------------------------------------------------


def _failure(task: Task, error: CustctlError, kept: str) -> CustctlError:
    """Return the error for a script that failed at the task's current place.

    Args:
        kept: what the script left behind, in words.
    """
    if "script" in error.details:
        return error
    reason = _reason(task.script, error)
    lines = [f"{task.place} failed: {reason}" if task.phase == _IN else f"{task.place}: {reason}"]
    if task.phase == _IN and task.statements:
        lines.append(f"  {_excerpt(task.statements[task.at])}")
    failure = MigrationError(
        "\n".join([*lines, f"{kept}; {task.so_far}"]),
        hint=error.hint if error.exit_code is ExitCode.MIGRATION and error.hint else "fix the script and run it again",
        details=task.located_details,
    )
    if error.exit_code in (ExitCode.UNAVAILABLE, ExitCode.CREDENTIAL, ExitCode.REFUSED):
        # A lock, a full disk, a lost connection or a node that refuses writes is not the script's fault.
        failure.exit_code = error.exit_code
        failure.hint = error.hint
    return failure


def _journal_failure(task: Task, error: StatementError) -> Exception:
    """Return the error for a script that left the database in a state in which it cannot be journalled."""
    told = task.database.translate(error)
    if told.exit_code is ExitCode.UNAVAILABLE:
        return error  # it may be caused by an interrupt, which the session's owner handles
    names = " and ".join(f"`{table}`" for table in BOOTSTRAP)
    return MigrationError(
        f"{task.place}: the journal cannot be written: {_first_line(error.orig)}\nthis statement was not kept; {task.so_far}",
        hint=f"{names} belong to custctl: do not change them, and do not make the transaction read-only",
        details=task.located_details,
    )


def _reason(script: Script, error: CustctlError) -> str:
    """Return why a statement failed; in the engine's own words if ours speak of customers rather than scripts."""
    reason = error.message
    outside = error.exit_code in (ExitCode.UNAVAILABLE, ExitCode.CREDENTIAL, ExitCode.REFUSED)
    if not outside and isinstance(error.__cause__, Exception):
        reason = str(error.__cause__)
    return mask(reason, script.text, os.environ) if script.directives.substitute else reason


def _cause(script: Script, error: CustctlError) -> CustctlError | None:
    """Return the cause that a traceback may show: None if the engine's message may contain substituted values."""
    return None if script.directives.substitute else error


def _first_line(error: object) -> str:
    # PostgreSQL's further lines show this program's own statement, and a place in the server's source.
    return str(error).partition("\n")[0]


def _excerpt(statement: Statement) -> str:
    first, *others = statement.text.split("\n")
    return first[:_EXCERPT] + (" …" if others or len(first) > _EXCERPT else "")


def milliseconds(started: float) -> int:
    """Return the milliseconds since `started`, a value of `time.monotonic()`."""
    return round((time.monotonic() - started) * 1000)
