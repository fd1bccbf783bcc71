"""The part of the interface to a database that runs migration scripts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from custctl.engines.model import Check, LockHolder, SearchIndex
from custctl.schema.names import CUSTOMER, JOURNAL
from custctl.support.errors import ExitCode, MigrationError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row
    from custctl.engines.resuming import Lost
    from custctl.engines.scripts import Language, Lint, Statement


OUTSIDE = (ExitCode.UNAVAILABLE, ExitCode.CREDENTIAL, ExitCode.REFUSED)
"""A lock, a full disk, a lost connection, or a node that refuses writes: not a script's own fault."""


class TransactionEndedError(MigrationError):
    """A script's statement ended the transaction in which it ran; what it committed is kept."""

    def __init__(self) -> None:
        super().__init__(
            "the statement ended the script's transaction",
            hint="check what it left behind, then remove what ends the transaction from the statement",
        )


class TransactionForbiddenError(MigrationError):
    """A statement cannot run inside the transaction of its script."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, hint="put `-- custctl: transaction=off` at the top of the script")


class RowWithheldError(MigrationError):
    """The database did not write a row of the journal, and reported no error."""

    def __init__(self) -> None:
        super().__init__(
            f"the journal cannot be written: a trigger drops the row on its way into `{JOURNAL}`",
            hint=f"drop the trigger: `{JOURNAL}` belongs to custctl",
        )


class ScriptSession(ABC):
    """A connection on which migration scripts run, statement by statement, in raw SQL."""

    connection: Connection
    on_notice: Callable[[str, str | None], None] | None = None
    """Called with each warning of the database, and its hint."""
    on_message: Callable[[str], None] | None = None
    """Called with the messages that a statement itself prints, as with PRINT."""

    @abstractmethod
    def errors(self) -> AbstractContextManager[None]:
        """Convert the driver's errors in the block to `CustctlError`, and re-raise an interrupt that caused one."""

    @abstractmethod
    def begin(self) -> None:
        """Start a transaction for this program's own statements; no other writer can interfere."""

    def begin_statement(self) -> None:
        """Start a transaction for a script's statement, keeping the script's session settings."""
        self.begin()

    def begin_script(self) -> bool:
        """Start a transaction like `begin`, and tell whether this session still holds the migration lock."""
        self.begin()
        return self.holds_lock()

    def begin_and_ask(self, name: str, /, **values: Any) -> Row | None:
        """Start a transaction like `begin_script`, and run one query in it.

        Args:
            name: one of this program's own queries that returns one row.
            values: its parameters.

        Returns:
            The row; None if this session no longer holds the migration lock.
        """
        return self.connection.run(name, **values).one() if self.begin_script() else None

    def add_and_commit(self, name: str, /, **values: Any) -> None:
        """End a script's transaction with one of this program's own rows; see `become_own` and `commit`.

        Args:
            name: the statement that inserts the row.
            values: its parameters.

        Raises:
            RowWithheldError: the row was not written; nothing is committed.
        """
        self.become_own()
        if self.connection.run(name, **values).rowcount == 0:
            raise RowWithheldError
        self.commit()

    @abstractmethod
    def run(self, statement: Statement) -> None:
        """Run one statement of a script.

        Raises:
            CustctlError: translated from the driver's error.
        """

    def run_all(self, statements: Iterator[Statement]) -> Iterator[int]:
        """Run the statements of a transaction, in as few calls as the engine needs.

        Yields:
            How many statements have run. If an error follows, this is the index of the failed statement, from 0.
        """
        for number, statement in enumerate(statements, 1):
            self.run(statement)
            yield number

    @abstractmethod
    def commit(self) -> None:
        """Commit, after this engine's checks of the script's effects.

        Raises:
            CommitLostError: the connection was lost before the commit was confirmed.
        """

    @abstractmethod
    def rollback(self) -> None:
        """Roll back the open transaction, if any."""

    @abstractmethod
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open, whoever began it."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block, this program's own statements, in a transaction; if it raises, roll back."""
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def check_transaction(self) -> None:
        """Check that a statement has left the transaction that `begin` started open and as it was.

        Raises:
            TransactionEndedError: the statement ended it.
            MigrationError: the statement began another one inside it.
        """
        if not self.in_transaction():
            raise TransactionEndedError

    @abstractmethod
    def holds_lock(self) -> bool:
        """Tell whether this session still holds the migration lock; a pooler or a script may have released it."""

    def become_own(self) -> None:  # noqa: B027 - most engines' statements depend on no such setting
        """Reset the role and settings that a script has set, for this program's statements in the open transaction."""

    @abstractmethod
    def reset(self) -> None:
        """Reset session settings, so that one script's settings do not affect the next."""


