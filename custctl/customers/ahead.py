"""Reading ahead: a thread makes the next item while the caller works on the current one."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_SWITCH = 0.0005  # seconds until one thread yields to the other


class _End:
    """The end of the items, or the error that ended them."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def read_ahead(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """Return an iterator whose next item another thread prepares; it holds at most one item ready.

    This helps if the caller waits for something other than Python, such as a database. The thread ends with the block;
    one that waits for input that never comes ends with the program.
    """
    ready: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    wanted = threading.Semaphore(1)
    stopped = threading.Event()

    def work() -> None:
        end: BaseException | None = None
        try:
            while True:
                wanted.acquire()
                if stopped.is_set():
                    return
                ready.put(next(items))
        except StopIteration:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by who reads
            end = error
        ready.put(_End(end))

    def taken() -> Iterator[T]:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            wanted.release()
            yield item

    interval = sys.getswitchinterval()
    # The thread that handles a database's answer must not wait for the other to use up its time slice.
    sys.setswitchinterval(_SWITCH)
    threading.Thread(target=work, daemon=True).start()
    try:
        yield taken()
    finally:
        sys.setswitchinterval(interval)
        stopped.set()
        wanted.release()
