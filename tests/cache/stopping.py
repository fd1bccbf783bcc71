"""custctl in a process that stops itself at a named point of its talk with the cache: `python -m tests.cache.stopping`.

The arguments are `before` or `after`, a method of `Cache`, and a command line. The process goes on when it is continued.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from custctl.cache.store import Cache
from custctl.cli import app


def stopping(when: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call that stops the process before or after what it does."""

    @functools.wraps(call)
    def stopped(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGSTOP)
        done = call(*arguments, **options)
        if when == "after":
            os.kill(os.getpid(), signal.SIGSTOP)
        return done

    return stopped


if __name__ == "__main__":
    _when, _name, *_arguments = sys.argv[1:]
    setattr(Cache, _name, stopping(_when, getattr(Cache, _name)))
    sys.exit(app.run(_arguments))
