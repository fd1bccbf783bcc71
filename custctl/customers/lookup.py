"""Finding a customer's row, and turning it into a `Customer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from custctl.customers.model import FIELDS, Customer
from custctl.customers.versions import Version
from custctl.schema.own import from_cell
from custctl.schema.standing import parse_epoch, read_standing
from custctl.support.errors import StatementError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row


def to_customer(database: Database, connection: Connection, row: Sequence[Any]) -> Customer:
    """Make a `Customer` from a row of `statements.columns()`, which ends with epoch and record of own fields."""
    return make_customer(database, connection, row, parse_epoch(row[-2]))


def make_customer(database: Database, connection: Connection, row: Sequence[Any], epoch: int) -> Customer:
    """Make a `Customer` from a row that begins with `statements.row_columns()`, read in the epoch's transaction."""
    values = dict(zip(FIELDS, row, strict=False))
    values["version"] = str(Version(epoch, database.encode_version(values["version"])))
    if not connection.own.fields:
        return Customer(**values)
    cells = zip(connection.own.fields, row[len(FIELDS) :], strict=False)
    return Customer(**values, own={field.name: from_cell(field, cell) for field, cell in cells})


def look_up(database: Database, connection: Connection, statement: str, who: int | str) -> Row | None:
    """Return the row that a statement finds for an id or email, if any.

    Args:
        statement: the statement's name without `by_id` or `by_email`.
        who: as `naming.parse_who` returned it.
    """
    name = f"{statement}by_{'id' if isinstance(who, int) else 'email'}"
    rows = with_own_fields(database, connection, lambda: connection.run(name, who=who).all())
    return rows[0] if rows else None


def with_own_fields(database: Database, connection: Connection, select: Callable[[], Sequence[Row]]) -> Sequence[Row]:
    """Select rows with the own fields that the database records; the record is each row's last column.

    If the connection knows other own fields than those recorded, it selects once more.

    Raises:
        PendingError: a recorded column does not exist.
    """
    try:
        rows = select()
        stale = bool(rows) and database.learn(connection, rows[0][-1])
    except StatementError:
        if not connection.own.fields:
            raise
        database.recover(connection)
        if not database.learn(connection, read_standing(connection).own_fields):
            raise
        stale = True
    return select() if stale else rows
