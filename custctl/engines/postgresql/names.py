"""Quoting of names in PostgreSQL."""

from __future__ import annotations

import re

# Without quotes a name is folded to lower case. None of our names, or of the likely ones, is a reserved word.
_BARE = re.compile(r"[a-z_][a-z0-9_]*")


def quoted(name: str) -> str:
    """Return a name for a statement, quoted if necessary."""
    return name if _BARE.fullmatch(name) and name != "user" else '"' + name.replace('"', '""') + '"'
