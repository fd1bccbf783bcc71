"""The part of the interface to a database that runs migration scripts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from custctl.engines.model import Check, LockHolder
from custctl.support.errors import MigrationError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection, Row
    from custctl.engines.resuming import Lost
    from custctl.engines.scripts import Language, Lint, Statement


class TransactionEndedError(MigrationError):
    """A statement of a script has ended the transaction in which it ran: what it committed is kept."""

    def __init__(self) -> None:
        super().__init__(
            "the statement ended the script's transaction",
            hint="check what it left behind, then remove what ends the transaction from the statement",
        )


class ScriptSession(ABC):
    """A connection on which migration scripts run, statement by statement, in raw SQL."""

    connection: Connection
    on_notice: Callable[[str, str | None], None] | None = None
    """Called with what the database warns of besides a statement's outcome, and its hint."""
    on_message: Callable[[str], None] | None = None
    """Called with what a statement itself says of its progress, as PRINT does."""

    @abstractmethod
    def errors(self) -> AbstractContextManager[None]:
        """Tell the driver's errors in the block as errors of the tree, and an interrupt that is behind one as such."""

    @abstractmethod
    def begin(self) -> None:
        """Start a transaction of this program's own, which no other writer can enter."""

    def begin_statement(self) -> None:
        """Start a transaction for a script's statement, which keeps the settings that the script has made."""
        self.begin()

    def begin_script(self) -> bool:
        """Start a transaction as `begin` does, and tell whether this session still has the migration lock."""
        self.begin()
        return self.holds_lock()

    def begin_and_ask(self, name: str, /, **values: Any) -> Row | None:
        """Start a transaction as `begin_script` does, and ask one thing in it.

        Args:
            name: a query of this program's own that has one row.
            values: its parameters.

        Returns:
            The row; None where this session has not the migration lock any more.
        """
        return self.connection.run(name, **values).one() if self.begin_script() else None

    def run_and_commit(self, name: str, /, **values: Any) -> None:
        """End a script's transaction by a statement of this program's own; see `become_own` and `commit`."""
        self.become_own()
        self.connection.run(name, **values)
        self.commit()

    @abstractmethod
    def run(self, statement: Statement) -> None:
        """Run one statement of a script.

        Raises:
            CustctlError: translated from the driver's error.
        """

    def run_all(self, statements: Iterator[Statement]) -> Iterator[int]:
        """Run the statements of a transaction, in as few calls as the engine likes.

        Yields:
            How many have been run; where an error comes after it, that is the number of the one that failed.
        """
        for number, statement in enumerate(statements, 1):
            self.run(statement)
            yield number

    @abstractmethod
    def commit(self) -> None:
        """Commit, after the checks that a script's effects need on this engine.

        Raises:
            CommitLostError: the answer was lost.
        """

    @abstractmethod
    def rollback(self) -> None:
        """Undo what the open transaction did; nothing happens where none is open."""

    @abstractmethod
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open, whoever began it."""

    def check_transaction(self) -> None:
        """Make sure that a statement has left the transaction that `begin` started as it was.

        Raises:
            TransactionEndedError: it has ended it.
            MigrationError: it has begun another one within.
        """
        if not self.in_transaction():
            raise TransactionEndedError

    @abstractmethod
    def holds_lock(self) -> bool:
        """Tell whether this session still has the migration lock; a pooler or a script may have taken it away."""

    def become_own(self) -> None:  # noqa: B027 - most engines' statements depend on no such setting
        """Let the rest of the open transaction be this program's own, whatever role and settings a script has made."""

    @abstractmethod
    def reset(self) -> None:
        """Put session settings back, so that one script's settings do not reach the next."""


class Scripting(ABC):
    """Migration scripts: their language, their lock, and the session that runs them."""

    @abstractmethod
    def features(self) -> frozenset[str]:
        """Return what `requires=` may ask for and this database has."""

    @property
    @abstractmethod
    def language(self) -> Language:
        """How this engine's scripts are read."""

    @property
    @abstractmethod
    def lint(self) -> Lint:
        """The linter of this engine's scripts."""

    def preconditions(self, connection: Connection) -> Iterator[Check]:
        """Yield what must hold before the first script is applied, each as `doctor` shows it."""
        return iter(())

    @abstractmethod
    def create(self) -> None:
        """Create the database where the engine can do so without an administrator."""

    @abstractmethod
    def create_tables(self, connection: Connection) -> None:
        """Create what the journal needs and is missing, in the caller's transaction."""

    def fails_in_transaction(self, statement: Statement) -> bool:
        """Tell whether a statement fails inside every transaction, which is known before anything runs."""
        return False

    @abstractmethod
    def migration_lock(
        self, timeout: float, on_wait: Callable[[LockHolder | None], None]
    ) -> AbstractContextManager[None]:
        """Hold the one lock of all migrations of this database.

        Args:
            timeout: seconds to wait for another holder.
            on_wait: called once, before waiting.

        Raises:
            UnavailableError: the time ran out; the message names the holder.
        """

    @abstractmethod
    def script_session(self) -> AbstractContextManager[ScriptSession]:
        """Open a connection for running scripts."""

    def runs_alone(self, statement: Statement) -> bool:
        """Tell whether a statement of a script without a transaction runs outside of any, not even with its journal."""
        return self.language.needs_autocommit(statement)

    def settings_of(self, statements: Sequence[Statement]) -> list[int]:
        """Return the numbers of those of a script's first statements that set what a new session lacks."""
        return [number for number, each in enumerate(statements) if self.language.restores_session(each)]

    def essential_setting(self, statement: Statement) -> str | None:
        """Return what a statement sets, where those that follow would do something else without it; else None."""
        return None

    def lost(self, applied: Sequence[Statement], rest: Sequence[Statement]) -> Lost | None:
        """Return what the rest of a script needs and ended with the session on which its first statements ran."""
        return None

    @abstractmethod
    def settle(self, connection: Connection, statement: Statement) -> bool | None:
        """Look whether a statement that was in flight took effect: True, False, or None where that cannot be seen."""
