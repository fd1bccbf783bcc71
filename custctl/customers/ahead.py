"""Reading ahead: what comes next is made while the caller works on what came before."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_SWITCH = 0.0005  # seconds after which one thread makes way for the other


class _End:
    """The end of the items, or the error that ended them."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def read_ahead(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """Hand on an iterator whose next item is made by another thread meanwhile; never more than one is held ready.

    It pays where the caller waits for something else than Python, as for a database. The thread ends with the block;
    one that waits for input which never comes ends with the program.
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
    # A database's answer must not wait for the other thread to use up its turn.
    sys.setswitchinterval(_SWITCH)
    threading.Thread(target=work, daemon=True).start()
    try:
        yield taken()
    finally:
        sys.setswitchinterval(interval)
        stopped.set()
        wanted.release()
