"""Run one command that gets a signal beside the commit of its first transaction that did something.

`python -m tests.behaviours.interrupted before|after SIGTERM custctl's arguments…`
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any

from custctl.customers.transactions import Transactions


def _main() -> None:
    when, name, *arguments = sys.argv[1:]
    left = [when]
    run = Transactions.run

    def strike(moment: str) -> None:
        if moment in left:
            left.clear()
            os.kill(os.getpid(), signal.Signals[name])

    def watched(self: Any, operation_id: str, work: Callable[..., Any], **options: Any) -> Any:
        transact = self._database.transact

        def watching(guarded: Callable[..., Any]) -> Any:
            def worked(connection: Any) -> Any:
                done = guarded(connection)
                strike("before")
                return done

            result = transact(worked)
            strike("after")
            return result

        self._database.transact = watching
        return run(self, operation_id, work, **options)

    Transactions.run = watched  # type: ignore[method-assign]
    sys.argv = ["custctl", *arguments]
    runpy.run_module("custctl", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
