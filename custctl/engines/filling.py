"""Values for the columns of `customer` where another owner's table has none, or has some that break our rules."""

from __future__ import annotations

from collections.abc import Mapping

from custctl.schema.names import CUSTOMER

REQUIRED: Mapping[str, str] = {"first_name": "-", "last_name": "-", "status": "active"}
"""Values that every rule accepts, for columns that have no default."""

EMAIL = ("customer-", "@example.invalid")
"""The parts before and after the id in an address that cannot receive mail."""


_OPTIONAL = ("phone", "company", "address_line", "city", "region", "postal_code", "country")


def tidied(table: str, column: str, name: str, number: str, joined: str = "||") -> str | None:
    """Return the expression by which a text of another owner obeys our rules; None for other columns.

    Blanks around it go, an empty text is null, and an email is in lower case.

    Args:
        name: the quoted column.
        number, joined: see `fill`.
    """
    if table != CUSTOMER or column not in ("email", "first_name", "last_name", *_OPTIONAL):
        return None
    trimmed = f"nullif(ltrim(rtrim({name})), '')"
    if column in _OPTIONAL:
        return trimmed
    return f"coalesce({f'lower({trimmed})' if column == 'email' else trimmed}, {fill(table, column, number, joined)})"


def checked_column(table: str, check: str) -> str:
    """Return the column of `customer` that one of our checks of a text is for."""
    return check.removeprefix(f"{table}_").removesuffix("_length").removesuffix("_lower_case")


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
