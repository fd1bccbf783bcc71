"""A script that is being run: where it stands, its row in the journal, and the errors that name its place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.engines.scripting import OUTSIDE, TransactionForbiddenError
from custctl.engines.scripts import Statement
from custctl.migrations import journal
from custctl.migrations.plan import Step
from custctl.migrations.scripts import Script
from custctl.migrations.substitution import mask, substitute
from custctl.schema.names import BOOTSTRAP
from custctl.schema.standing import read_standing
from custctl.support.errors import CustctlError, ExitCode, MigrationError, StatementError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.scripting import ScriptSession
    from custctl.migrations.shapes import Recorder

_OURS = " and ".join(f"`{table}`" for table in BOOTSTRAP)
# The last one is part of every statement that runs SQL which a script has assembled.
_MAY_CHANGE_OURS = (*BOOTSTRAP, "exec")
_EXCERPT = 100  # characters of a failing statement that a message shows

BEFORE, RUNNING, AFTER = "before ", "", "after "
"""The phases of a statement, in words that a message puts before its number."""


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
        phase: `BEFORE`, `RUNNING` or `AFTER` that statement.
        records: what the runner's tables held when the script began; None if its text shows no way to change them.
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
    phase: str = BEFORE
    records: tuple[object, ...] | None = None

    @property
    def script(self) -> Script:
        """The script of the step."""
        return self.step.script

    def run(self, number: int) -> None:
        """Run one statement by its 0-based number."""
        self.at, self.phase = number, RUNNING
        self.session.run(self.filled_in(self.statements[number]))

    def located(self, error: CustctlError) -> CustctlError:
        """Return an error that names file, line and statement, in its message and in its details."""
        if f"{self.script.name}:" not in error.message:
            error.message = f"{self.place}: {error.message}"
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
        self._check_records()
        self.recorder.after(self.script, started_at, is_last=self.is_last)
        if self._is_new and self.after_script is None:
            self.session.add_and_commit(journal.NEW, **self._row(number, "applied", total, started_at))
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
        self._check_records()
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
        if any(word in self.script.text.lower() for word in _MAY_CHANGE_OURS):
            self.records = self._read_records()
        return now

    def _read_records(self) -> tuple[object, ...]:
        """Return the journal without this script's own row, and the database's stamp."""
        connection, record = self.session.connection, self.step.record
        rows = [journal.Record(*row) for row in connection.run("journal.all")]
        others = [row for row in rows if row.name != self.script.name and (record is None or row.id != record.id)]
        standing = read_standing(connection)
        return others, standing.environment, standing.epoch, standing.database_id

    def _check_records(self) -> None:
        """Check that a script has left other scripts' rows and the stamp as they were.

        Raises:
            MigrationError: it has not.
        """
        if self.records is None:
            return
        self.session.become_own()
        if self._read_records() != self.records:
            raise MigrationError(
                f"the script changes custctl's records in {_OURS}", hint="remove the statement that does"
            )

    # -- reporting failures ------------------------------------------------------------------------

    def failure(self, error: CustctlError, kept: str) -> CustctlError:
        """Return the error for a script that failed at the current place.

        Args:
            kept: what the script left behind, in words.
        """
        if "script" in error.details:
            return error
        failed, excerpt = "", ""
        if self.phase == RUNNING:
            failed = " failed"
            excerpt = f"\n  {_excerpt(self.statements[self.at])}" if self.statements else ""
        failure = MigrationError(
            f"{self.place}{failed}: {self.reason(error)}{excerpt}\n{kept}; {self.so_far}",
            hint="fix the script and run it again",
            details=self.located_details,
        )
        if error.exit_code in OUTSIDE:
            failure.exit_code = error.exit_code
            failure.hint = error.hint
        elif error.exit_code is ExitCode.MIGRATION and error.hint:
            no_use = isinstance(error, TransactionForbiddenError) and not self.script.directives.transaction
            failure.hint = failure.hint if no_use else error.hint
        return failure

    def journal_failure(self, error: StatementError) -> Exception:
        """Return the error for a script that left the database in a state in which it cannot be journalled."""
        told = self.database.translate(error)
        if told.exit_code is ExitCode.UNAVAILABLE:
            return error  # it may be caused by an interrupt, which the session's owner handles
        return MigrationError(
            f"{self.place}: the journal cannot be written: {_first_line(error.orig)}\nthis statement was not kept; {self.so_far}",
            hint=f"{_OURS} belong to custctl: do not change them, and do not make the transaction read-only",
            details=self.located_details,
        )

    def reason(self, error: CustctlError) -> str:
        """Return why a statement failed; in the engine's own words if ours speak of customers rather than scripts."""
        inside = error.exit_code not in OUTSIDE and isinstance(error.__cause__, Exception)
        return self.masked(str(error.__cause__) if inside else error.message)

    def cause(self, error: Exception) -> Exception | None:
        """Return the cause that a traceback may show: None if it may contain substituted values."""
        return None if self.script.directives.substitute else error

    def masked(self, text: str) -> str:
        """Return a text of the database without the values that were substituted into the script."""
        return mask(text, self.script.text, os.environ) if self.script.directives.substitute else text


def _first_line(error: object) -> str:
    # PostgreSQL's further lines show this program's own statement, and a place in the server's source.
    return str(error).partition("\n")[0]


def _excerpt(statement: Statement) -> str:
    first, *others = statement.text.split("\n")
    return first[:_EXCERPT] + (" …" if others or len(first) > _EXCERPT else "")


def milliseconds(started: float) -> int:
    """Return the milliseconds since `started`, a value of `time.monotonic()`."""
    return round((time.monotonic() - started) * 1000)
