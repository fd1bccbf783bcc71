"""`python -m custctl`, and the console script."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # Imports make a great many objects that live until the end: walking them again and again finds nothing, and the
    # interpreter's last collection, at exit, costs a quarter of a short command. Files, connections and streams are
    # closed explicitly. atexit, because completion leaves through SystemExit.
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)

    # Until the program's own handlers are there: an interrupt in the midst of an import would print a traceback.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))

    from custctl.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
