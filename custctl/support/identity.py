"""Who is at work: the name that the audit and the journal record."""

from __future__ import annotations

import os


def actor() -> str:
    """Return `user@host` of this process, as the operating system knows them."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    if hasattr(os, "uname"):
        host = os.uname().nodename
    else:
        import socket

        host = socket.gethostname()
    return f"{user}@{host}"[:200]
