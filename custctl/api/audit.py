"""The audit: who wrote what, and whether the entries are unaltered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custctl.support.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from custctl.api.opened import Opened
    from custctl.customers.history import Entry
    from custctl.customers.verification import Report


_OPERATIONS = "`custctl audit list` shows the operation ids"


@dataclass(frozen=True, slots=True)
class Entries:
    """Audit rows, newest first, and the cursor of the next page or None."""

    items: tuple[Entry, ...]
    next: str | None


class Audit:
    """One database's audit.

    Args:
        opened: the profile.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def list(
        self,
        *,
        operation_id: str | None = None,
        customer: str | int | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Entries:
        """Return writes, newest first, without their values.

        Args:
            operation_id: only the writes of this operation.
            customer: only the writes to this customer, by id or email.
            limit: maximum number of rows; 0 means no limit.
            after: the cursor of the previous page.

        Raises:
            NotFoundError: no customer has that email.
            UsageError: the operation id is not a UUID, or the cursor is damaged.
        """
        from custctl.customers.history import list_entries
        from custctl.customers.operations import parse_operation_id

        if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
            raise UsageError("the cursor is damaged", hint="copy the full cursor, or start over")
        found, following = list_entries(
            self._opened.database,
            operation_id=parse_operation_id(operation_id, _OPERATIONS) if operation_id is not None else None,
            who=str(customer) if customer is not None else None,
            limit=limit,
            before=int(after) if after is not None else None,
        )
        return Entries(tuple(found), str(following) if following is not None else None)

    def verify(self, checkpoint: Path | Mapping[str, Any] | None = None) -> Report:
        """Check every chain of the audit. Faults are reported, not raised.

        Args:
            checkpoint: the checkpoint of an earlier report, or its file; it also reveals entries cut off or rewritten.

        Raises:
            InvalidError: the content is not a checkpoint.
            UsageError: the file cannot be read.
        """
        from custctl.customers.verification import check_checkpoint, read_checkpoint, verify

        if isinstance(checkpoint, Path):
            checkpoint = read_checkpoint(checkpoint)
        elif checkpoint is not None:
            checkpoint = check_checkpoint(dict(checkpoint))
        return verify(self._opened.database, checkpoint)
