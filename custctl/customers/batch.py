"""One batch of an import: what becomes of each row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from custctl.customers.model import REQUIRED
from custctl.customers.records import Record
from custctl.customers.rules import RowValidator
from custctl.tables import customer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from custctl.engines.base import Merge

OnConflict = Literal["fail", "skip", "update"]

_TAKEN = "the email is taken"
_VALIDATORS = 1000  # JSON lines can have any number of different sets of columns


@dataclass(slots=True)
class Counts:
    """How many rows an import has dealt with, and how."""

    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0


class Merger(Protocol):
    """The database, or what a dry run has in its place."""

    def merge(
        self,
        connection: Connection,
        table: Table,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        key: str,
        insert: bool,
        update: bool,
    ) -> Merge:
        """Merge a batch; see `Database.merge`."""


Checked = tuple[Record, "list[str | None] | None", "str | None"]
"""A record, and what the rules made of it: its values, or why it has none."""


class Checker:
    """Checks records by the rules, as they come; the database is not asked."""

    def __init__(self, on_conflict: OnConflict) -> None:
        self._partial = on_conflict == "update"
        self._validators: dict[tuple[str, ...], RowValidator] = {}

    def check(self, records: Sequence[Record]) -> list[Checked]:
        """Return what the rules make of each record."""
        columns: tuple[str, ...] | None = None
        validate: RowValidator | None = None
        checked: list[Checked] = []
        for record in records:
            if record.problem is not None:
                checked.append((record, None, record.problem))
                continue
            if record.columns != columns:
                columns = record.columns
                validate = self._validator(columns) if "email" in columns else None
            if validate is None:
                checked.append((record, None, "`email` is missing"))
                continue
            values, reason = validate(record.cells)
            if values is None:
                reason = _undecodable(record) or reason or "is not valid"
            checked.append((record, values, reason))
        return checked

    def _validator(self, columns: tuple[str, ...]) -> RowValidator:
        made = self._validators.get(columns)
        if made is None:
            if len(self._validators) > _VALIDATORS:
                self._validators.clear()
            made = self._validators[columns] = RowValidator(columns, partial=self._partial)
        return made


class Batch:
    """The rows of one transaction."""

    def __init__(self, merger: Merger, on_conflict: OnConflict) -> None:
        self._merger = merger
        self._on_conflict = on_conflict
        self._pending: dict[tuple[str, ...], list[tuple[Record, list[str | None]]]] = {}
        self._lines: dict[str | None, int] = {}
        self.inserted: list[int] = []
        self.updated: list[int] = []
        self.unchanged = 0
        self.skipped = 0
        self.rejected: list[tuple[Record, str]] = []
        self.digest = hashlib.sha256()

    def run(self, connection: Connection, checked: Sequence[Checked]) -> None:
        """Merge what was checked into the table."""
        columns: tuple[str, ...] | None = None
        email_at = 0
        for record, values, reason in checked:
            if values is None:
                self.rejected.append((record, reason or ""))
                continue
            if record.columns != columns:
                columns = record.columns
                email_at = columns.index("email")
            email = values[email_at]
            earlier = self._lines.get(email)
            if earlier is not None:
                if self._on_conflict == "fail":
                    self.rejected.append((record, f"{_TAKEN}, by line {earlier}"))
                    continue
                if self._on_conflict == "skip":
                    self.skipped += 1
                    continue
                self._merge(connection)
            self._lines[email] = record.line
            self._pending.setdefault(record.columns, []).append((record, values))
        self._merge(connection)

    def _merge(self, connection: Connection) -> None:
        for columns, rows in self._pending.items():
            missing = [name for name in REQUIRED if name not in columns]
            values = [row for _, row in rows]
            # The digest lets an auditor check a file against what was imported.
            self.digest.update(repr((columns, values)).encode("utf-8", "surrogatepass"))
            merged = self._merger.merge(
                connection,
                customer,
                columns,
                values,
                key="email",
                insert=not missing,
                update=self._on_conflict == "update",
            )
            self.inserted += merged.inserted
            self.updated += merged.updated
            self.unchanged += merged.unchanged
            names = ", ".join(f"`{name}`" for name in missing)
            self.rejected += [(rows[at][0], f"a new customer needs {names}") for at in merged.absent]
            if self._on_conflict == "fail":
                self.rejected += [(rows[at][0], _TAKEN) for at in merged.taken]
            else:
                self.skipped += len(merged.taken)
        self._pending.clear()
        self._lines.clear()

    def add_to(self, counts: Counts, rows: int) -> None:
        """Add what the batch did to the counts of the import."""
        counts.rows += rows
        counts.inserted += len(self.inserted)
        counts.updated += len(self.updated)
        counts.unchanged += self.unchanged
        counts.skipped += self.skipped
        counts.rejected += len(self.rejected)


def _undecodable(record: Record) -> str | None:
    """Name the cells that hold bytes which are not UTF-8; they were read as lone surrogates."""
    found = []
    for name, cell in zip(record.columns, record.cells, strict=False):
        byte = re.search("[\udc80-\udcff]", cell) if isinstance(cell, str) else None
        if byte is not None:
            found.append(f"`{name}` is not UTF-8: it holds the byte 0x{ord(byte.group()) & 0xFF:02X}")
    return "; ".join(found) or None


def sorted_rejects(rejected: Sequence[tuple[Record, str]]) -> list[tuple[Record, str]]:
    """Return rejects in the order of the file."""
    return sorted(rejected, key=lambda item: item[0].line)
