"""`python -m custctl`, and the console script."""

from __future__ import annotations

# Without the enumerations of `signal`, which take their time: an interrupt meanwhile would print a traceback.
import _signal  # type: ignore[import-not-found]
import atexit
import gc
import os
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # Until the program's own handlers are there, for the same reason.
    _signal.signal(_signal.SIGTERM, lambda *_: os._exit(143))
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, lambda *_: os._exit(130))

    # Imports make a great many objects that live until the end: walking them again and again finds nothing, and the
    # interpreter's last collection, at exit, costs a quarter of a short command. Files, connections and streams are
    # closed explicitly. atexit, because completion leaves through SystemExit.
    gc.set_threshold(100_000, 50, 100)
    atexit.register(_leave)

    from custctl.cli.app import main as run

    sys.exit(run())


def _leave() -> None:
    """Keep the exit code from now on: what is left is the interpreter's own end, before which it drops our handlers."""
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _signal.SIG_IGN)
    gc.freeze()


if __name__ == "__main__":
    main()
