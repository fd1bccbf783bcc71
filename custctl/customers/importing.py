"""Importing customers as a stream: batches, each one transaction with its position and its audit row.

The position is kept in the database, keyed by the file's digest and the options,
and commits with its batch: an import that is killed and run again goes on behind
the last batch that committed, and neither loses nor doubles a row.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from custctl.customers import audit
from custctl.customers.model import REQUIRED
from custctl.customers.records import Fingerprint, Record, Source
from custctl.customers.rules import RowValidator
from custctl.errors import ConflictError, CredentialError, InvalidError
from custctl.standing import check_environment, check_schema, read_standing
from custctl.tables import customer, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from custctl.customers.store import CustomerStore
    from custctl.engines.base import Database

OnConflict = Literal["fail", "skip", "update"]
BATCH = 10_000  # rows a transaction

_TAKEN = "the email is taken"


@dataclass(slots=True)
class Counts:
    """How many rows an import has dealt with, and how."""

    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be imported.

    Attributes:
        name: the file, for the audit.
        key_parts: the options that the position is keyed by, besides the digest.
        on_conflict: what happens to a row whose email is taken.
        rejects: where bad rows go; None: nowhere.
    """

    name: str
    source: Source
    fingerprint: Fingerprint
    key_parts: Sequence[str]
    on_conflict: OnConflict
    operation_id: str
    rejects: Path | None = None
    dry_run: bool = False


@dataclass(slots=True)
class Result:
    """What an import did.

    Attributes:
        resumed_at: how many rows an earlier, interrupted run had dealt with.
        replayed: the operation had been applied whole before, and nothing was done now.
        reasons: the first rejects, as (line, reason).
    """

    counts: Counts
    resumed_at: int = 0
    replayed: bool = False
    reasons: list[tuple[int, str]] = field(default_factory=list)


_SHOWN_REASONS = 10


