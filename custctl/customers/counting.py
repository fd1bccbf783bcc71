"""How many customers there are, in all or for each value of a field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from custctl.customers.conditions import OwnColumn, check_ordered
from custctl.customers.lanes import list_filters
from custctl.customers.lookup import with_own_fields
from custctl.customers.model import FIELDS
from custctl.schema.own import Field, OwnFields, Value, from_cell
from custctl.schema.standing import check_schema, read_standing
from custctl.schema.statements import own_fields_query
from custctl.schema.tables import customer
from custctl.support.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Executable

    from custctl.customers.queries import ListQuery
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row


def check_grouped(name: str, own: OwnFields) -> Field:
    """Return a field by whose values customers can be counted.

    Raises:
        UsageError: no such field, or customers cannot be counted by it.
    """
    if name == "version":
        raise UsageError("cannot count by `version`: it is opaque")
    return check_ordered(name, own, to="count")


def count(database: Database, query: ListQuery) -> int:
    """Return the number of customers in a list."""

    def statement(connection: Connection) -> Executable:
        counted = sa.select(sa.func.count().label("count"), own_fields_query().label("own_fields"))
        return counted.select_from(customer).where(*list_filters(connection, query))

    return database.read(lambda connection: int(_rows(database, connection, statement)[0][0]))


def count_by(database: Database, query: ListQuery, name: str, limit: int | None = None) -> list[tuple[Value, int]]:
    """Return the number of a list's customers for each value of a field: most frequent first, then by value.

    Args:
        limit: maximum values; None for all.
    """

    def statement(connection: Connection) -> Executable:
        field = check_grouped(name, connection.own)
        if name in FIELDS:
            cell: ColumnElement[Any] = customer.c[name]
            rank: ColumnElement[Any] = cell
        else:
            own = OwnColumn(connection, field)
            # Values that compare as equal may be stored in more than one form.
            cell, rank = sa.func.min(own.cell), own.rank
        groups = sa.select(cell.label("value"), rank.label("lane_key"), sa.func.count().label("count"))
        filtered = groups.select_from(customer).where(*list_filters(connection, query)).group_by(rank).subquery()
        value, key, found = filtered.c
        missing = sa.case((value.is_(None), sa.literal_column("1")), else_=sa.literal_column("0"))
        shown = sa.select(value, found, own_fields_query().label("own_fields"))
        return shown.order_by(found.desc(), missing, key).limit(limit)

    def read(connection: Connection) -> list[tuple[Value, int]]:
        rows = _rows(database, connection, statement)
        field = check_grouped(name, connection.own)
        return [(value if name in FIELDS else from_cell(field, value), int(found)) for value, found, _ in rows]

    return database.read(read)


def _rows(database: Database, connection: Connection, statement: Any) -> Sequence[Row]:
    rows = with_own_fields(database, connection, lambda: connection.execute(statement(connection)).all())
    if not rows or rows[0][0] == 0:
        check_schema(read_standing(connection))
    return rows
