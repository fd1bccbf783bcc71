"""Running the steps of a plan on one session, each script once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from custctl.engines.scripts import Statement
from custctl.migrations import journal
from custctl.migrations.execution import carry_out
from custctl.migrations.plan import Step, split_script
from custctl.migrations.run import Applied, Listener, Run
from custctl.migrations.scripts import Script
from custctl.migrations.shapes import Recorder
from custctl.migrations.task import Task, milliseconds
from custctl.support import signals
from custctl.support.errors import (
    CommitLostError,
    CredentialError,
    CustctlError,
    InterruptedRunError,
    OutcomeUnknownError,
    StatementError,
    UnavailableError,
)
from custctl.support.signals import interrupt_of

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.scripting import ScriptSession

_PATIENCE = 10.0  # seconds to keep asking for the outcome of a lost commit
_PAUSE = 0.25


def execute(
    database: Database,
    session: ScriptSession,
    steps: Sequence[Step],
    prepared: dict[str, list[Statement]],
    actor: str,
    run: Run,
    listener: Listener,
    after_script: Callable[[Connection, Script], None] | None = None,
) -> None:
    """Run steps on an open session; the caller holds the lock.

    Args:
        prepared: the statements of scripts that are already split.
        run: receives the applied scripts, even if an error ends the run.
        after_script: called in the script's own transaction, before its commit.

    Raises:
        MigrationError: a script failed; those before it stay applied.
        UnavailableError: the connection was lost; the message says what is applied.
        OutcomeUnknownError: the connection was lost during a script's commit, and the outcome could not be determined.
        InterruptedRunError: Ctrl-C or SIGTERM.
    """
    # Split all scripts before the first one runs: one that cannot run stops them all.
    split = [prepared.get(step.script.name) or split_script(database, step.script) for step in steps]
    recorder = Recorder(database, session)
    for number, (step, statements) in enumerate(zip(steps, split, strict=True), 1):
        script = step.script
        started, is_last = time.monotonic(), number == len(steps)
        task = Task(database, session, step, statements, actor, started, run.so_far, recorder, is_last, after_script)
        try:
            listener.applying(step)
            session.on_notice = partial(_notice, listener, task)
            session.on_message = partial(_message, listener, task)
            with _located(task):
                carry_out(task)
            listener.applied(_count(task, run))
            session.on_notice = session.on_message = None
            _reset(session, run, is_last=is_last)
        except KeyboardInterrupt as interrupt:
            interrupted = _interrupted(task, run, interrupt)
            _settle(database, session)
            raise interrupted from interrupt
        except CommitLostError as lost:
            with ExitStack() as stack:
                session = _reconnect(stack, task, listener, lost)
                if not journal.is_done(session.connection, script):
                    raise _not_committed(task, lost) from lost
                listener.applied(_count(task, run))
                execute(database, session, steps[number:], prepared, actor, run, listener, after_script)
            return
        except CustctlError:
            _settle(database, session)
            raise


def _count(task: Task, run: Run) -> Applied:
    """Add a script that is committed to what the run has applied."""
    done = Applied(task.script, len(task.statements), milliseconds(task.started))
    run.applied.append(done)
    return done


def _settle(database: Database, session: ScriptSession) -> None:
    """Record what the scripts of a run that ends early have changed; if that fails, the next run does it."""
    with suppress(CustctlError, StatementError), session.errors():
        session.rollback()
        session.reset()
        session.begin()
        Recorder(database, session).settle()
        session.commit()


def _reset(session: ScriptSession, run: Run, *, is_last: bool) -> None:
    """Reset the session settings of the script that was just applied.

    Raises:
        CustctlError: it failed and more scripts would follow; the message says what is applied.
    """
    try:
        with session.errors():
            session.reset()
    except CustctlError as error:
        if is_last:
            return  # this session runs nothing more
        error.message = f"{error.message}; {run.so_far}"
        raise


@contextmanager
def _located(task: Task) -> Iterator[None]:
    """Make every error of the block name the script, the line and the statement."""
    try:
        with task.session.errors():
            yield
    except CommitLostError:
        raise  # the caller first finds out whether the script was committed
    except CustctlError as error:
        raise task.located(error) from error.__cause__
    except Exception as error:  # noqa: BLE001 - told as what it is, with the place
        if (interrupt := interrupt_of(error)) is not None:
            raise interrupt from None
        raise task.located(CustctlError(f"unexpected {type(error).__name__}")) from task.cause(error)


def _notice(listener: Listener, task: Task, text: str, hint: str | None) -> None:
    """Pass on a warning of the database."""
    listener.notice(task.script, task.masked(text), task.masked(hint) if hint else None)


def _message(listener: Listener, task: Task, text: str) -> None:
    """Pass on a message that a script prints."""
    listener.message(task.script, task.masked(text))


def _reconnect(stack: ExitStack, task: Task, listener: Listener, lost: CommitLostError) -> ScriptSession:
    """Return a new session with the lock; the lost session has ended by then, and the journal has the outcome.

    Raises:
        OutcomeUnknownError: the database does not answer, or the lost session is still running.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            stack.enter_context(task.database.migration_lock(max(deadline - time.monotonic(), 0), listener.waiting))
            return stack.enter_context(task.database.script_session())
        except CustctlError as error:
            if time.monotonic() >= deadline or not isinstance(error, UnavailableError):
                is_login = isinstance(error, CredentialError) and error.hint is not None
                first = f"{error.hint}; then" if is_login else "when the database answers,"
                raise OutcomeUnknownError(
                    f"{task.place}: {lost.message}, and whether it is applied is unknown:"
                    f" {error.message}; {task.so_far}",
                    hint=f"{first} `custctl migrate status` shows the outcome; `custctl migrate`"
                    " resumes where it stopped",
                    details=task.located_details,
                ) from lost
            time.sleep(_PAUSE)


def _not_committed(task: Task, lost: CommitLostError) -> UnavailableError:
    script = task.script
    if script.directives.transaction:
        kept, hint = "none of it was kept", "run it again"
    else:
        kept, hint = "it is partly applied", "run it again: it resumes where it stopped"
    return UnavailableError(
        f"{task.place}: {lost.message}; {kept}; {task.so_far}",
        hint=hint,
        details=task.located_details,
    )


def _interrupted(task: Task, run: Run, interrupt: KeyboardInterrupt) -> InterruptedRunError:
    """Return the error for an interrupted run, after checking what was committed."""
    script, session = task.script, task.session
    counted = bool(run.applied) and run.applied[-1].script is script
    if not counted:
        # The signal may have come after the commit and before it was counted.
        with suppress(CustctlError, StatementError):
            session.rollback()
            session.reset()
            counted = journal.is_done(session.connection, script)
            if counted:
                _count(task, run)
    where = f"after `{script.name}`" if counted else f"in `{script.name}`"
    return InterruptedRunError(
        f"interrupted {where}; {run.so_far}",
        terminated=isinstance(interrupt, signals.Terminated),
        hint="run it again: it resumes where it stopped",
    )
