"""Reporting that a row, or the table itself, has changed: what it was, what it is now, and what was requested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from custctl.customers.model import EDITABLE, Customer
from custctl.schema.own import OwnFields
from custctl.support.errors import ConflictError, UnavailableError
from custctl.support.exact_json import same


class FieldsChangedError(UnavailableError):
    """The database has other own fields than the values were checked against: check them again."""

    def __init__(self) -> None:
        super().__init__("the fields of a customer have just changed", hint="run the command again")


def check_fields(checked: OwnFields, own: OwnFields) -> None:
    """Check that values were validated against the own fields that the database has.

    Raises:
        FieldsChangedError: the database has other own fields.
    """
    if checked.record != own.record:
        raise FieldsChangedError


def version_conflict(
    was: Mapping[str, Any] | None, now: Customer, expected: str, asked: Mapping[str, Any]
) -> ConflictError:
    """Return the error for a row that has changed.

    Args:
        was: the row at the expected version; None if that is not recorded.
        now: the current row.
        expected: the version that the caller expected.
        asked: the values of the fields that the caller named, None to clear one. In the error's `fields`, only these
            have the key `asked`, which distinguishes a field to clear from one that was not named.
    """
    current = now.as_dict()
    touched = [
        name
        for name in (*EDITABLE, *now.own)
        if name in asked or (was is not None and not same(was.get(name, current[name]), current[name]))
    ]
    fields: list[dict[str, Any]] = [
        {
            "field": name,
            "was": was.get(name) if was is not None else None,
            "now": current[name],
            **({"asked": asked[name]} if name in asked else {}),
        }
        for name in touched
    ]
    details: dict[str, Any] = {
        "customer_id": now.id,
        "expected_version": expected,
        "current_version": now.version,
        "was_known": was is not None,
        "fields": fields,
    }
    return ConflictError(
        f"customer {now.id} changed in the meantime: it is now at version {now.version}, not {expected}; nothing was written",
        hint=f"look at it with `custctl customer get {now.id}`, then repeat the change for that version",
        details=details,
    )
