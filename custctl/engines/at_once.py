"""Calling several servers at once, within one timeout."""

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
    """Run each call in its own thread, and return what they return or raise, by name.

    A driver may hang past its own timeouts, for example in a DNS lookup. Such a call is abandoned, and its result is an
    `UnavailableError`.

    Args:
        timeout: seconds for all calls.
        too_late: called with what an abandoned call returned, in that call's thread.
    """
    answers: queue.SimpleQueue[tuple[str, T | Exception]] = queue.SimpleQueue()
    given_up = threading.Event()

    def run(name: str, call: Callable[[], T]) -> None:
        try:
            answer: T | Exception = call()
        except Exception as error:  # noqa: BLE001 - the waiting thread reports it
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