class Import:
    """One import. `result` tells at any time what is committed."""

    def __init__(self, store: CustomerStore, database: Database, request: Request, actor: str) -> None:
        self._store = store
        self._database = database
        self._request = request
        self._actor = actor
        digest = hashlib.sha256("\0".join([request.fingerprint.digest, *request.key_parts]).encode("utf-8", "replace"))
        self._key = f"import/{digest.hexdigest()}"
        self._validators: dict[tuple[str, ...], RowValidator] = {}
        self._part = 0
        self._rejects: Rejects | None = None
        self.result = Result(Counts())

    def run(self, on_progress: Callable[[int], None]) -> Result:
        """Import the file.

        Args:
            on_progress: called with the number of rows dealt with, after each batch.

        Raises:
            InvalidError: the file cannot be read further; what came before has landed.
            RefusedError: the database's stamp forbids it.
        """
        if self._request.dry_run:
            with self._database.reading() as connection:
                standing = read_standing(connection)
            check_schema(standing)
            check_environment(standing, self._store.environment, self._database.location)
            position = None
        else:
            with self._store.writing() as (connection, _):
                if self._answer_again(connection):
                    return self.result
                position = self._position(connection)
        if position is not None:
            self.result.counts = Counts(**position["counts"])
            self.result.resumed_at = self.result.counts.rows
            self._part = int(position["part"])
        size = int(position["rejects_size"]) if position else 0
        if self._request.rejects is not None and not self._request.dry_run:
            self._rejects = Rejects(self._request.rejects, self._request.source, size, self.result.counts.rejected)
        try:
            self._stream(on_progress)
        finally:
            if self._rejects is not None:
                self._rejects.close(keep=self.result.counts.rejected > 0)
        return self.result

    # -- the stream --------------------------------------------------------------------------------

    def _stream(self, on_progress: Callable[[int], None]) -> None:
        batch: list[Record] = []
        skip = self.result.resumed_at
        try:
            for number, record in enumerate(self._request.source.records()):
                if number < skip:
                    continue
                batch.append(record)
                if len(batch) == BATCH:
                    self._commit(batch, last=False)
                    on_progress(self.result.counts.rows)
                    batch = []
        except InvalidError:
            # What could be read before the damage lands as it would have in a shorter file.
            self._commit(batch, last=False)
            raise
        self._commit(batch, last=True)
        on_progress(self.result.counts.rows)

    def _commit(self, records: list[Record], *, last: bool) -> None:
        """Write a batch, its position and its audit row as one transaction."""
        counts = Counts(**asdict(self.result.counts))
        work = _Batch(self._database, self._request.on_conflict, self._validator, dry_run=self._request.dry_run)
        if self._request.dry_run:
            with self._database.reading() as connection:
                work.run(connection, records)
        else:
            with self._store.writing() as (connection, _):
                work.run(connection, records)
                work.add_to(counts, len(records))
                size = self._rejects.write(work.rejected) if self._rejects is not None else 0
                self._part += 1
                self._remember(connection, counts, size, done=last)
                self._audit(connection, records, work, counts, done=last)
        if self._request.dry_run:
            work.add_to(counts, len(records))
        self.result.counts = counts
        free = _SHOWN_REASONS - len(self.result.reasons)
        self.result.reasons += [(record.line, reason) for record, reason in sorted_rejects(work.rejected)[: max(free, 0)]]

    def _validator(self, columns: tuple[str, ...]) -> RowValidator:
        made = self._validators.get(columns)
        if made is None:
            if len(self._validators) > 1000:
                self._validators.clear()
            made = self._validators[columns] = RowValidator(columns, partial=self._request.on_conflict == "update")
        return made

    # -- position and audit ------------------------------------------------------------------------

    def _position(self, connection: Connection) -> dict[str, Any] | None:
        held = connection.execute(sa.select(metadata.c.value).where(metadata.c.name == self._key)).scalar()
        return json.loads(held) if held is not None else None

    def _remember(self, connection: Connection, counts: Counts, rejects_size: int, *, done: bool) -> None:
        mine = metadata.c.name == self._key
        if done:
            connection.execute(sa.delete(metadata).where(mine))
            return
        value = json.dumps({"counts": asdict(counts), "part": self._part, "rejects_size": rejects_size})
        if connection.execute(sa.update(metadata).where(mine).values(value=value)).rowcount == 0:
            connection.execute(sa.insert(metadata).values(name=self._key, value=value))

    def _audit(self, connection: Connection, records: list[Record], work: _Batch, counts: Counts, *, done: bool) -> None:
        detail = {
            "file": self._request.name,
            "digest": self._request.fingerprint.digest,
            "on_conflict": self._request.on_conflict,
            "first_line": records[0].line if records else None,
            "last_line": records[-1].line if records else None,
            "rows_digest": work.digest.hexdigest(),
            "inserted": len(work.inserted),
            "updated": len(work.updated),
            "done": done,
            "totals": asdict(counts),
        }
        entry = audit.Entry(
            self._request.operation_id,
            "import",
            self._actor,
            part=self._part,
            customers=sorted([*work.inserted, *work.updated]),
            detail=detail,
        )
        audit.append(self._database, connection, entry)

    def _answer_again(self, connection: Connection) -> bool:
        """Tell whether the operation was applied whole before; the result is then the first one's."""
        recorded = audit.find_operation(connection, self._request.operation_id)
        if not recorded:
            return False
        detail = json.loads(recorded[-1].detail)
        if recorded[0].action != "import" or detail.get("digest") != self._request.fingerprint.digest:
            raise ConflictError(
                f"operation {self._request.operation_id} was applied already, as `{recorded[0].action}`",
                hint="an operation id stands for one request: make a new one",
            )
        if not detail["done"]:
            return False
        self.result = Result(Counts(**detail["totals"]), replayed=True)
        return True


