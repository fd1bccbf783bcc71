"""Unsaved edits of customers, kept until they are written, are a day old, or the customer is deleted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.cli.context import Context
from custctl.customers.merge import FieldConflict
from custctl.customers.typed import overlaid, typed_lines, typed_values, version_of
from custctl.schema.own import to_text
from custctl.support import unsaved
from custctl.support.errors import NotFoundError, UsageError
from custctl.support.lists import forget_lists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from custctl.customers.model import Customer


@dataclass(frozen=True, slots=True)
class Kept:
    """An unsaved edit.

    Attributes:
        typed: the typed lines.
        text: the current document, with the typed lines in place of its own.
        version: the version of the row that was edited; None if it is no longer known.
        row: the customer now.
        others: how many other unsaved edits there are.
    """

    path: Path
    typed: Sequence[str]
    text: str
    version: str | None
    row: Customer
    others: int

    @classmethod
    def newest(cls, context: Context, row: Customer, document: str) -> Kept:
        """Return a customer's newest unsaved edit that no editor has open.

        Args:
            document: the current customer, as a document to edit.

        Raises:
            NotFoundError: none is kept.
        """
        folder, name = edits_of(context, row.id)
        unsaved.forget_edits(folder, older_than=unsaved.KEPT_FOR)
        shown = set(document.splitlines())
        found = []
        for path in unsaved.kept_edits(folder, name):
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            typed = typed_lines(text, shown)
            if typed and not unsaved.is_in_use(path):
                found.append(cls(path, typed, overlaid(document, typed), version_of(text), row, 0))
        if not found:
            raise NotFoundError(
                f"no edit of customer {row.id} is kept", hint=f"begin with `custctl customer edit {row.id}`"
            )
        first = found[0]
        return cls(first.path, first.typed, first.text, first.version, row, len(found) - 1)

    @property
    def is_outdated(self) -> bool:
        """Whether the row has changed since."""
        return self.version != self.row.version

    @property
    def conflicts(self) -> list[FieldConflict]:
        """The typed fields with their current and typed values; the values before the edit are not kept."""
        known = self.row.as_dict()
        return [
            FieldConflict(name, None, known[name], value)
            for name, value in typed_values(self.typed).items()
            if name in known
        ]

    def show(self, context: Context) -> None:
        """Say what was kept."""
        since = f"; the customer has changed since, to version {self.row.version}" if self.is_outdated else ""
        at = f" at version {self.version}" if self.version else ""
        context.console.note(f"kept from an edit{at}{since}:")
        known = self.row.as_dict()
        values = typed_values(self.typed)
        rows = [(name, to_text(known.get(name)) or "(empty)", value or "(empty)") for name, value in values.items()]
        context.console.table(("field", "now", "typed"), rows)
        if self.others:
            context.console.note(f"older texts are kept too: {self.others}")

    def remove(self) -> None:
        """Remove the unsaved edit after it was written or kept again."""
        unsaved.remove_edits(self.path.parent, self.path.name)


def edits_of(context: Context, customer_id: int) -> tuple[Path, str]:
    """Return the folder of unsaved edits, and the part of their names that identifies a customer of this database."""
    return unsaved.edits_of(context.environ, context.profile.location, customer_id)


def forget_customer(context: Context, customer_id: int) -> None:
    """Remove a customer's unsaved edits and all list positions, which may contain its values."""
    forget_lists(context.environ, context.profile.location)
    with suppress(UsageError):  # no home folder, so nothing is kept
        unsaved.forget_edits(*edits_of(context, customer_id))
