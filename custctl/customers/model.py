"""What a customer is: the fields, their order and their lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

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
"""The fields that every customer has and that cannot be cleared."""

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
"""How long each free text may be, in characters (code points in NFC); `status` is bound by its set instead."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One row of `customer`, as read.

    Args:
        version: opaque; equal only while nothing has changed the row.
        created_at: ISO 8601 in UTC, ending in `Z`; so is `updated_at`.
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

    def as_dict(self) -> dict[str, str | int | None]:
        """Return all fields by name, in the order of `FIELDS`."""
        return {name: getattr(self, name) for name in FIELDS}

    def editable(self) -> dict[str, str | None]:
        """Return the fields that a user may set, in the order of `EDITABLE`."""
        return {name: getattr(self, name) for name in EDITABLE}