class _Batch:
    """The rows of one transaction."""

    def __init__(
        self,
        database: Database,
        on_conflict: OnConflict,
        validator: Callable[[tuple[str, ...]], RowValidator],
        *,
        dry_run: bool,
    ) -> None:
        self._database = database
        self._on_conflict = on_conflict
        self._validator = validator
        self._dry_run = dry_run
        self._pending: dict[tuple[str, ...], list[tuple[Record, list[str | None]]]] = {}
        self._lines: dict[str | None, int] = {}
        self.inserted: list[int] = []
        self.updated: list[int] = []
        self.would_insert = 0
        self.would_update = 0
        self.unchanged = 0
        self.skipped = 0
        self.rejected: list[tuple[Record, str]] = []
        self.digest = hashlib.sha256()

    def run(self, connection: Connection, records: Sequence[Record]) -> None:
        """Validate the records and merge them into the table."""
        columns: tuple[str, ...] | None = None
        validate: RowValidator | None = None
        email_at = 0
        for record in records:
            if record.problem is not None:
                self.rejected.append((record, record.problem))
                continue
            if record.columns != columns:
                columns = record.columns
                if "email" not in columns:
                    self.rejected.append((record, "`email` is missing"))
                    columns = None
                    continue
                validate = self._validator(columns)
                email_at = columns.index("email")
            assert validate is not None
            values, reason = validate(record.cells)
            if values is None:
                self.rejected.append((record, reason or "is not valid"))
                continue
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
            merged = self._database.merge(
                connection,
                customer,
                columns,
                values,
                key="email",
                insert=not missing and not self._dry_run,
                update=self._on_conflict == "update" and not self._dry_run,
            )
            self.inserted += merged.inserted
            self.updated += merged.updated
            self.unchanged += merged.unchanged
            if self._dry_run and not missing:
                self.would_insert += len(merged.absent)
            else:
                names = ", ".join(f"`{name}`" for name in missing)
                self.rejected += [(rows[at][0], f"a new customer needs {names}") for at in merged.absent]
            if self._on_conflict == "fail":
                self.rejected += [(rows[at][0], _TAKEN) for at in merged.taken]
            elif self._on_conflict == "skip":
                self.skipped += len(merged.taken)
            else:
                self.would_update += len(merged.taken)
        self._pending.clear()
        self._lines.clear()

    def add_to(self, counts: Counts, rows: int) -> None:
        """Add what the batch did to the counts of the import."""
        counts.rows += rows
        counts.inserted += len(self.inserted) + self.would_insert
        counts.updated += len(self.updated) + self.would_update
        counts.unchanged += self.unchanged
        counts.skipped += self.skipped
        counts.rejected += len(self.rejected)


def sorted_rejects(rejected: Sequence[tuple[Record, str]]) -> list[tuple[Record, str]]:
    """Return rejects in the order of the file."""
    return sorted(rejected, key=lambda item: item[0].line)


class Rejects:
    """The file of rejected rows; it is on disk before the batch commits, and cut back where one did not.

    Args:
        size: how many bytes of it belong to batches that committed; 0 begins it anew.
        rejected: how many rows those are.
    """

    def __init__(self, path: Path, source: Source, size: int, rejected: int) -> None:
        self._path = path
        self._source = source
        self._any = rejected > 0 and size > 0
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CredentialError(f"`{path}` cannot be written: {error.strerror}", hint="choose another `--rejects`") from error
        self._file: IO[str] = os.fdopen(descriptor, "r+", encoding="utf-8", errors="surrogateescape", newline="")
        held = os.fstat(descriptor).st_size
        self._file.truncate(min(size, held))
        self._file.seek(0, os.SEEK_END)
        self._any &= held >= size

    def write(self, rejected: Sequence[tuple[Record, str]]) -> int:
        """Write rows and return the size of the file, on disk."""
        for record, reason in sorted_rejects(rejected):
            self._source.reject(self._file, record, reason, first=not self._any)
            self._any = True
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self, *, keep: bool) -> None:
        """Close the file; an empty one is removed."""
        self._file.close()
        if not keep:
            self._path.unlink(missing_ok=True)
