"""The statements of lists and of exact searches, in SQLAlchemy Core.

A page is read as lanes, one after the other: subqueries that an index serves in order, each limited to what the page
needs. A list has a lane for rows with a value and one for rows without (nulls last); an exact search has a lane for
each field it looks in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from custctl.customers.conditions import OwnColumn, check_ordered, where
from custctl.customers.model import FIELDS
from custctl.customers.queries import (
    DAMAGED,
    NOT_NULL,
    SEARCHED,
    WHOLE,
    ListQuery,
    Position,
    Query,
    SearchQuery,
    is_by_version,
    own_sort,
)
from custctl.customers.statements import selected
from custctl.schema.tables import customer
from custctl.support.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from custctl.engines.base import Database
    from custctl.engines.connection import Connection


def statement(
    database: Database, connection: Connection, query: Query, limit: int, after: Position | None
) -> Select[Any]:
    """Return the statement of a page of at most `limit` rows: lane, the lane's key, and a customer's columns."""
    if after is not None and is_by_version(query):
        after = after._replace(key=_row_version(database, after.key))
    lanes = (
        _list_lanes(connection, query, after)
        if isinstance(query, ListQuery)
        else _search_lanes(connection, query, after)
    )
    limited = [lane.limit(limit).subquery(f"lane_{number}") for number, lane in enumerate(lanes)]
    if len(limited) == 1:
        return lanes[0].limit(limit)
    union = sa.union_all(*(sa.select(lane) for lane in limited)).subquery("lanes")
    lane, key, identity = list(union.c)[:3]
    order: ColumnElement[Any] = key
    if isinstance(query, SearchQuery):
        order = connection.dialect.fold_order(key)
    elif query.descending:
        order = key.desc()
    if own_sort(query) is not None:
        # A driver cannot read every value that the engine sorts by; the row has it as text.
        shown = (lane, sa.null().label(key.name), *list(union.c)[2:])
        return sa.select(*shown).order_by(lane, order, identity).limit(limit)
    return sa.select(union).order_by(lane, order, identity).limit(limit)


def _row_version(database: Database, text: str) -> Any:
    try:
        return database.decode_version(text)
    except ValueError:
        raise UsageError("the cursor comes from a database of another engine", hint="start over") from None


def _list_lanes(connection: Connection, query: ListQuery, after: Position | None) -> list[Select[Any]]:
    field = query.sort_field
    descending = query.descending
    filters = list_filters(connection, query)
    if field not in FIELDS:
        return _own_lanes(connection, query, filters, after)
    column = customer.c[field]
    lanes = []
    if field == "id":
        lane = _lane(connection, 0, sa.null(), filters)
        if after is not None:
            lane = lane.where(customer.c.id < after.id if descending else customer.c.id > after.id)
        return [lane.order_by(customer.c.id.desc() if descending else customer.c.id)]
    if after is None or after.lane == 0:
        lane = _lane(connection, 0, column, [*filters, *([] if field in NOT_NULL else [column.is_not(None)])])
        if after is not None:
            lane = lane.where(_beyond(column, after, descending=descending))
        lanes.append(lane.order_by(column.desc() if descending else column, customer.c.id))
    if field not in NOT_NULL:
        lane = _lane(connection, 1, sa.cast(sa.null(), column.type), [*filters, column.is_(None)])
        if after is not None and after.lane == 1:
            lane = lane.where(customer.c.id > after.id)
        lanes.append(lane.order_by(customer.c.id))
    return lanes


def list_filters(connection: Connection, query: ListQuery) -> list[ColumnElement[bool]]:
    """Return the conditions of a list.

    Raises:
        UsageError, InvalidError: as `check_list`.
    """
    filters = where(connection, query.where)
    if query.status is not None:
        filters.append(customer.c.status == query.status)
    if query.country is not None:
        filters.append(customer.c.country == query.country)
    return filters


def _own_lanes(
    connection: Connection, query: ListQuery, filters: list[ColumnElement[bool]], after: Position | None
) -> list[Select[Any]]:
    descending = query.descending
    own = OwnColumn(connection, check_ordered(query.sort_field, connection.own, to="sort"))
    lanes = []
    if after is None or after.lane == 0:
        lane = _lane(connection, 0, own.rank, [*filters, own.column.is_not(None)])
        if after is not None:
            try:
                held = after._replace(key=own.key(after.key))
            except ValueError:
                raise UsageError(DAMAGED, hint=WHOLE) from None
            lane = lane.where(_beyond(own.rank, held, descending=descending))
        lanes.append(lane.order_by(own.rank.desc() if descending else own.rank, customer.c.id))
    lane = _lane(connection, 1, own.rank, [*filters, own.column.is_(None)])
    if after is not None and after.lane == 1:
        lane = lane.where(customer.c.id > after.id)
    return [*lanes, lane.order_by(customer.c.id)]


def _search_lanes(connection: Connection, query: SearchQuery, after: Position | None) -> list[Select[Any]]:
    searched = [customer.c[name] for name in SEARCHED]
    matches = [connection.dialect.starts_with(column, query.text) for column in searched]
    lanes = []
    for number, (column, conditions) in enumerate(zip(searched, matches, strict=True)):
        if after is not None and number < after.lane:
            continue
        key = connection.dialect.fold_key(column)
        order = connection.dialect.fold_order(key)
        # A row belongs to the first lane that it matches.
        earlier = [_does_not_hold(sa.or_(*match)) for match in matches[:number]]
        # One subquery per condition: an index serves an OR of them only unordered.
        for condition in conditions:
            lane = _lane(connection, number, key, [condition, *earlier])
            if after is not None and number == after.lane:
                lane = lane.where(_beyond(order, after, descending=False))
            lanes.append(lane.order_by(order, customer.c.id))
    return lanes


def _lane(
    connection: Connection, number: int, key: ColumnElement[Any], conditions: Sequence[ColumnElement[bool]]
) -> Select[Any]:
    place: tuple[ColumnElement[Any], ...] = (sa.literal_column(str(number)).label("lane"), key.label("lane_key"))
    return sa.select(*place, *selected(connection)).where(*conditions)


def _does_not_hold(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the negation of a condition; it is also true if a column in the condition is NULL."""
    zero: ColumnElement[int] = sa.literal_column("0")
    return sa.case((condition, sa.literal_column("1")), else_=zero) == zero


def _beyond(order: ColumnElement[Any], after: Position, *, descending: bool) -> ColumnElement[bool]:
    """Return the condition for rows after a position; spelled out, because not every engine compares rows."""
    further = order < after.key if descending else order > after.key
    not_before = order <= after.key if descending else order >= after.key
    return sa.and_(not_before, sa.or_(further, customer.c.id > after.id))
