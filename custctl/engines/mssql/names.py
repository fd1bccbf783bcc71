"""Names as T-SQL writes them."""

from __future__ import annotations

COLLATION = "Latin1_General_BIN2"
"""By code point: the same whatever the database's own collation is."""

SEARCH_WORDS = "search_words"
"""The computed column of `customer` that a search looks in: no field."""


def quote(name: str) -> str:
    """Return a name in brackets, in which it may hold anything."""
    return "[" + name.replace("]", "]]") + "]"


def literal(text: str) -> str:
    """Return a Unicode string."""
    return "N'" + text.replace("'", "''") + "'"
