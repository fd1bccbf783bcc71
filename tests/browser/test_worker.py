"""The thread for the database: in order, an outrun question given up, a write never."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest

from custctl.cli.browser.worker import Worker
from custctl.support.errors import UsageError

LONG = 60.0  # seconds


@pytest.fixture
def closings() -> list[int]:
    return []


@pytest.fixture
def worker(closings: list[int]) -> Iterator[Worker]:
    made = Worker(lambda: closings.append(threading.get_ident()))
    yield made
    assert made.close(LONG)


def busy(begun: threading.Event) -> Callable[[], None]:
    """Return a call that ends only when it is interrupted."""

    def work() -> None:
        begun.set()
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            time.sleep(0.001)

    return work


def test_calls_run_in_order_on_one_thread_that_closes_its_connection(worker: Worker, closings: list[int]) -> None:
    found = [worker.submit(threading.get_ident) for _ in range(3)]
    threads = {each.result(LONG) for each in found}
    assert len(threads) == 1
    assert worker.close(LONG)
    assert set(closings) == threads


def test_an_outrun_question_ends_and_the_next_one_is_answered(worker: Worker, closings: list[int]) -> None:
    begun = threading.Event()
    first = worker.submit(busy(begun), kind="list")
    assert begun.wait(LONG)
    waiting = [worker.submit(lambda n=n: n, kind="list") for n in range(3)]  # type: ignore[misc]
    assert waiting[-1].result(LONG) == 2
    for outrun in (first, *waiting[:-1]):
        with pytest.raises(CancelledError):
            outrun.result(LONG)
    # What was interrupted may be half done: the connection is not used again.
    assert closings


def test_questions_of_another_kind_and_writes_are_not_given_up(worker: Worker) -> None:
    gate = threading.Event()
    write = worker.submit(lambda: gate.wait(LONG))
    other = worker.submit(lambda: "record", kind="get")
    listed = worker.submit(lambda: "list", kind="list")
    assert worker.is_writing
    gate.set()
    assert write.result(LONG) is True
    assert (other.result(LONG), listed.result(LONG)) == ("record", "list")


def test_many_interrupts_never_end_the_thread(worker: Worker) -> None:
    for number in range(300):
        last = worker.submit(lambda n=number: n, kind="list")  # type: ignore[misc]
    assert last.result(LONG) == 299
    assert worker.submit(lambda: "still here").result(LONG) == "still here"


def test_an_interrupt_never_leaves_the_lock_locked(worker: Worker) -> None:
    gate, is_free = threading.Event(), threading.Event()
    interval = sys.getswitchinterval()

    def ask() -> None:
        assert worker.is_busy
        is_free.set()

    sys.setswitchinterval(1e-6)  # an interrupt comes at any place of the other thread
    try:
        for _ in range(40_000):
            worker.submit(lambda: None, kind="list")
        write = worker.submit(lambda: gate.wait(LONG))
        threading.Thread(target=ask, daemon=True).start()
        assert is_free.wait(60)
    finally:
        sys.setswitchinterval(interval)
        gate.set()
    assert write.result(LONG)


def test_an_error_is_raised_where_the_answer_is_waited_for(worker: Worker) -> None:
    def fail() -> None:
        raise UsageError("no")

    with pytest.raises(UsageError):
        worker.submit(fail).result(LONG)


def test_closing_waits_for_a_write_and_gives_a_question_up() -> None:
    worker, begun, done = Worker(lambda: None), threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        time.sleep(0.2)
        done.set()

    worker.submit(write)
    assert begun.wait(LONG)
    worker.submit(busy(threading.Event()), kind="list")
    assert worker.close(0.0)
    assert done.is_set()
