"""The driver's connection, with a timeout for every wait."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, Self, TypeVar

import psycopg
from psycopg import pq, waiting
from psycopg.waiting import Ready, Wait

from custctl.engines.postgresql.libpq import tell_sqlstates

RV = TypeVar("RV")

_SILENCE = 10.0  # seconds without an answer after which we check whether the server is alive
_CANCEL = 1.0  # seconds for the server to receive a cancel request, and to act on it


# Two blanks follow the severity, which is in the server's language. libpq's own messages have none there.
_BY_SERVER = re.compile(r"(?:^|: )(?P<severity>[^\s:]+):  (?:(?P<state>[0-9A-Z]{5}): +)?(?P<said>.*)")


class AttemptError(psycopg.OperationalError):
    """An attempt to connect failed.

    It is parsed from its text, because psycopg joins the errors of several addresses; the first line is about the last
    address.

    Attributes:
        by_server: whether the server refused, which means that it is alive.
        sqlstate: the server's SQLSTATE; None if libpq itself failed or the SQLSTATE is not available.
        reason: the reason in one line, in the words of the server or libpq.
    """

    def __init__(self, message: str, **more: Any) -> None:
        super().__init__(message, **more)
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        found = _BY_SERVER.search(lines[0]) if lines else None
        self.by_server = found is not None
        self.sqlstate = found["state"] if found else None
        self.reason = found["said"] if found else lines[0] if lines else type(self).__name__


class NoPasswordError(AttemptError):
    """The server wants a password, but there is none."""


class NoAnswerError(psycopg.OperationalError):
    """The server did not answer in time; it may be frozen, or the network may drop packets."""


class LimitedConnection(psycopg.Connection[Any]):
    """A connection on which every wait ends.

    The server's own `statement_timeout` does not fire if the server itself hangs. A script's statement may take hours;
    meanwhile another connection checks now and then whether the server is alive.

    Attributes:
        patience: seconds to wait for an answer; None means no limit.
        on_silence: called after every ten seconds without an answer; if it raises, the wait ends.
        cancels: whether to send a cancel request and wait a moment longer before giving up a wait.
        has_cancelled: whether that has happened since it was last set to False.
        pooled: whether a pooler is in between, so that the next transaction may be in another session.
    """

    patience: float | None = None
    on_silence: Callable[[], None] | None = None
    cancels: bool = False
    has_cancelled: bool = False
    pooled: bool = False

    @classmethod
    def _connect_gen(
        cls, conninfo: str = "", *, timeout: float = 0.0
    ) -> Generator[tuple[int, Wait], Ready | int, Self]:
        """Connect as psycopg does, and report what libpq knows about a refusal.

        Args:
            timeout: seconds; some releases of psycopg pass them here, others watch the time themselves.
        """
        deadline = time.monotonic() + timeout if timeout else None
        pgconn = pq.PGconn.connect_start(conninfo.encode())
        tell_sqlstates(pgconn)
        while pgconn.status != pq.ConnStatus.BAD:
            status = pgconn.connect_poll()
            if status == pq.PollingStatus.OK:
                pgconn.nonblocking = 1
                return cls(pgconn)
            if status == pq.PollingStatus.FAILED:
                break
            wait = Wait.R if status == pq.PollingStatus.READING else Wait.W
            while not (yield pgconn.socket, wait):
                if deadline is not None and time.monotonic() > deadline:
                    pgconn.finish()
                    raise psycopg.errors.ConnectionTimeout("connection timeout expired")
        kind = NoPasswordError if pgconn.needs_password else AttemptError
        error = kind(pgconn.get_error_message())
        pgconn.finish()
        raise error

    def wait(self, gen: Generator[Any, Any, RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run one of the driver's generators to its end; an interrupt cancels the server's work, if it answers."""
        watched = self._watched(gen)
        try:
            return waiting.wait(watched, self.pgconn.socket, interval, timeout)
        except KeyboardInterrupt:
            if self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                self._cancel(watched)
            raise

    def _cancel(self, gen: Generator[Any, Any, Any]) -> None:
        """Cancel the running statement; if that fails, close the connection."""
        try:
            self.cancel_safe(timeout=_CANCEL)
            waiting.wait(gen, self.pgconn.socket, timeout=_CANCEL)
        except psycopg.errors.QueryCanceled:
            pass
        except psycopg.Error:
            self.pgconn.finish()

    def _watched(self, gen: Generator[Any, Any, RV]) -> Generator[Any, Any, RV]:
        began = looked = time.monotonic()
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready:
                    now = time.monotonic()
                    if self.patience is not None and now - began > self.patience:
                        if self.cancels and not self.has_cancelled:
                            self.has_cancelled = True
                            with suppress(psycopg.Error):
                                self.cancel_safe(timeout=_CANCEL)
                            began = time.monotonic() - self.patience + _CANCEL
                            state = gen.send(ready)
                            continue
                        self.pgconn.finish()
                        raise NoAnswerError(f"no answer within {self.patience:g} s")
                    if self.on_silence is not None and now - looked > _SILENCE:
                        self._ask()
                        looked = time.monotonic()
                state = gen.send(ready)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def _ask(self) -> None:
        assert self.on_silence is not None
        try:
            self.on_silence()
        except Exception:
            self.pgconn.finish()
            raise
