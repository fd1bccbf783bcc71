"""Names as PostgreSQL writes them."""

from __future__ import annotations

import re

# Without quotes a name is folded to lower case; of the words that are reserved, none is a name of ours or a likely one.
_BARE = re.compile(r"[a-z_][a-z0-9_]*")


def quoted(name: str) -> str:
    """Return a name for a statement, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) and name != "user" else '"' + name.replace('"', '""') + '"'
