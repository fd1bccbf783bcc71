"""The rows of other tables that prevent the deletion of a customer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from custctl.support.errors import ConflictError, CustctlError, StatementError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.customers.model import Customer
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection


def referred(database: Database, connection: Connection, row: Customer, error: CustctlError) -> ConflictError:
    """Return the error that names the rows that refer to a customer and prevent its deletion.

    Args:
        error: the database's error, with the constraint.
    """
    try:
        counts = {
            table: count
            for table, column, to in database.referring(connection)
            if (count := _count(connection, table, column, row[to]))
        }
    except StatementError:
        counts = {}  # this login may not read those tables
    told = " and ".join(f"{plural(count, 'row', 'rows')} of `{_bare(table)}`" for table, count in counts.items())
    verb = "refers" if sum(counts.values()) == 1 else "refer"
    return ConflictError(
        f"customer {row.id} cannot be deleted: {told or 'other rows'} {verb} to it; nothing was deleted",
        hint="delete or change those rows first",
        details={
            "customer_id": row.id,
            "constraint": error.details["constraint"],
            "referring": {_bare(table): count for table, count in counts.items()},
        },
    )


def _count(connection: Connection, table: str, column: str, value: Any) -> int:
    condition = f"{column} = {connection.place('value')}"
    kind = "value:text" if isinstance(value, str) else "value"
    found = connection.send(f"SELECT COUNT(*) FROM {table} WHERE {condition}", (kind,), {"value": value})
    return int(found.scalar())


def _bare(table: str) -> str:
    """Return the name of a table for a message."""
    return re.sub(r'[\["`\]]', "", table.rpartition(".")[2])
