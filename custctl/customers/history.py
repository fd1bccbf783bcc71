"""Reading the audit: one customer's history, and the list of all writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from custctl.customers import audit
from custctl.customers.naming import parse_who, shortened
from custctl.schema.standing import check_schema, read_standing
from custctl.support.errors import CustctlError, ExitCode, NotFoundError, StatementError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row


_MOST = 2**31  # rows; above this there is no limit, because a database may reject such a number


@dataclass(frozen=True, slots=True)
class Event:
    """One write to a customer.

    Attributes:
        actor: who wrote, according to the client.
        login: who wrote, according to the database; None in entries older than this column.
        changes: field to [before, after]; None if the values are erased, were not recorded, or this login may not read
            them.
    """

    id: int
    happened_at: str
    action: str
    actor: str
    login: str | None
    version: str | None
    fields: list[str]
    changes: dict[str, list[Any]] | None
    operation_id: str

    def as_dict(self) -> dict[str, Any]:
        """Return the event by name."""
        return {**asdict(self), "fields": tuple(self.fields)}


@dataclass(frozen=True, slots=True)
class History:
    """The history of a customer, oldest first.

    Attributes:
        withheld: why the values are missing, if this login may not read them.
    """

    events: list[Event]
    withheld: CustctlError | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the audit, without its values."""

    id: int
    happened_at: str
    operation_id: str
    part: int
    action: str
    actor: str
    login: str | None
    customer_id: int | None
    sequence: int
    version: str | None
    fields: list[str]
    detail: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the entry by name."""
        return {**asdict(self), "fields": tuple(self.fields)}


def read_history(database: Database, who: str) -> History:
    """Return the history of a customer; a deleted one is found by its id.

    A login that may read only the audit's facts gets only those.

    Raises:
        NotFoundError: no such customer, now or ever.
    """
    return database.read(lambda connection: _history(database, connection, who))


def _history(database: Database, connection: Connection, who: str) -> History:
    customer_id = find_id(connection, who)
    withheld: CustctlError | None = None
    try:
        rows = read_rows(connection, customer_id, "audit.history")
    except StatementError as error:
        withheld = database.translate(error)
        if withheld.exit_code is not ExitCode.CREDENTIAL:
            raise
        rows = read_rows(connection, customer_id, "audit.history_facts")
    events = [_event(row, with_values=withheld is None) for row in rows]
    require_known(connection, who, customer_id, rows)
    return History(events, withheld)


def require_known(connection: Connection, who: str, customer_id: int, rows: list[Row]) -> None:
    """Require that a customer exists or existed.

    Args:
        who: the customer as the user named it.
        rows: its audit rows.

    Raises:
        NotFoundError: no such customer, now or ever.
    """
    if not rows and connection.run("customer.id_by_id", who=customer_id).first() is None:
        check_schema(read_standing(connection))
        raise NotFoundError(f"there is no customer {shortened(who)}, and there never was one")


def find_id(connection: Connection, who: str) -> int:
    """Return the id of a customer that exists, or may have existed.

    Raises:
        NotFoundError: no customer has this email.
    """
    name = parse_who(who)
    if isinstance(name, int):
        return name
    found = connection.run("customer.id_by_email", who=name).one_or_none()
    if found is None:
        check_schema(read_standing(connection))
        raise NotFoundError(
            f"there is no customer {shortened(who)}", hint="a deleted customer's email is erased: use its id"
        )
    return int(found.id)


def read_rows(connection: Connection, customer_id: int, statement: str) -> list[Row]:
    """Return a customer's audit rows, oldest first: its own, and those of batches."""
    rows = connection.run(statement, number=customer_id)
    return [
        row
        for row in rows
        if row.customer_id == customer_id or audit.in_ranges(audit.detail(row).get("customers", ""), customer_id)
    ]


def _event(row: Row, *, with_values: bool) -> Event:
    fields = [name for name in row.fields.split(",") if name]
    changes = None
    if with_values and row.held_values:
        held = audit.held_values(row)
        before, after = held.get("before") or {}, held.get("after") or {}
        if not all(name in after or name in before for name in fields):
            # The list of names was too long for its column, or a name has a comma.
            written = before or held.get("request") or {}
            fields = [name for name in after if name in fields or name in written]
        changes = {name: [before.get(name), after.get(name)] for name in fields}
    return Event(
        id=row.id,
        happened_at=row.happened_at,
        action=row.action,
        actor=row.actor,
        login=row.database_login,
        version=row.version,
        fields=fields,
        changes=changes,
        operation_id=row.operation_id,
    )


def list_entries(
    database: Database, *, operation_id: str | None, who: str | None, limit: int, before: int | None
) -> tuple[list[Entry], int | None]:
    """Return rows of the audit, newest first.

    Args:
        operation_id: only this operation's.
        who: only this customer's chain.
        limit: maximum rows; 0 means no limit.
        before: only rows with an id below this one.

    Returns:
        The rows, and the id to continue from if there are more.

    Raises:
        NotFoundError: `who` is an email that no customer has.
    """
    import sqlalchemy as sa

    from custctl.customers.statements import facts
    from custctl.schema.tables import customer_audit

    query = sa.select(*facts()).order_by(customer_audit.c.id.desc())
    if operation_id is not None:
        query = query.where(customer_audit.c.operation_id == operation_id)
    if before is not None:
        query = query.where(customer_audit.c.id < before)
    with database.reading() as connection:
        check_schema(read_standing(connection))
        if who is not None:
            query = query.where(customer_audit.c.customer_id == find_id(connection, who))
        rows = list(connection.execute(query.limit(min(limit, _MOST) + 1) if limit else query))
    more = limit > 0 and len(rows) > limit
    rows = rows[:limit] if limit else rows
    return [_entry(row) for row in rows], rows[-1].id if more else None


def _entry(row: Row) -> Entry:
    return Entry(
        id=row.id,
        happened_at=row.happened_at,
        operation_id=row.operation_id,
        part=row.part,
        action=row.action,
        actor=row.actor,
        login=row.database_login,
        customer_id=row.customer_id if row.customer_id != audit.DATABASE else None,
        sequence=row.sequence,
        version=row.version,
        fields=[name for name in row.fields.split(",") if name],
        detail=audit.detail(row),
    )
