"""Operations: a user's request, its id and its outcome."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

from custctl.support.errors import ConflictError, CustctlError, UsageError

if TYPE_CHECKING:
    from custctl.customers.model import Customer


class Outcome(NamedTuple):
    """What a write did.

    Attributes:
        customer: the row after the write; None if it was deleted or erased.
        customer_id: its id.
        operation_id: the operation that did it.
        changed: False if there was nothing to change.
        replayed: True if the operation had been applied before, and this call did nothing.
        before: the row before this update; None for other writes and for a replayed operation.
        deleted_version: the row's version when it was deleted; None if it was not deleted.
        account_error: why the account at the identity provider is not up to date yet, although the customer is written;
            None if it is, or there is no provider.
    """

    customer: Customer | None
    customer_id: int
    operation_id: str
    changed: bool = True
    replayed: bool = False
    deleted_version: str | None = None
    account_error: CustctlError | None = None
    before: Customer | None = None


class OperationIdUsedError(ConflictError):
    """An operation id names another request.

    Args:
        what: what happened to the operation, such as `was abandoned`.
    """

    def __init__(self, operation_id: str, what: str) -> None:
        super().__init__(f"operation {operation_id} {what}", hint="an operation id names one request: use a new one")


def new_operation_id() -> str:
    """Return a new id for a request without one."""
    return str(uuid.uuid4())


def parse_operation_id(text: str, hint: str = "make one with `uuidgen`, or omit the option") -> str:
    """Return the canonical form of an operation id.

    Args:
        hint: where to get one.

    Raises:
        UsageError: not a UUID.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise UsageError(f"`{text}` is not a UUID" if text else "an empty text is not a UUID", hint=hint) from None


def chosen_operation_id(text: str | None) -> str:
    """Return the canonical form of the given operation id, or a new id.

    Raises:
        UsageError: not a UUID.
    """
    return new_operation_id() if text is None else parse_operation_id(text)
