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

from custctl.engines.model import Check, LockHolder, Merge, Node
from custctl.support.errors import CustctlError, RefusedError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection, Row
    from custctl.engines.members import Member
    from custctl.engines.reads import Replicas, Source
    from custctl.engines.scripts import Language, Lint, Statement


T = TypeVar("T")


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
    def create_tables(self, connection: Connection) -> None:
        """Create what the journal needs and is missing, in the caller's transaction."""

    def is_standby(self, connection: Connection) -> bool:
        """Tell whether the database refuses writes: it follows another one, or is fenced."""
        return bool(connection.run("database.read_only").scalar() == "yes")

    def erase_copies(self, connection: Connection) -> None:  # noqa: B027 - most engines have nothing to do
        """Leave nothing of the rows that this transaction deletes in indexes, logs and free pages of the engine's own.

        Where the engine keeps such copies until its own housekeeping removes them, nothing is done.
        """

    def recover(self, connection: Connection) -> None:  # noqa: B027 - most often an error ends its statement alone
        """Undo the open transaction where an error has made it one that can ask nothing more."""

    def refusal_of_writes(self, connection: Connection) -> RefusedError:
        """Return the error that tells why the database takes no writes, where `is_standby` holds."""
        return RefusedError(f"{self.location} is a read-only standby or fenced", hint="write to the primary")

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

    def write_row(self, connection: Connection, columns: Mapping[str, Any], **holds: Any) -> Row | None:
        """Update one customer and return its own columns as the database left them.

        Args:
            columns: what is set.
            holds: the parameters of `customer.update`: the row's id and version, and the epoch.

        Returns:
            None where no row had that version.
        """
        return connection.run("customer.update", columns, **holds).one_or_none()

    def insert_row(self, connection: Connection, columns: Mapping[str, Any]) -> Row:
        """Insert one customer and return its own columns as the database made them."""
        return connection.run("customer.add", columns).one()

    def store_hash(self, connection: Connection, owner: int, stored: str) -> None:
        """Store the hash of a customer's password in place of the one that is there, so that no log of the server has it."""
        if connection.run("password.update", owner=owner, stored=stored).rowcount == 0:
            connection.run("password.insert", owner=owner, stored=stored)

    # -- volume ------------------------------------------------------------------------------------

    @abstractmethod
    def merge(
        self,
        connection: Connection,
        table: str,
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
