"""Importing customers as a stream: batches, each one transaction with its position and its audit row.

The position is kept in the database, keyed by the file's digest and the options, and commits with its batch: an import
that is killed and run again resumes after the last committed batch, and neither loses nor duplicates a row.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.customers import audit
from custctl.customers.ahead import read_ahead
from custctl.customers.batch import Batch, Checker, Counts, OnConflict, Portion, sorted_rejects
from custctl.customers.conflicts import check_fields
from custctl.customers.model import DEFAULT_STATUS, EDITABLE
from custctl.customers.operations import OperationIdUsedError
from custctl.customers.records import Fingerprint, Record, Source
from custctl.customers.rejects import Rejects
from custctl.customers.transactions import VOID
from custctl.engines import deferral
from custctl.schema.names import CUSTOMER
from custctl.schema.own import NO_OWN_FIELDS, OwnFields
from custctl.schema.standing import Standing, check_environment, check_schema, read_standing
from custctl.support.errors import (
    ConflictError,
    CredentialError,
    CustctlError,
    IncompleteError,
    InvalidError,
    OutcomeUnknownError,
)

if TYPE_CHECKING:
    from custctl.customers.store import CustomerStore
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row

BATCH = 10_000  # rows per transaction
_BATCH_BYTES = 1 << 23  # of the file, approximate maximum per batch: rows can be long
DEFERS_FROM = 50_000  # remaining rows: with fewer, building an index afterwards saves less than a second
_DEFERS_SHARE = 10  # remaining rows per row that already exists: the index on the existing rows is rebuilt too
_SHOWN_REASONS = 10
_DEFERRED = "secondary indexes are built after the rows: until then, searches and sorted lists are right but slow"
_BUILDING = "building the secondary indexes"


@dataclass(frozen=True, slots=True)
class Request:
    """What to import.

    Attributes:
        name: the file, for the audit.
        key_parts: the options that key the position, besides the digest.
        on_conflict: what to do with a row whose email is taken.
        rejects: the file for rejected rows; None for no file.
        own: the own fields that the rows are checked against.
        typed: whether the file's cells have types.
    """

    name: str
    source: Source
    fingerprint: Fingerprint
    key_parts: Sequence[str]
    on_conflict: OnConflict
    operation_id: str
    rejects: Path | None = None
    dry_run: bool = False
    own: OwnFields = NO_OWN_FIELDS
    typed: bool = False


@dataclass(slots=True)
class Result:
    """What an import did.

    Attributes:
        resumed_at: number of rows that an earlier, interrupted run had processed.
        replayed: the whole operation had been applied before, and this run did nothing.
        lost_rejects: number of rows that the earlier run rejected and the file of rejects lacks.
        blank: how many of the rows skipped by this run have no value at all.
        undecodable: how many of the rows rejected by this run have bytes that the file's encoding does not have.
        filled: number of non-empty cells of each field that this run read.
        nulls: how many of those cells are a text that databases write for no value.
        misfits: how many of those cells probably mean something else than the field.
        reasons: the first rejects, as (line, reason).
        account_error: why accounts at the identity provider are not up to date yet; None if they are, or there is no
            provider.
    """

    counts: Counts
    resumed_at: int = 0
    replayed: bool = False
    lost_rejects: int = 0
    blank: int = 0
    undecodable: int = 0
    filled: Counter[str] = field(default_factory=Counter)
    nulls: Counter[str] = field(default_factory=Counter)
    misfits: Counter[str] = field(default_factory=Counter)
    reasons: list[tuple[int, str]] = field(default_factory=list)
    account_error: CustctlError | None = None


@dataclass(frozen=True, slots=True)
class _Committed:
    """A committed batch, and the state in which it left the import."""

    work: Batch
    counts: Counts
    held: str | None
    rejects_size: int


class Import:
    """One import. `result` always shows what is committed.

    Args:
        actor: the name recorded in the audit.
        note: receives messages about the table's indexes.

    Attributes:
        deferred: whether indexes wait for the end of this import, or of one that was killed.
    """

    def __init__(
        self,
        store: CustomerStore,
        database: Database,
        request: Request,
        actor: str,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._database = database
        self._request = request
        self._actor = actor
        digest = hashlib.sha256("\0".join([request.fingerprint.digest, *request.key_parts]).encode("utf-8", "replace"))
        self._key = digest.hexdigest()
        self._held: str | None = None  # the position that this run last read or wrote
        self._part = 0  # last recorded part of the operation
        self._rejects_size = 0
        self._rejects: Rejects | None = None
        self._note = note
        self.deferred = False
        self.result = Result(Counts())

    def run(self, on_progress: Callable[[int], None]) -> Result:
        """Import the file.

        Args:
            on_progress: called after each batch with the number of rows processed.

        Raises:
            ConflictError: another process is importing the same file, or the operation id belongs to another request.
            FieldsChangedError: the database has other own fields than the rows were checked against.
            IncompleteError: the deferred indexes could not be built; the import can be run again.
            InvalidError: the rest of the file cannot be read; the rows before it are imported.
            RefusedError: the database's stamp forbids it.
        """
        if self._request.dry_run:
            self._rehearse(on_progress)
            return self.result
        self._store.transactions.run(self._request.operation_id, self._begin, part=lambda: None)
        if self.deferred and not self.result.replayed:
            self._note(_DEFERRED)
        if self.result.replayed:
            self._build()
            return self.result
        if self._request.rejects is not None:
            self._rejects = Rejects(
                self._request.rejects, self._request.source, self._rejects_size, self.result.counts.rejected
            )
            self.result.lost_rejects = self._rejects.lost
        try:
            self._stream(self._commit, on_progress)
        except InvalidError:
            self._build()
            raise
        return self.result

    def committed(self) -> Counts:
        """Return what the database has committed: an interrupt may come between a commit and its answer."""
        with self._database.reading() as connection:
            recorded = self._applied(connection)
        return Counts(**json.loads(recorded[-1].detail)["totals"]) if recorded else self.result.counts

    def _rehearse(self, on_progress: Callable[[int], None]) -> None:
        from custctl.engines.scratch import Scratch

        with self._database.reading() as connection:
            standing = read_standing(connection)
            self._database.learn(connection, standing.own_fields)
            check_fields(self._request.own, connection.own)
        check_schema(standing)
        check_environment(standing, self._store.environment, self._database.location)
        scratch = Scratch(CUSTOMER, EDITABLE, self._request.own, key="email", defaults={"status": DEFAULT_STATUS})

        def rehearse(portion: Portion) -> bool:
            work = Batch(portion, self._request.on_conflict)
            with self._database.reading() as connection:
                work.run(scratch, connection)
            work.add_to(self.result.counts)
            self._keep_reasons(portion, work)
            return True

        try:
            self._stream(rehearse, on_progress)
        finally:
            scratch.close()

    # -- the stream --------------------------------------------------------------------------------

    def _stream(self, deal_with: Callable[[Portion], bool], on_progress: Callable[[int], None]) -> None:
        with read_ahead(self._portions()) as portions:
            for portion in portions:
                if not deal_with(portion):
                    return
                on_progress(self.result.counts.rows)

    def _portions(self) -> Iterator[Portion]:
        """Read the file and check it, a batch at a time.

        Raises:
            InvalidError: the rest cannot be read; everything before the damage has been yielded.
        """
        source = self._request.source
        checker = self._checker()
        batch: list[Record] = []
        skip, begun = self.result.resumed_at, 0
        try:
            for number, record in enumerate(source.records()):
                if number < skip:
                    begun = source.offset
                    continue
                batch.append(record)
                if len(batch) == BATCH or source.offset - begun > _BATCH_BYTES:
                    yield checker.check(batch, last=False)
                    batch, begun = [], source.offset
        except InvalidError:
            # Import what came before the damage, as if the file ended there.
            if batch:
                yield checker.check(batch, last=False)
            raise
        yield checker.check(batch, last=True)

    def _commit(self, portion: Portion) -> bool:
        """Write a batch; if the database refuses a value, split it in halves down to the row with that value.

        Returns:
            False if another process has completed the whole operation meanwhile.
        """
        try:
            return self._commit_whole(portion)
        except (ConflictError, InvalidError) as error:
            if "rule" not in error.details:
                raise
            if len(portion.records) == 1:
                return self._commit_whole(portion.refused(error.message))
            checker, middle = self._checker(), len(portion.records) // 2
            halves = (portion.records[:middle], False), (portion.records[middle:], portion.last)
        return all(self._commit(checker.check(records, last=last)) for records, last in halves)

    def _checker(self) -> Checker:
        request = self._request
        return Checker(request.on_conflict, request.source.encoding.name, request.own, typed=request.typed)

    def _commit_whole(self, portion: Portion) -> bool:
        """Write a batch, its position and its audit row as one transaction.

        Returns:
            False if another process has completed the whole operation meanwhile.
        """
        rejects = self._rejects
        if portion.last:
            # The last batch deletes the position: build before it, so that an import killed here can be run again.
            self._build()

        def write(connection: Connection, _: Standing) -> _Committed | None:
            check_fields(self._request.own, connection.own)
            # Two processes that import the same file wait here, before either reads the position.
            self._database.lock(connection, self._key)
            if self._position(connection) != self._held:
                raise ConflictError(
                    "another process is importing this file with the same options, or has just finished",
                    hint="when it finishes, run this command again: it resumes where that one stopped",
                )
            if self._part == 0 and self._answer_again(connection):
                return None
            counts = Counts(**asdict(self.result.counts))
            work = Batch(portion, self._request.on_conflict)
            work.run(self._database, connection)
            work.add_to(counts)
            written = [*work.inserted, *work.updated]
            self._store.queue.follow_many(connection, written, self._request.operation_id)
            size = self._rejects_size
            if rejects is not None:
                rejects.cut_back(size)
                size = rejects.write(sorted_rejects(work.rejected))
            held = self._remember(connection, counts, size, done=portion.last)
            self._audit(connection, portion, work, counts)
            return _Committed(work, counts, held, size)

        try:
            done = self._store.transactions.run(self._request.operation_id, write, part=lambda: self._part + 1)
        except OutcomeUnknownError:
            raise  # the batch may be committed: keep its rejects; the next run relies on the position
        except BaseException:
            if rejects is not None:
                rejects.cut_back(self._rejects_size)
            raise
        if done is None:
            return False
        if portion.last and rejects is not None and done.counts.rejected == 0:
            try:
                rejects.remove()
            except OSError as error:
                self._note(f"nothing was rejected, but `{self._request.rejects}` cannot be removed: {error.strerror}")
        self._held, self._rejects_size, self._part = done.held, done.rejects_size, self._part + 1
        self.result.counts = done.counts
        self._keep_reasons(portion, done.work)
        return True

    def _keep_reasons(self, portion: Portion, work: Batch) -> None:
        self.result.blank += portion.blank
        self.result.undecodable += portion.undecodable
        self.result.filled.update(portion.filled)
        self.result.nulls.update(portion.nulls)
        self.result.misfits.update(portion.misfits)
        free = max(_SHOWN_REASONS - len(self.result.reasons), 0)
        self.result.reasons += [(record.line, reason) for record, reason in sorted_rejects(work.rejected)[:free]]

    # -- position and audit ------------------------------------------------------------------------

    def _position(self, connection: Connection) -> str | None:
        held: str | None = connection.run("import.position", of=self._key).scalar()
        return held

    def _applied(self, connection: Connection) -> list[Row]:
        """Return the audit's rows of this operation, without abandoned parts."""
        found = audit.find_operation(connection, self._request.operation_id)
        return [row for row in found if row.action != VOID]

    def _begin(self, connection: Connection, standing: Standing) -> None:
        """Replay an operation that is already applied, or resume where an earlier run stopped."""
        check_fields(self._request.own, connection.own)
        self.deferred = standing.deferred is not None
        if self._answer_again(connection):
            return
        recorded = audit.find_operation(connection, self._request.operation_id)
        self._held = self._position(connection)
        # A part that was voided counts too.
        self._part = max((row.part for row in recorded), default=0)
        if self._held is not None:
            position = json.loads(self._held)
            self.result.counts = Counts(**position["counts"])
            self.result.resumed_at = self.result.counts.rows
            self._part = max(self._part, int(position["part"]))
            self._rejects_size = int(position["rejects_size"])
        elif any(row.action != VOID for row in recorded):
            raise OperationIdUsedError(
                self._request.operation_id,
                "has already imported part of this file, with other options, or another operation has imported the rest",
            )
        to_come = self._request.fingerprint.lines - self.result.counts.rows
        if not self.deferred and to_come >= DEFERS_FROM:
            self.deferred = bool(deferral.defer(self._database, connection, to_come // _DEFERS_SHARE))

    def _build(self) -> None:
        """Build the indexes that this import, or one that was killed, deferred."""
        if not self.deferred:
            return
        self._note(_BUILDING)
        try:
            deferral.build(self._database)
        except CredentialError as error:
            self._note(f"{error.message}; searches stay slow until the owner of the tables runs `custctl migrate`")
        except CustctlError as error:
            raise IncompleteError(
                f"the rows so far are imported, but {error.message}",
                hint="fix that if needed, then run the same command again: it resumes there; or let `custctl migrate`"
                " build it",
                details=error.details,
            ) from error
        self.deferred = False

    def _remember(self, connection: Connection, counts: Counts, rejects_size: int, *, done: bool) -> str | None:
        if done:
            connection.run("import.delete", of=self._key)
            return None
        value = json.dumps({"counts": asdict(counts), "part": self._part + 1, "rejects_size": rejects_size})
        if connection.run("import.update", of=self._key, reached=value).rowcount == 0:
            connection.run("import.insert", of=self._key, reached=value)
        return value

    def _audit(self, connection: Connection, portion: Portion, work: Batch, counts: Counts) -> None:
        detail = {
            "file": self._request.name,
            "key": self._key,
            "digest": self._request.fingerprint.digest,
            "on_conflict": self._request.on_conflict,
            "first_line": portion.lines[0] if portion.lines else None,
            "last_line": portion.lines[1] if portion.lines else None,
            "rows_digest": portion.digest,
            "inserted": len(work.inserted),
            "updated": len(work.updated),
            "done": portion.last,
            "totals": asdict(counts),
        }
        entry = audit.Entry(
            self._request.operation_id,
            "import",
            self._actor,
            part=self._part + 1,
            customers=sorted([*work.inserted, *work.updated]),
            detail=detail,
        )
        audit.append(self._database, connection, entry)

    def _answer_again(self, connection: Connection) -> bool:
        """Return whether the whole operation was applied before; if so, set the result to the first one's."""
        recorded = self._applied(connection)
        if not recorded:
            return False
        detail = json.loads(recorded[-1].detail)
        if recorded[0].action != "import" or detail.get("key") != self._key:
            raise OperationIdUsedError(
                self._request.operation_id, f"has already been applied as `{recorded[0].action}`"
            )
        if not detail["done"]:
            return False
        self.result = Result(Counts(**detail["totals"]), replayed=True)
        return True
