"""One batch of an import: the outcome of each row."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from custctl.customers.csv_rows import is_blank
from custctl.customers.model import EDITABLE, REQUIRED
from custctl.customers.records import BLANK, Record
from custctl.customers.rules import OwnRowValidator, RowValidator
from custctl.schema import names as tables
from custctl.schema.own import NO_OWN_FIELDS, OwnFields

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.scratch import Scratch

OnConflict = Literal["fail", "skip", "update"]

_TAKEN = "the email is already taken"
_LINE_BREAK = re.compile(r"U\+000[AD]\b")
_JOIN = "`--join-lines` joins the lines of a cell"
# Violations typical of a value written for another purpose: a status of another system, a text that is too long.
# A control character or a damaged number is only a fault of the value.
_OF_OTHER_MEANING = re.compile(r"(?:^|; )`(\w+)` (?:must be `|has \d+ characters)")
_OPTIONAL = frozenset(EDITABLE) - frozenset(REQUIRED)
_VALIDATORS = 1000  # JSON lines can have any number of different sets of columns


@dataclass(slots=True)
class Counts:
    """How many rows an import has processed, by outcome."""

    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0


class Group(NamedTuple):
    """Rows with the same columns, which are merged together; no email occurs twice.

    Attributes:
        values: the cells of each record, checked.
    """

    columns: tuple[str, ...]
    records: list[Record]
    values: list[list[str | None]]


@dataclass(slots=True)
class Portion:
    """A batch that was read and checked, before the database sees it.

    Attributes:
        rows: number of the file's rows in it.
        lines: first and last line of those rows; None if there are no rows.
        groups: the rows to merge, in this order.
        rejected: rows that break a rule, each with the reason.
        skipped: rows whose email occurs earlier in the batch, if those are skipped; and rows without any value.
        blank: the number of rows without any value.
        undecodable: the number of rows with bytes that the file's encoding does not have.
        filled: number of non-empty cells of each field.
        nulls: how many of those cells are a text that databases write for no value.
        misfits: how many of those cells, in optional fields, probably mean something else than the field.
        digest: of all values, so that an auditor can check a file against what was imported.
        last: whether the file ends here.
        records: the rows as they were read.
    """

    rows: int
    lines: tuple[int, int] | None
    last: bool
    groups: list[Group]
    rejected: list[tuple[Record, str]]
    skipped: int
    blank: int
    undecodable: int
    filled: Counter[str]
    nulls: Counter[str]
    misfits: Counter[str]
    digest: str
    records: Sequence[Record]

    def refused(self, reason: str) -> Portion:
        """Return the portion with all its good rows rejected."""
        rejected = [(record, reason) for group in self.groups for record in group.records]
        return replace(self, groups=[], rejected=[*self.rejected, *rejected])


class Checker:
    """Makes portions of records: all checks that do not need the database.

    Args:
        encoding: the file's, for reasons.
        own: the company's own fields.
        typed: whether the file's cells have types.
    """

    def __init__(
        self, on_conflict: OnConflict, encoding: str, own: OwnFields = NO_OWN_FIELDS, *, typed: bool = False
    ) -> None:
        self._on_conflict = on_conflict
        self._encoding = encoding.upper()
        self._own = own
        self._typed = typed
        self._validators: dict[tuple[str, ...], RowValidator | OwnRowValidator] = {}

    def check(self, records: Sequence[Record], *, last: bool) -> Portion:
        """Apply the rules, and group the rows by their columns."""
        pending: dict[tuple[str, ...], Group] = {}
        groups: list[Group] = []
        lines: dict[str | None, int] = {}
        rejected: list[tuple[Record, str]] = []
        columns: tuple[str, ...] | None = None
        validate: RowValidator | OwnRowValidator | None = None
        skipped = blank = undecodable = email_at = 0
        misfits: Counter[str] = Counter()
        for record in records:
            if record.problem is not None:
                if record.problem is BLANK:
                    blank += 1
                else:
                    rejected.append((record, record.problem))
                continue
            if record.columns != columns:
                columns = record.columns
                validate = None
                if "email" in columns:
                    validate, email_at = self._validator(columns), columns.index("email")
            if validate is None:
                rejected.append((record, "`email` is missing"))
                continue
            values, reason = validate(record.cells)
            if values is None:
                damage = self._undecodable(record)
                undecodable += damage is not None
                misfits.update(_misfits(record, reason or ""))
                rejected.append((record, damage or _explained(reason or "is not valid")))
                continue
            email = values[email_at]
            earlier = lines.get(email)
            if earlier is not None:
                if self._on_conflict == "fail":
                    rejected.append((record, f"{_TAKEN}, by line {earlier}"))
                    continue
                if self._on_conflict == "skip":
                    skipped += 1
                    continue
                # The earlier row with this email goes first.
                groups += pending.values()
                pending, lines = {}, {}
            lines[email] = record.line
            group = pending.get(record.columns)
            if group is None:
                group = pending[record.columns] = Group(record.columns, [], [])
            group.records.append(record)
            group.values.append(values)
        groups += pending.values()
        filled, nulls = _filled(records)
        ends = (records[0].line, records[-1].line) if records else None
        return Portion(
            rows=len(records), lines=ends, last=last, groups=groups, rejected=rejected, skipped=skipped + blank,
            blank=blank, undecodable=undecodable, filled=filled, nulls=nulls, misfits=misfits, digest=_digest(groups), records=records,
        )  # fmt: skip

    def _validator(self, columns: tuple[str, ...]) -> RowValidator | OwnRowValidator:
        made = self._validators.get(columns)
        if made is None:
            if len(self._validators) > _VALIDATORS:
                self._validators.clear()
            partial = self._on_conflict == "update"
            made = self._validators[columns] = (
                OwnRowValidator(columns, self._own, partial=partial, typed=self._typed)
                if self._own.fields
                else RowValidator(columns, partial=partial)
            )
        return made

    def _undecodable(self, record: Record) -> str | None:
        """Name the cells with bytes that the file's encoding does not have; they were read as lone surrogates."""
        found = []
        for name, cell in zip(record.columns, record.cells, strict=False):
            byte = re.search("[\udc80-\udcff]", cell) if isinstance(cell, str) else None
            if byte is not None:
                held = f"it holds the byte 0x{ord(byte.group()) & 0xFF:02X}"
                found.append(f"`{name}` is not {self._encoding}: {held}")
        return "; ".join(found) or None


