"""Transactions that write: allowed by the database's stamp, each applied once, its outcome learnt.

Where the answer to a commit is lost, the audit tells: an operation's row is unique. A void row is inserted under its
id. Should that succeed, the commit can never happen any more; should it be a duplicate, the commit has happened.
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
"""The action of a row that keeps a lost operation from ever being applied."""

_PATIENCE = 10.0  # seconds in which the outcome of a lost commit is asked for
_PAUSE = 0.25


class Transactions:
    """Write transactions on one database, for one profile.

    Args:
        environment: the profile's, which the database's stamp must equal.
        actor: who is recorded.
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
            operation_id: what `work` records in the audit.
            part: tells, once `work` has run, which part of the operation it recorded; None where it recorded and wrote
                nothing, so that it does not matter whether it was committed. Without this, the operation has one part.

        Raises:
            InterruptedRunError: a signal came while an operation of one part was committed; the message says what
                became of it. Of several parts, the caller knows.
            RefusedError: the stamp is another environment's, or missing.
            PendingError: the schema is not there or too old.
            ConflictError: a unique value is taken; where it is the company's, with the field and the constraint.
            InvalidError: a rule that the database keeps refuses a value, with the field and the constraint.
            UnavailableError: nothing was written.
            OutcomeUnknownError: whether it was written is unknown.
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
        """Return the error for an interrupt that came when all was done but the commit, having looked what became of it."""
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
        """Name the fields that a constraint is about, which the engine's own message may not."""
        told = error.details
        if told.get("rule") not in ("check", "reference", "unique") or told.get("field") is not None:
            return error
        with suppress(CustctlError), self._database.reading() as connection:
            fields = self._database.constrained(connection, told["constraint"])
            return broken(told["rule"], told["constraint"], fields)
        return error

    def _happened(self, operation_id: str, part: int, lost: CommitLostError, *, patience: float | None = None) -> bool:
        """Tell whether a part of an operation was committed, and see to it that it never is where it was not.

        Raises:
            OutcomeUnknownError: the database does not answer.
        """
        deadline = time.monotonic() + (_PATIENCE if patience is None else patience)
        pending = False
        while True:
            try:
                return self._database.transact(lambda connection: self._settle(connection, operation_id, part))
            except ConflictError:
                continue  # it was committed just now: the next look finds it
            except CustctlError as error:
                # A node that takes no writes may be the old primary, or the next one, in the midst of a switchover.
                passing = isinstance(error, UnavailableError | OutcomeUnknownError | RefusedError)
                # Only the operation itself holds its own id: its commit is on the way, as to a synchronous standby.
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
    """Return what is told where the outcome could not be learnt."""
    if pending:
        told = "the commit is pending: the database has not finished it, and nobody sees it until then"
    else:
        told = f"whether it was written is unknown: {error.message}"
    return OutcomeUnknownError(
        f"{lost.message}, and {told}",
        hint=f"run the same command again with `--operation-id {operation_id}`: it is applied at most once, and tells"
        " the outcome. An empty `custctl audit list` proves nothing while the commit may be pending",
        details={"operation_id": operation_id, "commit_pending": pending},
    )
