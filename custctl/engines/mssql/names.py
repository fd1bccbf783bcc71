"""Quoted names and string literals for T-SQL, and fixed names."""

from __future__ import annotations

COLLATION = "Latin1_General_BIN2"
"""Binary order, independent of the database's collation."""

SEARCH_WORDS = "search_words"
"""The computed column of `customer` that a search uses; not a field."""


def quote(name: str) -> str:
    """Return a name in brackets, with any characters escaped."""
    return "[" + name.replace("]", "]]") + "]"


def literal(text: str) -> str:
    """Return a Unicode string literal."""
    return "N'" + text.replace("'", "''") + "'"
