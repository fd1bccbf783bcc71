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
    """One connection to a database: reading, transactions that write, and what the engine says of itself."""

    engine_name: str

    location: str

    own: OwnFields = NO_OWN_FIELDS
    """The own fields as the database recorded them when that was last looked at."""

    on_learn: Callable[[OwnFields], None] | None = None
    """Called where they are recorded in another way than was known."""

    ids_follow_commits: ClassVar[bool] = True
    """Whether a row with a lower id than another's is always committed before it; where several write at once it need
    not be."""

    has_logins: ClassVar[bool] = True
    """Whether the database itself knows who writes, and tells it in each row of the audit."""

    waits_for_standbys: ClassVar[bool] = False
    """Whether its commits may wait for standbys that a profile says nothing of."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; the object can be used again."""

    def learn(self, connection: Connection, record: str | None) -> bool:
        """Take over the record of own fields, and return whether it is another one than the connection knew.

        Raises:
            RefusedError: it is damaged.
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
            midway: whether the read goes on there, and does not begin again.
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

    @abstractmethod
    def lock(self, connection: Connection, name: str) -> None:
        """Keep other transactions that lock the same name out until the open one ends."""

    def recover(self, connection: Connection) -> None:  # noqa: B027 - most often an error ends its statement alone
        """Undo the open transaction where an error has made it one that can ask nothing more."""

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

    @abstractmethod
    def table_names(self, connection: Connection) -> set[str]:
        """Return the names of all tables in the profile's schema, the engine's own left out."""

    def is_standby(self, connection: Connection) -> bool:
        """Tell whether the database refuses writes: it follows another one, or is fenced."""
        return bool(connection.run("database.read_only").scalar() == "yes")

    def refusal_of_writes(self, connection: Connection) -> RefusedError:
        """Return the error that tells why the database takes no writes, where `is_standby` holds."""
        return RefusedError(f"{self.location} is a read-only standby or fenced", hint="write to the primary")
