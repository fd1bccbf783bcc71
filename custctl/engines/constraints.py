"""The errors for rows that a database constraint refuses, the company's own constraints or ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from custctl.support.errors import ConflictError, CustctlError, InvalidError

Rule = Literal["check", "reference", "required", "unique", "value"]

_WORDS: Final = {
    "check": "breaks a rule of the database",
    "reference": "refers to a row that does not exist",
    "required": "is required",
    "unique": "is taken by another row",
}


def broken(rule: Rule, constraint: str | None, fields: Sequence[str] = (), text: str | None = None) -> CustctlError:
    """Return the error for a refused row.

    Args:
        rule: the kind of rule that was broken.
        constraint: its name, if the database reports it.
        fields: the fields it is about, as far as known.
        text: if rule is `value`: the database's own message, without the value.
    """
    if rule == "value":
        return InvalidError(f"the database refused a value: {text}", details={"rule": rule})
    named = " or ".join(f"`{name}`" for name in fields) or "a value"
    by = f" (constraint `{constraint}`)" if constraint else ""
    made = ConflictError if rule == "unique" else InvalidError
    details = {"rule": rule, "constraint": constraint, "field": fields[0] if len(fields) == 1 else None}
    return made(f"{named} {_WORDS[rule]}{by}", details=details)


def withheld() -> InvalidError:
    """Return the error for a row that the database did not write although it reported no error."""
    return InvalidError(
        "the database did not write the row and reported no error: a trigger or a row security policy prevents it",
        details={"rule": "value"},
    )


def longest(condition: str, name: str) -> int | None:
    """Return how many characters a check constraint lets a column hold; None if it is not a plain length limit.

    Args:
        condition: the check in SQL, as an engine spells it.
        name: the column's name.
    """
    column = rf"""[\"`\[]?{re.escape(name)}[\"`\]]?"""
    alone = re.sub(rf"{column}\s+IS\s+NULL\s+OR\b", " ", condition, flags=re.IGNORECASE)
    if re.search(r"\b(?:OR|NOT|CASE)\b|(?<![<>])=", alone.replace("NOT VALID", ""), re.IGNORECASE):
        return None
    size = rf"\b(?:char_length|character_length|length)\s*\(\s*{column}(?:::text)?\s*\)\s*"
    limits = re.findall(rf"{size}(?:(<=?)|BETWEEN\s+\d+\s+AND)\s*(\d+)", alone, re.IGNORECASE)
    return min((int(number) - (sign == "<") for sign, number in limits), default=None)


def mentioned(condition: str, names: Iterable[str]) -> list[str]:
    """Return the names that a condition in SQL mentions."""
    return [name for name in names if re.search(rf"(?<![\w'.]){re.escape(name)}(?![\w'])", condition, re.IGNORECASE)]
