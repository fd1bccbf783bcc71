"""Names as T-SQL writes them."""

from __future__ import annotations


def quote(name: str) -> str:
    """Return a name in brackets, in which it may hold anything."""
    return "[" + name.replace("]", "]]") + "]"


def literal(text: str) -> str:
    """Return a Unicode string."""
    return "N'" + text.replace("'", "''") + "'"
