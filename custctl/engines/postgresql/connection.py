"""The driver's connection, with a limit on how long it waits for an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg import pq, waiting

RV = TypeVar("RV")

_SILENCE = 10.0  # seconds without an answer after which the server is asked whether it is still there
_CANCEL = 1.0  # seconds in which the server is to take a request to cancel, and to act on it


class NoAnswerError(psycopg.OperationalError):
    """The server did not answer in time; it may be frozen, or the network swallows what is sent."""


class LimitedConnection(psycopg.Connection[Any]):
    """A connection whose every wait ends.

    The server's own `statement_timeout` does not fire where the server itself stands still. A statement of a script
    may take hours: there the server is asked by another connection, now and then, whether it is still alive.

    Attributes:
        patience: seconds to wait for an answer; None is no limit.
        on_silence: called after each ten seconds without an answer where there is no limit; what it raises ends
            the wait.
        cancels: whether the server is asked to cancel, and given a moment more, before a wait is given up.
        has_cancelled: whether that was done since it was last set to False.
    """

    patience: float | None = None
    on_silence: Callable[[], None] | None = None
    cancels: bool = False
    has_cancelled: bool = False

    def wait(self, gen: Generator[Any, Any, RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run one of the driver's generators to its end; an interrupt ends what the server does, if it answers."""
        watched = self._watched(gen)
        try:
            return waiting.wait(watched, self.pgconn.socket, interval, timeout)
        except KeyboardInterrupt:
            if self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                self._cancel(watched)
            raise

    def _cancel(self, gen: Generator[Any, Any, Any]) -> None:
        """Cancel what runs; a connection on which that is not to be had is given up."""
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
