"""Run one command that is killed at a moment: before or after its Nth HTTP call or transaction.

`python killed.py N custctl's arguments…`; the moments are counted from 1. One that does not come kills nothing.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any

from custctl.engines.sqlite.database import SqliteDatabase
from custctl.support.web import Web


def _main() -> None:
    at, *arguments = sys.argv[1:]
    left = [int(at)]

    def moment() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def calling(*args: Any, **options: Any) -> Any:
            moment()
            result = call(*args, **options)
            moment()
            return result

        return calling

    Web.send = watched(Web.send)  # type: ignore[method-assign]
    SqliteDatabase.transact = watched(SqliteDatabase.transact)  # type: ignore[method-assign]
    sys.argv = ["custctl", *arguments]
    runpy.run_module("custctl", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
