"""Placeholders for required columns of `customer` that another owner's table has no value for."""

from __future__ import annotations

from collections.abc import Mapping

from custctl.schema.names import CUSTOMER

REQUIRED: Mapping[str, str] = {"first_name": "-", "last_name": "-", "status": "active"}
"""Values that every rule accepts, for columns that have no default."""

EMAIL = ("customer-", "@example.invalid")
"""The parts before and after the id in an address that cannot receive mail."""


def fill(table: str, column: str, number: str, joined: str = "||") -> str | None:
    """Return the expression that fills a required column; None if no value makes sense.

    Args:
        number: an expression that differs from row to row.
        joined: the engine's operator for concatenation.
    """
    if table != CUSTOMER:
        return None
    if column == "email":
        return f"'{EMAIL[0]}' {joined} {number} {joined} '{EMAIL[1]}'"
    value = REQUIRED.get(column)
    return f"'{value}'" if value is not None else None


def note(table: str, column: str, instead: str | None) -> str:
    """Return a note that asks a person to replace the placeholder."""
    from_where = f"such as `{instead}`" if instead else "if there is one"
    return f"`{table}.{column}` is required: replace the placeholder with a column that holds it, {from_where}"
