"""The actor: the name that the audit log and the journal record."""

from __future__ import annotations

import os

from custctl.support.errors import UsageError

_LONGEST = 200  # characters; as wide as the columns are


def actor() -> str:
    """Return `user@host` of this process, from the operating system."""
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
    return f"{user}@{host}"[:_LONGEST]


def check_actor(name: str) -> str:
    """Return a name that somebody else has given, if it can be recorded.

    Raises:
        UsageError: it is empty, longer than 200 characters, or holds a control character.
    """
    if not name.strip() or len(name) > _LONGEST or not name.isprintable():
        raise UsageError("the actor is not valid", hint=f"1 to {_LONGEST} printable characters")
    return name
