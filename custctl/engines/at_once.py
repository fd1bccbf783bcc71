"""Asking several servers at once, within one time limit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from custctl.support.errors import CustctlError, UnavailableError

T = TypeVar("T")


def at_once(
    calls: Mapping[str, Callable[[], T]], timeout: float, *, too_late: Callable[[T], None] = lambda _: None
) -> dict[str, T | CustctlError]:
    """Run calls each in a thread of its own, and return what they return or raise, by name.

    A driver may hang past its own limits, in a look-up of names for one: such a call is given up, and no answer in time
    is an `UnavailableError`.

    Args:
        timeout: seconds for all of them.
        too_late: called, in its thread, with what a call returned that was given up.
    """
    answers: queue.SimpleQueue[tuple[str, T | Exception]] = queue.SimpleQueue()
    given_up = threading.Event()

    def run(name: str, call: Callable[[], T]) -> None:
        try:
            answer: T | Exception = call()
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            answer = error
        if given_up.is_set() and not isinstance(answer, Exception):
            too_late(answer)
        else:
            answers.put((name, answer))

    for name, call in calls.items():
        threading.Thread(target=run, args=(name, call), daemon=True).start()
    deadline = time.monotonic() + timeout
    found: dict[str, T | CustctlError] = {}
    while len(found) < len(calls):
        try:
            name, answer = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            break
        if isinstance(answer, Exception) and not isinstance(answer, CustctlError):
            raise answer
        found[name] = answer
    given_up.set()
    late = UnavailableError(f"no answer within {timeout:g} s")
    return {name: found.get(name, late) for name in calls}
