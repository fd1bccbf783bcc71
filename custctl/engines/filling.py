"""What a required column of the customers gets where a table of another owner has no value for it."""

from __future__ import annotations

from collections.abc import Mapping

from custctl.schema.names import CUSTOMER

REQUIRED: Mapping[str, str] = {"first_name": "-", "last_name": "-", "status": "active"}
"""Values that every rule accepts, for columns that have no default."""

EMAIL = ("customer-", "@example.invalid")
"""What stands before and behind the id in an address that no mail ever reaches."""


def fill(table: str, column: str, number: str, joined: str = "||") -> str | None:
    """Return the expression that fills a required column; None where nothing is a sensible value.

    Args:
        number: an expression that differs from row to row.
        joined: the engine's operator between texts.
    """
    if table != CUSTOMER:
        return None
    if column == "email":
        return f"'{EMAIL[0]}' {joined} {number} {joined} '{EMAIL[1]}'"
    value = REQUIRED.get(column)
    return f"'{value}'" if value is not None else None


def note(table: str, column: str, instead: str | None) -> str:
    """Return what a person should know of it."""
    from_where = f"such as `{instead}`" if instead else "if there is one"
    return f"`{table}.{column}` is required: replace the placeholder with a column that holds it, {from_where}"
