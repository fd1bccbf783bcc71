"""Write transactions: allowed by the database's stamp, applied once, their outcome known.

If the answer to a commit is lost, the audit tells the outcome: an operation's row is unique, so we insert a void row
under its id. If the insert succeeds, the commit can never happen; if it is a duplicate, the commit has happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from custctl.customers import audit
from custctl.engines.constraints import broken
from custctl.schema.standing import Standing, require_writable
from custctl.support.errors import (
    CommitLostError,
    ConflictError,
    CredentialError,
    CustctlError,
    InterruptedRunError,
    InvalidError,
    LockTimeoutError,
    OutcomeUnknownError,
    RefusedError,
    UnavailableError,
)
from custctl.support.signals import Terminated

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection

T = TypeVar("T")

VOID = "void"
"""The action of a row that prevents a lost operation from ever being applied."""

_PATIENCE = 10.0  # seconds to keep asking for the outcome of a lost commit
_PAUSE = 0.25


class Transactions:
    """Write transactions on one database, for one profile.

    Args:
        environment: the profile's; it must equal the database's stamp.
        actor: the name recorded in the audit.
    """

    def __init__(self, database: Database, environment: str, actor: str) -> None:
        self._database = database
        self._environment = environment
        self._actor = actor

    def run(
        self,
        operation_id: str,
        work: Callable[[Connection, Standing], T],
        *,
        part: Callable[[], int | None] | None = None,
    ) -> T:
        """Run `work` as one transaction; see `Database.transact`.

        Args:
            operation_id: the id that `work` records in the audit.
            part: called after `work`; returns the part of the operation that it recorded, or None if it recorded and
                wrote nothing, so that the outcome of the commit does not matter. By default, the operation has one
                part.

        Raises:
            InterruptedRunError: a signal came during the commit of an operation of one part; the message says what
                happened to it. For an operation of several parts, the caller knows.
            RefusedError: the stamp is missing or another environment's.
            PendingError: the schema is missing or too old.
            ConflictError: a unique value is taken; for a company's own constraint, with the field and the constraint.
            InvalidError: a database constraint rejects a value; with the field and the constraint.
            UnavailableError: nothing was written.
            OutcomeUnknownError: it is unknown whether it was written.
        """
        done: list[T] = []

        def guarded(connection: Connection) -> T:
            standing = require_writable(self._database, connection, self._environment)
            self._database.learn(connection, standing.own_fields)
            done[:] = [work(connection, standing)]
            return done[0]

        try:
            return self._database.transact(guarded)
        except (ConflictError, InvalidError) as error:
            raise self._with_fields(error) from error
        except KeyboardInterrupt as interrupt:
            if part is not None or not done:
                raise
            raise self._interrupted(operation_id, interrupt) from interrupt
        except CommitLostError as lost:
            recorded = part() if part is not None else 0
            if recorded is None or self._happened(operation_id, recorded, lost):
                return done[0]
            raise UnavailableError(
                f"{lost.message}; nothing was written",
                hint="run it again; if you gave an operation id, use a new one",
                details={"operation_id": operation_id},
            ) from lost

    def _interrupted(self, operation_id: str, interrupt: KeyboardInterrupt) -> InterruptedRunError:
        """Return the error for an interrupt during the commit, after checking the outcome."""
        terminated = isinstance(interrupt, Terminated)
        try:
            happened = self._happened(operation_id, 0, CommitLostError("interrupted"), patience=0)
        except CustctlError as unknown:
            return InterruptedRunError(unknown.message, terminated=terminated, hint=unknown.hint)
        if happened:
            look = f"`custctl audit list --operation {operation_id}` shows it"
            return InterruptedRunError("interrupted; the change was committed", terminated=terminated, hint=look)
        return InterruptedRunError(
            "interrupted; nothing was written",
            terminated=terminated,
            hint="run it again; if you gave an operation id, use a new one",
        )

    def _with_fields(self, error: CustctlError) -> CustctlError:
        """Name the fields of a constraint, which the engine's own message may omit."""
        told = error.details
        if told.get("rule") not in ("check", "reference", "unique") or told.get("field") is not None:
            return error
        with suppress(CustctlError), self._database.reading() as connection:
            fields = self._database.constrained(connection, told["constraint"])
            return broken(told["rule"], told["constraint"], fields)
        return error

    def _happened(self, operation_id: str, part: int, lost: CommitLostError, *, patience: float | None = None) -> bool:
        """Return whether a part of an operation was committed; if it was not, make sure that it never will be.

        Raises:
            OutcomeUnknownError: the database does not answer.
        """
        deadline = time.monotonic() + (_PATIENCE if patience is None else patience)
        pending, conflicts = False, 0
        while True:
            try:
                return self._database.transact(lambda connection: self._settle(connection, operation_id, part))
            except CustctlError as error:
                conflicts += isinstance(error, ConflictError)
                if conflicts == 1 and isinstance(error, ConflictError):
                    continue  # it was committed just now: the next attempt finds it
                # During a switchover, a node that refuses writes may be the old primary or the next one.
                passing = isinstance(error, ConflictError | UnavailableError | OutcomeUnknownError | RefusedError)
                # Only the operation itself holds its own id: its commit is pending, for example waiting for a standby.
                pending = pending or isinstance(error, LockTimeoutError)
                if time.monotonic() >= deadline or not passing:
                    raise _unknown(operation_id, lost, error, pending=pending) from lost
                time.sleep(_PAUSE)

    def _settle(self, connection: Connection, operation_id: str, part: int) -> bool:
        action = connection.run("audit.action", operation=operation_id, number_of_part=part).scalar()
        if action is not None:
            return bool(action != VOID)
        audit.append(self._database, connection, audit.Entry(operation_id, VOID, self._actor, part=part))
        return False


def _unknown(operation_id: str, lost: CommitLostError, error: CustctlError, *, pending: bool) -> OutcomeUnknownError:
    """Return the error for an outcome that could not be determined."""
    if pending:
        told = "the commit is pending: the database has not finished it, and nobody sees it until then"
    else:
        told = f"whether it was written is unknown: {error.message}"
    first = f"{error.hint}; then " if isinstance(error, CredentialError) and error.hint else ""
    return OutcomeUnknownError(
        f"{lost.message}, and {told}",
        hint=f"{first}run the same command again with `--operation-id {operation_id}`: it is applied at most once, and tells"
        " the outcome. An empty `custctl audit list` proves nothing while the commit may be pending",
        details={"operation_id": operation_id, "commit_pending": pending},
    )
