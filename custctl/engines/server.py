"""What databases on servers have in common: transactions, retries, timeouts.

The driver is in autocommit and transactions are explicit: the driver begins none by itself, and a single reading
statement costs one round trip.
"""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, Self

from custctl.engines.at_once import at_once
from custctl.engines.base import EngineSettings
from custctl.engines.connecting import T
from custctl.engines.model import Check, Node
from custctl.engines.nodes import Dialler, Fit
from custctl.engines.reached import ReachedDatabase
from custctl.support.errors import CommitLostError, CredentialError, CustctlError, StatementError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.members import Member
    from custctl.engines.reads import LogPosition

_GRACE = 1.0  # seconds beyond the server's own statement timeout, whose error is more precise
_NO_LIMIT = 60.0  # seconds during which a transaction is retried if the profile sets no limit
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5  # seconds between attempts


class DriverError(Exception):
    """A driver's error in the server's own words, without the values that some drivers quote.

    Args:
        answered: whether the error came from the server; None if that does not matter.
    """

    def __init__(self, words: str, *, answered: bool | None = None) -> None:
        super().__init__(words)
        self.answered = answered


class DriverErrors(Protocol):
    """How an engine interprets its driver's errors; implemented by a module."""

    def translate(self, error: Any, where: str, login: str, statement: str | None = None) -> CustctlError:
        """Convert it to a `CustctlError`."""

    def words(self, error: Any) -> str:
        """Return the server's own message, without the values that it quotes."""

    def is_lost(self, error: Any) -> bool:
        """Tell whether the connection is no longer usable."""

    def can_run_again(self, error: Any) -> bool:
        """Tell whether the server aborted the transaction because of another one."""


class GivenUpError(Exception):
    """The server aborted a transaction because of another one: nothing of it was kept, and it can be run again.

    Args:
        error: the error to report when the time for retries has run out.
    """

    def __init__(self, error: CustctlError) -> None:
        super().__init__(error.message)
        self.error = error


