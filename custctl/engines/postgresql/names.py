"""Quoting of names in PostgreSQL."""

from __future__ import annotations

import re

# Without quotes a name is folded to lower case.
_BARE = re.compile(r"[a-z_][a-z0-9_]*")
# The words that `pg_get_keywords()` calls reserved (R and T).
_RESERVED = frozenset(
    """all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
    full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
    localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning
    right select session_user similar some symmetric system_user table tablesample then to trailing true union unique user
    using variadic verbose when where window with""".split()  # noqa: SIM905 - a word a line would hide the rest
)


def quoted(name: str) -> str:
    """Return a name for a statement, quoted if necessary."""
    return name if _BARE.fullmatch(name) and name not in _RESERVED else '"' + name.replace('"', '""') + '"'
