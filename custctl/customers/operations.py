"""Operations: a user's request by its id, and what it did."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from custctl.customers.model import Customer
from custctl.support.errors import CustctlError, UsageError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write did.

    Attributes:
        customer: the row as the write left it; None where it was deleted or is erased.
        customer_id: its id.
        operation_id: the operation that did it.
        changed: False where there was nothing to change.
        replayed: True where the operation had been applied before, and nothing was done now.
        before: the row as it was, where an update changed it now; None for a replayed operation.
        deleted_version: the version that the row had when it was deleted; None where it was not.
        account_error: why the account at the identity provider does not follow yet, though the customer is written; None
            where it does, or there is no provider.
    """

    customer: Customer | None
    customer_id: int
    operation_id: str
    changed: bool = True
    replayed: bool = False
    deleted_version: str | None = None
    account_error: CustctlError | None = None
    before: Customer | None = None


def new_operation_id() -> str:
    """Return an id for a request that came without one."""
    return str(uuid.uuid4())


def parse_operation_id(text: str) -> str:
    """Return the canonical form of an operation id.

    Raises:
        UsageError: it is no UUID.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise UsageError(f"`{text}` is not a UUID", hint="make one with `uuidgen`, or omit the option") from None


def chosen_operation_id(text: str | None) -> str:
    """Return the canonical form of the operation id that was given, or a new one.

    Raises:
        UsageError: it is no UUID.
    """
    return new_operation_id() if text is None else parse_operation_id(text)
