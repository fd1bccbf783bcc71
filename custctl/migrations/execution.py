"""Running one script: in one transaction, or statement by statement if the script asks for that."""

from __future__ import annotations

from custctl.engines.scripting import TransactionEndedError
from custctl.migrations import journal
from custctl.migrations.resuming import resume
from custctl.migrations.task import AFTER, RUNNING, Task
from custctl.support.errors import CommitLostError, CustctlError, MigrationError, StatementError


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
        task.phase = RUNNING
        for done in session.run_all(map(task.filled_in, task.statements)):
            task.at = done - 1
            session.check_transaction()
            task.at = min(done, last)
        task.at, task.phase = max(last, 0), AFTER
        task.finish(started_at, number)
    except CommitLostError:
        session.rollback()
        raise
    except CustctlError as error:
        session.rollback()
        kept = "what it committed is kept" if isinstance(error, TransactionEndedError) else "none of it was kept"
        raise task.failure(error, kept) from task.cause(error)
    except StatementError as error:
        session.rollback()
        raise task.journal_failure(error) from error


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
        started_at, done = record.started_at, resume(task, record)
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
        task.at, task.phase = max(total - 1, 0), AFTER
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
        reason = task.reason(error)
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
        raise task.failure(error, kept) from task.cause(error)
    except StatementError as error:
        session.rollback()
        raise task.journal_failure(error) from error
