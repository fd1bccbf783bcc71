"""The part of the interface to a database that connects, reads and writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar, TypeVar

from custctl.schema.own import NO_OWN_FIELDS, OwnFields, parse_record
from custctl.support.errors import CustctlError, RefusedError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.reads import Source

T = TypeVar("T")


class Connecting(ABC):
    """One connection to a database: reads, write transactions, and facts about the engine."""

    engine_name: str

    location: str

    own: OwnFields = NO_OWN_FIELDS
    """The own fields, as last read from the database's record."""

    on_learn: Callable[[OwnFields], None] | None = None
    """Called when the record of own fields has changed."""

    ids_follow_commits: ClassVar[bool] = True
    """Whether rows are always committed in the order of their ids; with several concurrent writers they need not be."""

    has_logins: ClassVar[bool] = True
    """Whether the database itself knows who writes, and records that in each audit row."""

    waits_for_standbys: ClassVar[bool] = False
    """Whether commits may wait for standbys that the profile does not mention."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; the object can be used again."""

    def learn(self, connection: Connection, record: str | None) -> bool:
        """Take over the record of own fields, and return whether it differs from what the connection had.

        Raises:
            RefusedError: the record is damaged.
        """
        if connection.own.record == record:
            return False
        self.own = connection.own = parse_record(record)
        if self.on_learn is not None:
            self.on_learn(self.own)
        return True

    @abstractmethod
    def reading(self, *, snapshot: bool = False, replica: bool = False) -> AbstractContextManager[Connection]:
        """Open a connection for reading.

        Args:
            snapshot: whether all statements see one consistent state; otherwise each sees what is committed when it
                starts.
            replica: whether a sufficiently fresh replica may serve, if the profile sends reads there. Never use it for
                data that is then written back.

        Raises:
            PendingError: the database or its tables do not exist.
            UnavailableError: it cannot be reached or read in time.
        """

    def read(self, work: Callable[[Connection], T], *, replica: bool = True) -> T:
        """Run `work`, which only reads; if a replica fails in the middle, run it again on another node.

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
        """Leave a replica that has failed, and tell whether another node can do the read.

        Args:
            error: why it failed.
            midway: whether the read continues on the other node instead of starting over.
        """
        return False

    @property
    def source(self) -> Source | None:
        """The node that served the last read; None for a file, and before a server was reached."""
        return None

    @abstractmethod
    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a write transaction and commit it; if it raises, roll back.

        Args:
            work: what to do. If the server aborts the transaction because of another one (a deadlock, say), it is run
                again from the start, so it must not have side effects outside the database that may happen only once.

        Returns:
            What `work` returned in the run that was committed.

        Raises:
            UnavailableError: timed out waiting for a lock, or the database cannot be reached; nothing was written.
            ConflictError: a unique value is taken.
            CommitLostError: the connection was lost before the commit was confirmed.
        """

    @abstractmethod
    def lock(self, connection: Connection, name: str) -> None:
        """Lock a name until the open transaction ends; other transactions that lock it wait."""

    def recover(self, connection: Connection) -> None:  # noqa: B027 - usually an error ends only its statement
        """Roll back the open transaction if an error has left it unable to run more statements."""

    @abstractmethod
    def translate(self, error: Exception) -> CustctlError:
        """Convert a driver's error to a `CustctlError`."""

    @abstractmethod
    def exists(self) -> bool:
        """Tell whether there is a database to connect to, without creating one."""

    def probe(self) -> None:
        """Return if the database answers or does not exist yet.

        Raises:
            UnavailableError: it does not answer now; it may be starting.
        """
        if self.exists():
            with self.reading():
                pass  # the login works

    @abstractmethod
    def table_names(self, connection: Connection) -> set[str]:
        """Return the names of all tables in the profile's schema, without the engine's own."""

    def is_standby(self, connection: Connection) -> bool:
        """Tell whether the database refuses writes because it is a standby or fenced."""
        return bool(connection.run("database.read_only").scalar() == "yes")

    def refusal_of_writes(self, connection: Connection) -> RefusedError:
        """Return the error that says why the database refuses writes, when `is_standby` is true."""
        return RefusedError(f"{self.location} is a read-only standby or fenced", hint="write to the primary")
