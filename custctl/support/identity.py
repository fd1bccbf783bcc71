"""The actor: the name recorded in the audit log and the journal, and the system's user of this process."""

from __future__ import annotations

import os

from custctl.support.errors import UsageError

_LONGEST = 200  # characters; the width of the columns


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


def system_user() -> str:
    """Return the operating system's user of this process, which no variable can change."""
    if not hasattr(os, "geteuid"):
        return os.getlogin()
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid{os.geteuid()}"


def check_actor(name: str) -> str:
    """Return a given name if it can be recorded.

    Raises:
        UsageError: it is empty, longer than 200 characters, or holds a control character.
    """
    if not name.strip() or len(name) > _LONGEST or not name.isprintable():
        raise UsageError("the actor is not valid", hint=f"1 to {_LONGEST} printable characters")
    return name
