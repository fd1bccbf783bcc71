"""The thread that uses the database, so that the screen never waits for it.

A connection belongs to one thread, and a browser needs only one. A read that a newer one replaces ends early: it gets
the interrupt of Ctrl-C, on which every engine cancels its statement.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from custctl.support.errors import UnavailableError

T = TypeVar("T")

_IDLE: Final = 20.0  # seconds until an idle connection is closed: servers end idle sessions


class Outrun(KeyboardInterrupt):
    """A newer call has replaced the running one."""


class _Job:
    def __init__(self, work: Callable[[], Any], kind: str | None) -> None:
        self.work = work
        self.kind = kind
        self.future: Future[Any] = Future()
        self.began: float | None = None


class Worker:
    """Runs calls in order on its thread.

    Args:
        let_go: closes the connection; called on the thread when it is idle, and at the end.
    """

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        # Not the condition's own `with`, which is Python code: an interrupt inside it would leave the lock locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._jobs: deque[_Job] = deque()
        self._running: _Job | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="database", daemon=True)
        self._thread.start()

    @property
    def busy_for(self) -> float:
        """Seconds for which the current call has been running; 0 if there is none."""
        running = self._running
        return time.monotonic() - running.began if running is not None and running.began is not None else 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a call is running or waiting."""
        with self._lock:
            return self._running is not None or bool(self._jobs)

    @property
    def is_writing(self) -> bool:
        """Whether a write is running or waiting."""
        with self._lock:
            running = [self._running] if self._running is not None else []
            return any(job.kind is None for job in (*running, *self._jobs))

    def submit(self, work: Callable[[], T], *, kind: str | None = None) -> Future[T]:
        """Run a call after those before it.

        Args:
            kind: the kind of a read, which cancels earlier reads of the same kind; None for a write.
        """
        job = _Job(work, kind)
        with self._lock:
            if kind is not None:
                for other in [other for other in self._jobs if other.kind == kind]:
                    self._jobs.remove(other)
                    other.future.cancel()
                if self._running is not None and self._running.kind == kind:
                    self._interrupt()
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def _interrupt(self) -> None:
        assert self._thread.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident), ctypes.py_object(Outrun))

    def close(self, patience: float) -> bool:
        """Cancel reads, wait for writes, close the connection and end the thread.

        Args:
            patience: seconds to wait for reads to end; a write ends within its own time limit.

        Returns:
            Whether the thread has ended.
        """
        with self._lock:
            for job in [job for job in self._jobs if job.kind is not None]:
                self._jobs.remove(job)
                job.future.cancel()
            if self._running is not None and self._running.kind is not None:
                self._interrupt()
            self._ended = True
            self._changed.notify()
        self._thread.join(None if self.is_writing else patience)
        return not self._thread.is_alive()

    # -- on the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            job: _Job | None = None
            try:
                job = self._next()
                if job is None:
                    return
                self._run(job)
            except Outrun:
                # The call that it was meant for had just ended.
                pass
            except Exception:  # noqa: BLE001, S110 - closing the connection failed: the next call opens another
                pass
            finally:
                if job is not None:
                    self._settle(job, error=Outrun())

    def _next(self) -> _Job | None:
        """Return the next call, or None at the end."""
        while True:
            with self._lock:
                if not self._jobs and not self._ended:
                    self._changed.wait(_IDLE)
                while self._jobs:
                    job = self._jobs.popleft()
                    if job.kind is None or not job.future.cancelled():
                        self._running = job
                        job.began = time.monotonic()
                        return job
                ended = self._ended
            self._let_go()
            if ended:
                return None
            with self._lock:
                while not self._jobs and not self._ended:
                    self._changed.wait()

    def _run(self, job: _Job) -> None:
        try:
            result = job.work()
        except BaseException as error:  # noqa: BLE001 - the waiting caller raises it
            self._settle(job, error=error)
            if isinstance(error, KeyboardInterrupt | UnavailableError):
                self._let_go()  # the connection may be in the middle of a statement: the next call opens another
        else:
            self._settle(job, result)

    def _settle(self, job: _Job, result: object = None, error: BaseException | None = None) -> None:
        with self._lock:
            if self._running is job:
                self._running = None
            if job.future.done():
                return
            if error is None:
                job.future.set_result(result)
            elif isinstance(error, KeyboardInterrupt):
                job.future.cancel()
                job.future.set_running_or_notify_cancel()
            else:
                job.future.set_exception(error)