class ServerDatabase(ReachedDatabase):
    """A database on one or more servers."""

    ids_follow_commits = False
    driver_error: ClassVar[type[Exception]]
    driver_errors: ClassVar[DriverErrors]

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(settings)
        self.failures: tuple[type[Exception], ...] = (StatementError, self.driver_error)

    # -- what an engine implements -----------------------------------------------------------------

    def _commit_and_locate(self, connection: Connection) -> LogPosition | None:
        """Commit, and return the log position after the commit; None if the caller must query it separately."""
        connection.commit()
        return None

    @abstractmethod
    def _give_time(self, connection: Connection, seconds: float | None) -> None:
        """Limit how long the program waits for an answer; None means no limit."""

    @abstractmethod
    def _begin(self, connection: Connection) -> None:
        """Begin a write transaction in which each statement sees what is committed when it starts."""

    def begin_reading(self, connection: Connection) -> None:
        """Prepare for reading statement by statement; most engines need nothing for that."""

    @abstractmethod
    def _begin_snapshot(self, connection: Connection) -> None:
        """Begin a transaction that reads one consistent state."""

    # -- connecting --------------------------------------------------------------------------------

    def exists(self) -> bool:
        return True  # connecting shows whether the server has it

    def create(self) -> None:
        """Do nothing: an administrator creates a server's database, with its owner, location and backup."""

    # -- errors ------------------------------------------------------------------------------------

    def translate(self, error: Exception) -> CustctlError:
        statement = error.statement if isinstance(error, StatementError) else None
        return self.translated(error, self.at_node(), statement)

    def translated(self, error: Exception, where: str, statement: str | None = None) -> CustctlError:
        original = self._original(error)
        if original is None:
            return CustctlError(f"{where}: {error}")
        return self.driver_errors.translate(original, where, self.login_name(), statement)

    def _original(self, error: Exception) -> Exception | None:
        """Return the driver's error behind a statement's, or the error itself; None if it is not the driver's."""
        found = error.orig if isinstance(error, StatementError) else error
        return found if isinstance(found, self.driver_error) else None

    def with_next_step(self, error: CustctlError) -> CustctlError:
        """Return the error; if it is about a missing privilege, with a hint from what the server knows about it."""
        return error

    def login_name(self) -> str:
        return f"`{self.settings.user}`" if self.settings.user else "this login"

    def scrubbed(self, error: Exception) -> DriverError:
        original = self._original(error)
        return DriverError(self.driver_errors.words(original) if original is not None else str(error))

    def is_lost(self, error: Exception) -> bool:
        original = self._original(error)
        return original is None or self.driver_errors.is_lost(original)

    def _can_run_again(self, error: Exception) -> bool:
        original = self._original(error)
        return original is not None and self.driver_errors.can_run_again(original)

    @contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except GivenUpError as given_up:
            raise given_up.error from given_up.__cause__
        except self.failures as error:
            self._raise_translated(error)

    def _raise_translated(self, error: Exception) -> NoReturn:
        # The driver's own error quotes whole rows, even password hashes: no traceback may show it.
        raise self.translate(error) from self.scrubbed(error)

    def at_node(self) -> str:
        return f"node {self.node}" if self.node else self.location

    # -- transactions ------------------------------------------------------------------------------

    @contextmanager
    def reading(self, *, snapshot: bool = False, replica: bool = False) -> Iterator[Connection]:
        with self._doubts(), self.errors():
            connection = self.connect(replica=replica)
            self._warn_of_outage()
            self._give_time(connection, self._limit())
            try:
                if snapshot:
                    self._begin_snapshot(connection)
                else:
                    self.begin_reading(connection)
                yield connection
            finally:
                self._roll_back(connection)

    def transact(self, work: Callable[[Connection], T]) -> T:
        deadline = time.monotonic() + (self.settings.statement_timeout or _NO_LIMIT)
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._once(work)
            except GivenUpError as given_up:
                if time.monotonic() + pause >= deadline:
                    raise given_up.error from given_up.__cause__
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            result, connection = self._run(work)
        except BaseException:
            # A retry may find the primary back, or a new one.
            if self._link is not None and not self._link.writable:
                self.close()
            raise
        self._commit(connection)
        return result

    def _run(self, work: Callable[[Connection], T]) -> tuple[T, Connection]:
        with self._errors_of_transactions():
            connection = self.connect()
            self._check_not_missing()
            self._give_time(connection, self._limit())
            try:
                self._begin(connection)
                result = work(connection)
            except BaseException:
                self._roll_back(connection)
                raise
        return result, connection

    def _commit(self, connection: Connection) -> None:
        replicas, reached = self.settings.replicas, None
        with self.errors_of_commit():
            try:
                if replicas is None:
                    connection.commit()
                else:
                    reached = self._commit_and_locate(connection)
            except self.failures as error:
                self._roll_back(connection)
                if self._can_run_again(error):
                    raise GivenUpError(self.translate(error)) from self.scrubbed(error)
                raise
            except BaseException:
                # Interrupted: the transaction may still be open, and the next one must not begin inside it.
                self.close()
                raise
        self._remember(reached)

    def remember_position(self) -> None:
        self._remember(None)

    def _remember(self, reached: LogPosition | None) -> None:
        """Remember the log position of the commit, or query it if it is not known yet.

        A failure here must not look like a failed commit.
        """
        replicas = self.settings.replicas
        if replicas is None:
            return
        try:
            with self.errors():
                if reached is None:
                    self.connect()
                link = self._link
                if link is None:
                    return
                if reached is None and link.writable:
                    freshness = self._freshness(link.node, link.driver)
                    reached = freshness.reached if freshness is not None else None
            if reached is not None:
                replicas.committed(link.node, reached)
        except CustctlError as error:
            replicas.not_learnt(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is committed
            replicas.not_learnt(CustctlError(f"unexpected {type(error).__name__}"))

    def _remember_scripts(self) -> None:
        """Remember the current log position when a script session ends, unless its connection is lost."""
        if self._link is not None and not self._link.driver.closed:
            self.remember_position()

    def check_history(self, database_id: str | None, epoch: int) -> None:
        if self.settings.replicas is not None and not self.settings.is_chosen:
            self.settings.replicas.check_history(database_id, epoch, self.at_node())

    @contextmanager
    def errors_of_commit(self) -> Iterator[None]:
        """Translate the errors of a commit.

        Raises:
            CommitLostError: the connection was lost before the commit was confirmed.
        """
        try:
            yield
        except self.failures as error:
            if not self.is_lost(error):
                self._raise_translated(error)
            self.close()
            raise CommitLostError(
                f"the connection to {self.at_node()} was lost while it committed",
                hint="check whether it was written before you repeat it",
            ) from self.scrubbed(error)

    @contextmanager
    def _errors_of_transactions(self) -> Iterator[None]:
        try:
            yield
        except self.failures as error:
            if self._can_run_again(error):
                raise GivenUpError(self.translate(error)) from self.scrubbed(error)
            self._raise_translated(error)

    def _roll_back(self, connection: Connection) -> None:
        """Roll back the open transaction; if the connection is no longer usable, close it: the server rolls back."""
        try:
            connection.rollback()
        except self.failures:
            self.close()
        except BaseException:
            # Interrupted: the next read must not see what should have been rolled back.
            self.close()
            raise

    def _limit(self) -> float | None:
        """Return how long an answer may take, in seconds: a little more than the server's own limit."""
        timeout = self.settings.statement_timeout
        return timeout + _GRACE if timeout else None

    @property
    def nodes(self) -> Sequence[Node]:
        return self.settings.nodes

    def members(self, names: Collection[str]) -> Mapping[str, Member | CustctlError]:
        with suppress(CustctlError):  # each node says what it thinks of an old token
            self.settings.renew()
        calls = {node.name: partial(self._member, node) for node in self.settings.nodes if node.name in names}
        return at_once(calls, self.settings.connect_timeout + _GRACE, too_late=lambda member: member.close())

    @abstractmethod
    def _member(self, node: Node) -> Member:
        """Return a connection to one node, to observe and control it."""

    def at(self, node: str) -> Self:
        chosen = {each.name: each for each in self.settings.nodes}[node]
        return type(self)(self.settings._replace(nodes=(chosen,), is_chosen=True))

    def check_alive(self) -> None:
        """Check over another connection that the server still answers.

        Raises:
            UnavailableError: it does not.
        """
        if self.node is None:
            return
        timeout = self.settings.connect_timeout
        try:
            Dialler(self._knock, lambda _: (Fit.BEST,), lambda _: None, [[self.node]], timeout).connect()
        except UnavailableError as error:
            raise UnavailableError(
                f"the server no longer answers: {error.message}",
                hint="its work is rolled back when it ends the session, or continues when it recovers: check"
                " before you repeat it",
            ) from None

    def _knock(self, node: Node) -> None:
        try:
            driver = self.dial(node)
        except CredentialError:
            pass  # an AWS credential may have expired meanwhile, which says nothing about the server
        except CustctlError as error:
            # An error such as "no free session" is an answer too.
            if not (isinstance(error.__cause__, DriverError) and error.__cause__.answered):
                raise
        else:
            with suppress(Exception):
                driver.close()

    def run_checks(
        self, checks: Mapping[str, Callable[[], Iterator[Check]]], recover: Callable[[], None] = lambda: None
    ) -> Iterator[Check]:
        """Yield the results of checks for `doctor`; a check that fails does not stop the others.

        Args:
            checks: by name.
            recover: called after a check that failed.
        """
        for name, check in checks.items():
            try:
                yield from check()
            except self.failures as error:
                if self.is_lost(error):
                    raise
                told = self.translate(error)
                yield Check(name, False, told.message, told.hint or "the server's log has more", told.exit_code)
                recover()

    def recover(self, connection: Connection) -> None:
        connection.rollback()