class Scripting(ABC):
    """Migration scripts: their language, their lock, and the session that runs them."""

    @abstractmethod
    def features(self) -> frozenset[str]:
        """Return the features for `requires=` that this database has."""

    @property
    @abstractmethod
    def language(self) -> Language:
        """The parser of this engine's scripts."""

    @property
    @abstractmethod
    def lint(self) -> Lint:
        """The linter of this engine's scripts."""

    def preconditions(self, connection: Connection) -> Iterator[Check]:
        """Yield the checks that must pass before the first script is applied, as `doctor` shows them."""
        yield from self.taken_names(connection)

    def taken_names(self, connection: Connection) -> Iterator[Check]:
        """Yield a failed check for each name of one of the program's tables that something else has."""
        for name, kind in self.non_tables(connection):
            value = f"the {kind} `{name}` is where custctl needs an ordinary table"
            hint = f"rename the {kind}"
            if name == CUSTOMER:
                hint += (
                    "; an export of its rows can be imported into the new table: see `custctl customer import --help`"
                )
            yield Check("tables", False, value, hint, ExitCode.MIGRATION)

    def non_tables(self, connection: Connection) -> list[tuple[str, str]]:
        """Return what has the name of one of the program's tables and is no ordinary table: its name and kind."""
        return []

    @abstractmethod
    def create(self) -> None:
        """Create the database if the engine can do so without an administrator."""

    @abstractmethod
    def create_tables(self, connection: Connection) -> None:
        """Create the missing tables of the journal, in the caller's transaction."""

    def fails_in_transaction(self, statement: Statement) -> bool:
        """Tell, before anything runs, whether a statement always fails inside a transaction."""
        return False

    @abstractmethod
    def migration_lock(
        self, timeout: float, on_wait: Callable[[LockHolder | None], None]
    ) -> AbstractContextManager[None]:
        """Hold this database's migration lock.

        Args:
            timeout: seconds to wait for another holder.
            on_wait: called once, before waiting.

        Raises:
            UnavailableError: timed out; the message names the holder.
        """

    @abstractmethod
    def script_session(self) -> AbstractContextManager[ScriptSession]:
        """Open a connection for running scripts."""

    def plan_own_words(self, connection: Connection, columns: Sequence[str]) -> tuple[SearchIndex, ...]:
        """Return the missing indexes with which `customer search` finds customers by their own fields.

        Empty if a search reads the columns themselves.

        Args:
            columns: all own fields that a search looks in.
        """
        return ()

    def first_own_words(self, columns: Sequence[str], scripts: Collection[str]) -> tuple[str, ...]:
        """Return the names of the indexes that `plan_own_words` returns once scripts have created the tables.

        Args:
            columns: all own fields that a search looks in.
            scripts: the names of the scripts.
        """
        return ()

    def build_own_words(self, session: ScriptSession, index: SearchIndex) -> None:
        """Build a planned index, outside a transaction."""
        with session.transaction():
            for statement in index.statements:
                session.connection.send(statement)

    def runs_alone(self, statement: Statement) -> bool:
        """Tell whether a statement of a script without a transaction must run alone, apart from its journal entry's."""
        return self.language.needs_autocommit(statement)

    def settings_of(self, statements: Sequence[Statement]) -> list[int]:
        """Return the indexes of a script's finished statements that a new session must run again."""
        return [number for number, each in enumerate(statements) if self.language.restores_session(each)]

    def essential_setting(self, statement: Statement) -> str | None:
        """Return what a statement sets if the following statements would behave differently without it; else None."""
        return None

    def lost(self, applied: Sequence[Statement], rest: Sequence[Statement]) -> Lost | None:
        """Return what the rest of a script needs but was lost with the session that ran its first statements."""
        return None

    @abstractmethod
    def settle(self, connection: Connection, statement: Statement) -> bool | None:
        """Check whether a statement that was in flight took effect; None if that cannot be determined."""
