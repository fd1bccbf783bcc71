"""Replacing the personal data in a copy of production: customers, own fields, passwords, the audit's values.

It works in batches, each in one transaction with its position: a killed run resumes where it stopped, with the same
key.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from custctl.customers import audit
from custctl.migrations import journal
from custctl.migrations.column_markers import column_markers
from custctl.migrations.pseudonyms import email_prefix, values
from custctl.schema import standing
from custctl.schema.own import Field
from custctl.schema.tables import customer_audit, customer_password
from custctl.support.errors import CustctlError, ExitCode, MigrationError, StatementError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection

T = TypeVar("T")

ACTION = "pseudonymise"
"""The action in the audit; it also says that the values before it were erased."""

_BATCH = 10_000  # rows per transaction
_PART = 10  # of the operation: the parts before it belong to the repair


@dataclass(frozen=True, slots=True)
class Pseudonymised:
    """The progress of a run; kept in the database between its transactions.

    Attributes:
        key: the key that pseudonyms are made with.
        customer: the last id that was replaced; likewise, `entry` is the last audit row that was erased.
        customers: how many customers were replaced.
        passwords: how many password hashes were deleted.
        entries: how many audit rows lost their values.
    """

    key: str
    customer: int = 0
    entry: int = 0
    customers: int = 0
    passwords: int = 0
    entries: int = 0

    def in_words(self) -> str:
        """Return what was done."""
        return f"{self.customers} customers, {self.passwords} password hashes and the values of {self.entries} audit entries"


def begin(database: Database, connection: Connection) -> None:
    """Record in the caller's transaction that there is data to replace, unless it is recorded already.

    Raises:
        CredentialError: the database may hide customers from this login.
    """
    database.require_all_rows(connection)
    if standing.read_pseudonyms(connection) is None:
        _keep(connection, Pseudonymised(secrets.token_hex(8)))


def personal_fields(database: Database, connection: Connection) -> list[Field]:
    """Return the own fields that the scripts in the journal mark as personal.

    Raises:
        MigrationError: a personal field has a type that cannot be set.
    """
    texts = [record.script for record in journal.read_state_on(database, connection).records]
    marked = [
        field
        for field in database.own_fields(connection)
        if any("personal" in column_markers(text, field.name) for text in texts)
    ]
    unknown = [field.name for field in marked if field.kind == "other"]
    if unknown:
        names = ", ".join(f"`{name}`" for name in unknown)
        raise MigrationError(
            f"{names} is personal and of a type that custctl cannot set",
            hint="clear it with SQL, drop the marker, then run it again",
        )
    return [field for field in marked if field.settable]


def pseudonymise(
    database: Database, *, environment: str, actor: str, operation_id: str, on_progress: Callable[[int], None]
) -> Pseudonymised:
    """Replace the values of all customers; the caller holds the migration lock.

    Args:
        environment: the profile's; it must equal the database's stamp before each batch.
        on_progress: called after each batch with the number of customers replaced so far.

    Raises:
        MigrationError: one of the company's own constraints rejects a value.
        RefusedError: the stamp is another environment's.
    """

    def write(work: Callable[[Connection], T]) -> T:
        def guarded(connection: Connection) -> T:
            standing.require_writable(database, connection, environment)
            return work(connection)

        return database.transact(guarded)

    def start(connection: Connection) -> tuple[list[Field], Pseudonymised]:
        begin(database, connection)
        return personal_fields(database, connection), _held(connection)

    def finish(connection: Connection) -> Pseudonymised:
        erased = _erase(connection, customer_audit.c.held_values.is_not(None))
        ended = replace(done, entries=done.entries + erased)
        counts = {"customers": ended.customers, "passwords": ended.passwords, "entries": ended.entries}
        detail = {**counts, "fields": [field.name for field in own]}
        audit.append(database, connection, audit.Entry(operation_id, ACTION, actor, part=_PART, detail=detail))
        standing.record_pseudonyms(connection, None)
        database.erase_copies(connection)
        return ended

    own, done = write(start)
    # The second pass finds customers added meanwhile with a lower id than those already seen.
    for again in (False, True):
        position: int | None = 0 if again else done.customer
        while position is not None:
            batch = partial(_replace_batch, database, done, own, position, again=again)
            done, position = write(batch)
            on_progress(done.customers)
    more = True
    while more:
        done, more = write(partial(_erase_batch, done))
    return write(finish)


def _replace_batch(
    database: Database, done: Pseudonymised, own: list[Field], position: int, connection: Connection, *, again: bool
) -> tuple[Pseudonymised, int | None]:
    """Replace a batch of customers after a position; return the state, and the last id or None if none was left."""
    table, replaced = values(connection, done.key, own)
    of = table.c.id > position
    if again:
        of = sa.and_(of, table.c.email.not_like(f"{email_prefix(done.key)}%"))
    batch = sa.select(table.c.id).where(of).order_by(table.c.id).limit(_BATCH).subquery()
    last, count = connection.execute(sa.select(sa.func.max(batch.c.id), sa.func.count(batch.c.id))).one()
    if not count:
        return done, None
    try:
        change = sa.update(table).where(of, table.c.id <= last)
        connection.execute(change.values({**connection.dialect.touch(), **replaced}))
    except StatementError as error:
        raise _refused(database, error) from error
    owner, passwords = customer_password.c.customer_id, 0
    if not again:
        hashes = sa.and_(owner > position, owner <= last)
        passwords = int(connection.execute(sa.select(sa.func.count(owner)).where(hashes)).scalar())
        connection.execute(sa.delete(customer_password).where(hashes))
    done = replace(
        done,
        customer=done.customer if again else int(last),
        customers=done.customers + count,
        passwords=done.passwords + passwords,
    )
    _keep(connection, done)
    return done, int(last)


def _refused(database: Database, error: StatementError) -> CustctlError:
    told = database.translate(error)
    if told.exit_code not in (ExitCode.INVALID, ExitCode.CONFLICT):
        return told
    return MigrationError(
        f"the database refuses a pseudonym: {told.message}",
        hint="change the constraint, then run it again: it resumes where it stopped",
    )


def _erase_batch(done: Pseudonymised, connection: Connection) -> tuple[Pseudonymised, bool]:
    """Erase the values of a batch of audit rows; return the state, and whether there may be more."""
    entry = customer_audit.c.id
    batch = sa.select(entry).where(entry > done.entry).order_by(entry).limit(_BATCH).subquery()
    last = connection.execute(sa.select(sa.func.max(batch.c.id))).scalar()
    if last is None:
        return done, False
    erased = _erase(connection, entry > done.entry, entry <= last, customer_audit.c.held_values.is_not(None))
    done = replace(done, entry=int(last), entries=done.entries + erased)
    _keep(connection, done)
    return done, True


def _erase(connection: Connection, *of: sa.ColumnElement[bool]) -> int:
    """Erase the values of audit rows; return the number of rows that had some."""
    count = int(connection.execute(sa.select(sa.func.count(customer_audit.c.id)).where(*of)).scalar())
    if count:
        connection.execute(sa.update(customer_audit).where(*of).values(held_values=sa.null(), salt=sa.null()))
    return count


def _keep(connection: Connection, done: Pseudonymised) -> None:
    standing.record_pseudonyms(connection, json.dumps(asdict(done)))


def _held(connection: Connection) -> Pseudonymised:
    return Pseudonymised(**json.loads(standing.read_pseudonyms(connection) or "{}"))
