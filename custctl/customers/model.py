"""What a customer is: the fields, their order and their lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from custctl.schema.own import Value

EDITABLE: Final = (
    "email",
    "first_name",
    "last_name",
    "phone",
    "company",
    "address_line",
    "city",
    "region",
    "postal_code",
    "country",
    "status",
)
"""The fields that a user may set, in the order of output."""

FIELDS: Final = ("id", *EDITABLE, "version", "created_at", "updated_at")
"""All fields of a customer, in the order of output."""

REQUIRED: Final = ("email", "first_name", "last_name")
"""The fields that every customer has; they cannot be cleared."""

STATUSES: Final = ("active", "suspended", "closed")
DEFAULT_STATUS: Final = "active"

# 254 is RFC 5321's limit for an address (erratum 1690 to RFC 3696); the others are the columns' own.
MAX_LENGTH: Final[Mapping[str, int]] = {
    "email": 254,
    "first_name": 100,
    "last_name": 100,
    "phone": 40,
    "company": 200,
    "address_line": 200,
    "city": 100,
    "region": 100,
    "postal_code": 20,
    "country": 100,
}
"""Maximum length of each free text, in characters (code points in NFC); `status` is limited by its set of values."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One row of `customer`, as read.

    Args:
        version: opaque; equal only if nothing has changed the row.
        created_at: ISO 8601 in UTC, ending in `Z`; so is `updated_at`.
        own: the values of the company's own fields by name, in the table's order.
    """

    id: int
    email: str
    first_name: str
    last_name: str
    phone: str | None
    company: str | None
    address_line: str | None
    city: str | None
    region: str | None
    postal_code: str | None
    country: str | None
    status: str
    version: str
    created_at: str
    updated_at: str
    own: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def __getitem__(self, name: str) -> Value:
        """Return the value of a field."""
        return self.own[name] if name in self.own else getattr(self, name)

    def as_dict(self) -> dict[str, Value]:
        """Return all fields by name, in the order of output: those of `FIELDS`, then the own fields."""
        return {**{name: getattr(self, name) for name in FIELDS}, **self.own}


def recorded_customer(recorded: Mapping[str, Value]) -> Customer:
    """Return a customer as the audit recorded it; fields added after the entry are None."""
    ours: dict[str, Any] = {name: recorded.get(name) for name in FIELDS}
    return Customer(**ours, own={name: value for name, value in recorded.items() if name not in ours})
