"""What databases on servers have in common: transactions, retries, time limits.

The driver is in autocommit, and transactions are spelled out: nothing is begun behind our back, and a statement that
reads alone costs one round trip.
"""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, Self

from custctl.engines.at_once import at_once
from custctl.engines.base import EngineSettings
from custctl.engines.connecting import T
from custctl.engines.model import Node
from custctl.engines.nodes import Dialler, Fit
from custctl.engines.reached import ReachedDatabase
from custctl.support.errors import CommitLostError, CustctlError, StatementError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.connection import Connection
    from custctl.engines.members import Member
    from custctl.engines.reads import LogPosition

_GRACE = 1.0  # seconds beyond the server's own limit for a statement, which tells better what was wrong
_NO_LIMIT = 60.0  # seconds in which a transaction is tried again where the profile sets no limit
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5  # seconds between attempts


class DriverError(Exception):
    """A driver's error in the server's own words, without the values that some drivers quote.

    Args:
        answered: whether it was the server that said so; None where nobody asks.
    """

    def __init__(self, words: str, *, answered: bool | None = None) -> None:
        super().__init__(words)
        self.answered = answered


class DriverErrors(Protocol):
    """What an engine makes of its driver's errors; a module does that."""

    def translate(self, error: Any, where: str, login: str, statement: str | None = None) -> CustctlError:
        """Return the error of the tree that stands for it."""

    def words(self, error: Any) -> str:
        """Return it in the server's own words, without the values that it quotes."""

    def is_lost(self, error: Any) -> bool:
        """Tell whether the connection is of no use any more."""

    def can_run_again(self, error: Any) -> bool:
        """Tell whether the server gave the transaction up for another's sake."""


class GivenUpError(Exception):
    """The server gave a transaction up for another's sake: none of it was kept, and it can be run again.

    Args:
        told: what is told where the time to try again has run out.
    """

    def __init__(self, told: CustctlError) -> None:
        super().__init__(told.message)
        self.told = told


class ServerDatabase(ReachedDatabase):
    """A database on one or more servers."""

    ids_follow_commits = False
    driver_error: ClassVar[type[Exception]]
    driver_errors: ClassVar[DriverErrors]

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(settings)
        self.failures: tuple[type[Exception], ...] = (StatementError, self.driver_error)

    # -- what an engine has to say -----------------------------------------------------------------

    def _commit_and_locate(self, connection: Connection) -> LogPosition | None:
        """Commit, and return the position behind it in the log; None where that is to be asked for by itself."""
        connection.commit()
        return None

    @abstractmethod
    def _give_time(self, connection: Connection, seconds: float | None) -> None:
        """Limit how long the program waits for an answer; None is no limit."""

    @abstractmethod
    def _begin(self, connection: Connection) -> None:
        """Begin a transaction that writes, each of whose statements sees what is committed when it begins."""

    def begin_reading(self, connection: Connection) -> None:
        """Begin what reads statement by statement; most often nothing has to be begun for that."""

    @abstractmethod
    def _begin_snapshot(self, connection: Connection) -> None:
        """Begin a transaction that reads one state."""

    # -- connecting --------------------------------------------------------------------------------

    def exists(self) -> bool:
        return True  # whether the server has it is found out by connecting

    def create(self) -> None:
        """Leave it to an administrator: a database on a server has an owner, a place and a backup."""

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
        """Return the driver's error behind a statement's, or the error itself; None where it is another's."""
        found = error.orig if isinstance(error, StatementError) else error
        return found if isinstance(found, self.driver_error) else None

    def with_next_step(self, told: CustctlError) -> CustctlError:
        """Return an error whose hint is what the server knows of a privilege that a login lacks, if it is one of those."""
        return told

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
            raise given_up.told from given_up.__cause__
        except self.failures as error:
            self._tell(error)

    def _tell(self, error: Exception) -> NoReturn:
        # The driver's own error quotes whole rows, a hash of a password among them: no traceback may show it.
        raise self.translate(error) from self.scrubbed(error)

    def at_node(self) -> str:
        return f"node {self.node}" if self.node else self.location

    # -- transactions ------------------------------------------------------------------------------

    @contextmanager
    def reading(self, *, snapshot: bool = False, replica: bool = False) -> Iterator[Connection]:
        with self._doubts(), self.errors():
            connection = self.connect(replica=replica)
            self._tell_of_outage()
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
                    raise given_up.told from given_up.__cause__
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            result, connection = self._run(work)
        except BaseException:
            # Whoever tries again may find the primary back, or another one.
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
                # Interrupted: whether the transaction has ended is not known, and the next one is not to begin in it.
                self.close()
                raise
        self._remember(reached)

    def remember_position(self) -> None:
        self._remember(None)

    def _remember(self, reached: LogPosition | None) -> None:
        """Keep the position of what was committed, or ask for it where it is not known yet.

        What fails here must not look as if the commit had.
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
        """Keep how far the log has come when a session of scripts ends, unless its connection is lost."""
        if self._link is not None and not self._link.driver.closed:
            self.remember_position()

    def check_history(self, database_id: str | None, epoch: int) -> None:
        if self.settings.replicas is not None and not self.settings.is_chosen:
            self.settings.replicas.check_history(database_id, epoch, self.at_node())

    @contextmanager
    def errors_of_commit(self) -> Iterator[None]:
        """Tell the errors of a commit.

        Raises:
            CommitLostError: the answer was lost.
        """
        try:
            yield
        except self.failures as error:
            if not self.is_lost(error):
                self._tell(error)
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
            self._tell(error)

    def _roll_back(self, connection: Connection) -> None:
        """Undo what is open; a connection that is of no use any more is let go, and the server undoes it."""
        try:
            connection.rollback()
        except self.failures:
            self.close()
        except BaseException:
            # Interrupted: what would be read next is not to be what was to be undone.
            self.close()
            raise

    def _limit(self) -> float | None:
        """Return how long an answer may take, in seconds: the server's own limit, and a little more."""
        timeout = self.settings.statement_timeout
        return timeout + _GRACE if timeout else None

    @property
    def nodes(self) -> Sequence[Node]:
        return self.settings.nodes

    def members(self, names: Collection[str]) -> Mapping[str, Member | CustctlError]:
        calls = {node.name: partial(self._member, node) for node in self.settings.nodes if node.name in names}
        return at_once(calls, self.settings.connect_timeout + _GRACE, too_late=lambda member: member.close())

    @abstractmethod
    def _member(self, node: Node) -> Member:
        """Return a connection to one node, to observe and steer it."""

    def at(self, node: str) -> Self:
        chosen = {each.name: each for each in self.settings.nodes}[node]
        return type(self)(replace(self.settings, nodes=(chosen,), is_chosen=True))

    def check_alive(self) -> None:
        """Make sure that the server still answers, by another connection.

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
        except CustctlError as error:
            # To be told that no session is free, say, is an answer too.
            if not (isinstance(error.__cause__, DriverError) and error.__cause__.answered):
                raise
        else:
            with suppress(Exception):
                driver.close()

    def recover(self, connection: Connection) -> None:
        connection.rollback()