def _misfits(record: Record, reason: str) -> list[str]:
    """Name the optional fields whose cells probably mean something else."""
    cells = dict(zip(record.columns, record.cells, strict=True))
    return [name for name in _OF_OTHER_MEANING.findall(reason) if name in _OPTIONAL and not is_blank([cells[name]])]


def _filled(records: Sequence[Record]) -> tuple[Counter[str], Counter[str]]:
    """Count the non-empty cells of each field, and those in which a database writes that there is no value.

    A cell of blanks counts, because checking each takes too long.
    """
    filled: Counter[str] = Counter()
    nulls: Counter[str] = Counter()
    tables: dict[tuple[str, ...], list[Sequence[Any]]] = {}
    for record in records:
        if record.problem is None:
            tables.setdefault(record.columns, []).append(record.cells)
    for columns, rows in tables.items():
        for name, cells in zip(columns, zip(*rows, strict=True), strict=True):
            filled[name] += len(cells) - cells.count("") - cells.count(None)
            nulls[name] += cells.count("NULL") + cells.count("\\N")
    return filled, nulls


def _explained(reason: str) -> str:
    return f"{reason} ({_JOIN})" if _LINE_BREAK.search(reason) else reason


def _digest(groups: Sequence[Group]) -> str:
    digest = hashlib.sha256()
    for columns, _, values in groups:
        digest.update(repr((columns, values)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class Batch:
    """The outcome of a portion in the table."""

    def __init__(self, portion: Portion, on_conflict: OnConflict) -> None:
        self._portion = portion
        self._on_conflict = on_conflict
        self.inserted: list[int] = []
        self.updated: list[int] = []
        self.unchanged = 0
        self.skipped = portion.skipped
        self.rejected = list(portion.rejected)

    def run(self, merger: Database | Scratch, connection: Connection) -> None:
        """Merge the portion into the table, or into its copy during a dry run."""
        for columns, records, values in self._portion.groups:
            missing = [name for name in (*REQUIRED, *connection.own.required) if name not in columns]
            merged = merger.merge(
                connection,
                tables.CUSTOMER,
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
            self.rejected += [(records[at], f"a new customer needs {names}") for at in merged.absent]
            if self._on_conflict == "fail":
                self.rejected += [(records[at], _TAKEN) for at in merged.taken]
            else:
                self.skipped += len(merged.taken)

    def add_to(self, counts: Counts) -> None:
        """Add what the batch did to the counts of the import."""
        counts.rows += self._portion.rows
        counts.inserted += len(self.inserted)
        counts.updated += len(self.updated)
        counts.unchanged += self.unchanged
        counts.skipped += self.skipped
        counts.rejected += len(self.rejected)


def sorted_rejects(rejected: Sequence[tuple[Record, str]]) -> list[tuple[Record, str]]:
    """Return rejects in the order of the file."""
    return sorted(rejected, key=lambda item: item[0].line)
