"""The interface to a database: whatever differs between engines is behind it and nowhere else.

A `Database` holds at most one connection, opened when first needed. The domain
writes SQLAlchemy Core statements and asks the engine only for what Core cannot
say portably: locks, bulk load, search, scripts, error translation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from custctl.support.errors import CustctlError, ExitCode, RefusedError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row, Select, Table
    from sqlalchemy.sql.dml import Insert, Update

    from custctl.engines.members import Member
    from custctl.engines.reads import Replicas, Source
    from custctl.engines.scripts import Language, Lint, Statement


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds the migration lock, as far as could be learnt."""

    description: str


@dataclass(frozen=True, slots=True)
class Merge:
    """What a bulk merge did with a batch.

    Attributes:
        inserted: ids of new rows, ascending.
        updated: ids of rows that were changed, ascending.
        unchanged: how many rows were there already with these very values.
        taken: positions in the batch whose key another row holds; filled only when not updating.
        absent: positions in the batch whose key no row holds; filled only when not inserting.
    """

    inserted: Sequence[int] = ()
    updated: Sequence[int] = ()
    unchanged: int = 0
    taken: Sequence[int] = ()
    absent: Sequence[int] = ()


CELL_END = "\x1f"
"""What stands between the cells of a `Joined` row: U+001F, the unit separator."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows as one text in UTF-8: cells divided by `CELL_END`, rows by a line feed, neither in any cell; NULL is empty."""

    data: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`: what was looked at, how it stands, and the way out of a fault.

    Attributes:
        exit_code: what a fault of this kind ends a command with.
    """

    name: str
    ok: bool
    value: str
    hint: str | None = None
    exit_code: ExitCode = ExitCode.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Node:
    """One server, and how messages name it."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"`{self.name}` ({self.host}:{self.port})"


def _no_password() -> None:
    return None


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine needs from a profile to connect; times in seconds.

    Attributes:
        location: the database in words.
        path: the file of SQLite; the fields after the times are for servers.
        connect_timeout: for one attempt to connect.
        statement_timeout: for one statement or one transaction that writes; zero is no limit.
        auth: password, integrated, entra or certificate.
        tls: verify-full, strict, require or off.
        tls_ca: the certificates to trust in place of the system's.
        actor: who works, for the server's list of sessions.
        password: looks the password up when the first connection is made; None where the login needs none.
        replicas: decides where reads go and keeps what was written; None where there is but one node.
        is_chosen: whether somebody who knows whose history it has named the one node, which is not doubted then.
    """

    location: str
    path: Path | None = None
    connect_timeout: float = 5.0
    statement_timeout: float = 30.0
    nodes: Sequence[Node] = ()
    name: str = ""
    schema: str = ""
    user: str | None = None
    auth: str = "integrated"
    tls: str = "off"
    tls_ca: Path | None = None
    actor: str = ""
    password: Callable[[], str | None] = field(default=_no_password, repr=False)
    replicas: Replicas | None = None
    is_chosen: bool = False


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
        """Tell whether the transaction that `begin` started is still open."""

    @abstractmethod
    def holds_lock(self) -> bool:
        """Tell whether this session still has the migration lock; a pooler or a script may have taken it away."""

    def become_own(self) -> None:  # noqa: B027 - most engines' statements depend on no such setting
        """Let the rest of the open transaction be this program's own, whatever role and settings a script has made."""

    @abstractmethod
    def reset(self) -> None:
        """Put session settings back, so that one script's settings do not reach the next."""


class Database(ABC):
    """One database as a profile names it."""

    engine_name: str
    location: str
    ids_follow_commits: ClassVar[bool] = True
    """Whether a row with a lower id than another's is always committed before it; where several write at once it need
    not be."""
    waits_for_standbys: ClassVar[bool] = False
    """Whether its commits may wait for standbys that a profile says nothing of."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; the object can be used again."""

    @abstractmethod
    def reading(self, *, snapshot: bool = False, replica: bool = False) -> AbstractContextManager[Connection]:
        """Open a connection for reading.

        Args:
            snapshot: whether all statements see one consistent state, or each what is committed when it begins.
            replica: whether a replica that is fresh enough may serve, where the profile has reads go there. Never for
                what is then written back.

        Raises:
            PendingError: the database or its tables do not exist.
            UnavailableError: it cannot be reached or read in time.
        """

    def read(self, work: Callable[[Connection], T], *, replica: bool = True) -> T:
        """Run `work`, which only reads; where a replica fails in its midst, it is run again elsewhere.

        Raises:
            PendingError: the database or its tables do not exist.
            UnavailableError: it cannot be reached or read in time.
        """
        while True:
            try:
                with self.reading(replica=replica) as connection:
                    return work(connection)
            except CustctlError as error:
                if not self.pass_over(error):
                    raise

    def pass_over(self, error: CustctlError, *, midway: bool = False) -> bool:
        """Leave a replica that has failed, and tell whether the read can be done at another node.

        Args:
            error: how it has failed.
            midway: whether the read goes on there, and is not begun anew.
        """
        return False

    @property
    def source(self) -> Source | None:
        """Where the last read was served from; None where there is but a file, and before a server was reached."""
        return None

    @abstractmethod
    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that writes, and commit it; what raises leaves nothing behind.

        Args:
            work: what to do. Where the server gives the transaction up for another's sake (a deadlock, say), it is run
                again from its beginning: nothing outside the database may count on its having run once.

        Returns:
            What `work` returned in the run that was committed.

        Raises:
            UnavailableError: no lock could be had in time, or the database cannot be reached; nothing was written.
            ConflictError: a unique value is taken.
            CommitLostError: the answer to the commit was lost.
        """

    def remember_position(self) -> None:  # noqa: B027 - most databases have no replicas
        """Keep how far the log has come, so that no replica serves this operator which is not so far yet.

        `transact` does that by itself.
        """

    def check_history(self, database_id: str | None, epoch: int) -> None:  # noqa: B027 - as above
        """Refuse to write to a former primary.

        Args:
            database_id: what the database says of itself; so the epoch.

        Raises:
            SplitBrainError: a later epoch of this database was met before.
        """

    @abstractmethod
    def lock(self, connection: Connection, name: str) -> None:
        """Keep other transactions that lock the same name out until the open one ends."""

    @abstractmethod
    def translate(self, error: Exception) -> CustctlError:
        """Return the error of the tree that stands for a driver's error."""

    @abstractmethod
    def exists(self) -> bool:
        """Tell whether there is a database to connect to, without creating one."""

    def probe(self) -> None:
        """Return where the database answers or does not exist yet.

        Raises:
            UnavailableError: it does not answer now; it may be starting.
        """
        if self.exists():
            with self.reading():
                pass  # it has let us in

    def preconditions(self, connection: Connection) -> Iterator[Check]:
        """Yield what must hold before the first script is applied, each as `doctor` shows it."""
        return iter(())

    @abstractmethod
    def create(self) -> None:
        """Create the database where the engine can do so without an administrator."""

    @abstractmethod
    def table_names(self, connection: Connection) -> set[str]:
        """Return the names of all tables in the profile's schema, the engine's own left out."""

    @abstractmethod
    def create_tables(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Create those tables that are missing, in the caller's transaction."""

    @abstractmethod
    def read_only(self) -> ColumnElement[str]:
        """Return an expression: `yes` where the database refuses writes, as it follows another one or is fenced."""

    @abstractmethod
    def is_standby(self, connection: Connection) -> bool:
        """Tell whether the database refuses writes; see `read_only`."""

    def erase_copies(self, connection: Connection) -> None:  # noqa: B027 - most engines have nothing to do
        """Leave nothing of the rows that this transaction deletes in indexes, logs and free pages of the engine's own.

        Where the engine keeps such copies until its own housekeeping removes them, nothing is done.
        """

    def recover(self, connection: Connection) -> None:  # noqa: B027 - most often an error ends its statement alone
        """Undo the open transaction where an error has made it one that can ask nothing more."""

    def refusal_of_writes(self, connection: Connection) -> RefusedError:
        """Return the error that tells why the database takes no writes, where `is_standby` holds."""
        return RefusedError(f"{self.location} is a read-only standby, or fenced", hint="write to the primary")

    @abstractmethod
    def now(self) -> ColumnElement[str]:
        """Return an expression for the database's clock: a `Timestamp`."""

    # -- version-checked writes --------------------------------------------------------------------

    @abstractmethod
    def encode_version(self, raw: Any) -> str:
        """Return a row version as clients see it, without the epoch."""

    @abstractmethod
    def decode_version(self, text: str) -> Any:
        """Return the raw row version.

        Raises:
            ValueError: the text was not made by `encode_version`.
        """

    @abstractmethod
    def version_text(self, column: ColumnElement[Any], prefix: str) -> ColumnElement[str]:
        """Return the expression of what `encode_version` makes of a version, behind a prefix."""

    def touch(self) -> dict[str, ColumnElement[Any]]:
        """Return what an update has to set besides the fields, where the database does not do so by itself."""
        return {}

    @abstractmethod
    def write_row(
        self, connection: Connection, statement: Update, returned: Sequence[ColumnElement[Any]]
    ) -> Row[Any] | None:
        """Run an update of one row and return the row as the database left it.

        Args:
            statement: names the row by id and version.
            returned: columns of the table, its id the first.

        Returns:
            These columns after the update, or None where no row had that version.
        """

    @abstractmethod
    def insert_row(self, connection: Connection, statement: Insert, returned: Sequence[ColumnElement[Any]]) -> Row[Any]:
        """Insert one row and return columns of it as the database made them, its id the first."""

    def store_hash(self, connection: Connection, table: Table, key: str, owner: int, stored: str) -> None:
        """Store the hash of a password in the place of the one that is there, if any, so that no log of the server has it.

        Args:
            table: has the columns `key`, `hash` and `updated_at`.
            owner: what `key` is to hold.
        """
        import sqlalchemy as sa

        values = {"hash": stored, "updated_at": self.now()}
        if connection.execute(sa.update(table).where(table.c[key] == owner).values(values)).rowcount == 0:
            connection.execute(sa.insert(table).values({key: owner, **values}))

    # -- volume ------------------------------------------------------------------------------------

    @abstractmethod
    def merge(
        self,
        connection: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        key: str,
        insert: bool,
        update: bool,
    ) -> Merge:
        """Insert a batch set by set; rows whose key exists are updated or reported as taken.

        Args:
            columns: the columns of each row, `key` among them; other columns keep what they hold.
            rows: texts, none of them empty, and None; no key twice.
            key: a column with a unique index.
            insert: whether rows with a new key are inserted, or reported as absent.
            update: whether rows with a known key are updated, or reported as taken.
        """

    @abstractmethod
    def stream(self, connection: Connection, statement: Select[Any], size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query in lists of at most `size`, in constant memory."""

    def stream_joined(
        self, connection: Connection, statement: Select[Any], size: int
    ) -> Iterator[Joined | list[tuple[Any, ...]]]:
        """Yield the rows of a query for text output, joined by the engine itself where it can do that exactly.

        Args:
            statement: its first column is the table's key, and it is ordered by that.
        """
        yield from self.stream(connection, statement, size)

    # -- search ------------------------------------------------------------------------------------

    @abstractmethod
    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        """Return the conditions, one of which holds where a column begins with `text` whatever the case.

        No two hold for one row; an index serves each in the order of `fold_order`, and in that order they follow
        each other.
        """

    def fold_key(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return what of a column is compared without case."""
        return column

    @abstractmethod
    def fold_order(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the order of the index behind `starts_with`, for what `fold_key` returned."""

    @abstractmethod
    def contains(
        self, connection: Connection, statement: Select[Any], columns: Sequence[ColumnElement[Any]], text: str
    ) -> tuple[Select[Any], ColumnElement[Any]]:
        """Narrow a select to rows where any column contains `text` whatever the case.

        Args:
            columns: of one table.

        Returns:
            The narrowed select, and the column that equals the row's id and by which it is best ordered.
        """

    # -- migrations --------------------------------------------------------------------------------

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

    def changes_role(self, statement: Statement) -> bool:
        """Tell whether a statement changes on whose behalf its session acts."""
        return False

    @abstractmethod
    def settle(self, connection: Connection, statement: Statement) -> bool | None:
        """Look whether a statement that was in flight took effect: True, False, or None where that cannot be seen."""

    # -- replication -------------------------------------------------------------------------------

    @property
    def nodes(self) -> Sequence[Node]:
        """The servers that it may be on, in the profile's order; none where it is a file."""
        return ()

    def members(self, names: Collection[str]) -> Mapping[str, Member | CustctlError]:
        """Return a connection to each of these nodes, or why there is none, by name; all are made at once.

        They are the caller's to close.
        """
        return {}

    def branch(self, connection: Connection) -> str | None:
        """Return the branch of the history that a primary is on; None where the engine does not number them."""
        return None

    def at(self, node: str) -> Database:
        """Return the same database on one of its nodes, whatever its role; it has a connection of its own.

        Raises:
            KeyError: there is no such node.
        """
        raise KeyError(node)

    # -- diagnosis ---------------------------------------------------------------------------------

    @abstractmethod
    def checks(self, scripts: Path) -> Iterator[Check]:
        """Look at the driver, the file or server, and the login, for `doctor`.

        Args:
            scripts: the folder of this engine's scripts, as hints name it.
        """
