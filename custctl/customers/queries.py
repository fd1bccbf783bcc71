"""Lists and searches as keyset pages.

A page is read as lanes: subqueries that an index serves in order, one behind
the other, of which each yields no more than the page needs. A list has a lane
for rows with a value and one for rows without (nulls last); a prefix search has
a lane for each field it looks in.
"""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import sqlalchemy as sa

from custctl.customers.conditions import OwnColumn, check_condition, check_ordered, parse_condition, where
from custctl.customers.lookup import to_customer, with_own_fields
from custctl.customers.model import FIELDS, STATUSES, Customer
from custctl.customers.naming import check_text
from custctl.customers.statements import selected
from custctl.schema.standing import check_schema, read_standing
from custctl.schema.tables import customer
from custctl.schema.times import is_time
from custctl.support.errors import CustctlError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from custctl.engines.base import Database
    from custctl.engines.connection import Connection, Row
    from custctl.schema.own import OwnFields

SEARCHED = ("email", "last_name", "first_name", "company", "phone")
"""The fields that a search looks in, in the order of its results."""

_NOT_NULL = frozenset({"id", "email", "first_name", "last_name", "status", "version", "created_at", "updated_at"})
_DAMAGED = "the cursor is damaged"
_WHOLE = "copy the full cursor, or start over"
_ALL_AT_ONCE = 1000  # rows a page where all are wanted
_MOST = 2**31  # rows a page; more than this is no limit, and a database may not know such a number


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which customers, and in which order.

    Attributes:
        sort: a field, with `-` in front for descending.
        where: conditions that must all hold, such as `points>=100`; see `conditions.parse_condition`.
    """

    sort: str = "id"
    status: str | None = None
    country: str | None = None
    where: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that it sorts and filters by."""
        return (self.sort.removeprefix("-"), *(parse_condition(text).field for text in self.where))


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A text to look for, from the beginning of a field or anywhere in it."""

    text: str
    contains: bool = False


Query = ListQuery | SearchQuery


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page: its lane, what the lane is ordered by, and its id."""

    lane: int
    key: Any
    id: int


@dataclass(frozen=True, slots=True)
class Page:
    """Customers in order, and the cursor of the next page or None."""

    items: tuple[Customer, ...]
    next: str | None


def list_query(
    sort: str | None, status: str | None = None, country: str | None = None, where: Iterable[str] = ()
) -> ListQuery:
    """Check the form of what a user asked for; `check_list` checks whether there are such fields.

    Raises:
        UsageError: no such status, or not a condition.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(f"there is no status `{status}`", hint=f"one of {', '.join(STATUSES)}")
    if country is not None:
        country = unicodedata.normalize("NFC", check_text(country, "the country"))
    conditions = tuple(unicodedata.normalize("NFC", text) for text in where)
    for text in conditions:
        parse_condition(text)
    return ListQuery("id" if sort is None else sort, status, country, conditions)


def check_list(query: ListQuery, own: OwnFields) -> ListQuery:
    """Check the fields of a list, and the values of its conditions.

    Raises:
        UsageError: no such field, or one that cannot be used so.
        InvalidError: a value is not of its field's type.
    """
    check_ordered(query.sort.removeprefix("-"), own, to="sort")
    for text in query.where:
        check_condition(parse_condition(text), own)
    return query


def search_query(text: str, contains: bool) -> SearchQuery:
    """Check what a user looks for.

    Raises:
        UsageError: there is nothing to look for.
    """
    wanted = unicodedata.normalize("NFC", check_text(text, "the text to search for")).strip()
    if not wanted:
        raise UsageError("the text to search for is empty", hint="`custctl customer list` shows all customers")
    return SearchQuery(wanted, contains)


# -- cursors ---------------------------------------------------------------------------------------


def encode_cursor(query: Query, position: Position) -> str:
    """Return an opaque text that carries the query and where its page ended."""
    kind = "list" if isinstance(query, ListQuery) else "search"
    # A list without conditions has no place for them: most cursors are shorter so.
    asked = [value for value in asdict(query).values() if value != ()]
    document = [kind, asked, [position.lane, position.key, position.id]]
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode_cursor(text: str) -> tuple[Query, Position]:
    """Read a cursor.

    Raises:
        UsageError: it was not made by `encode_cursor`.
    """
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        kind, asked, (lane, key, last_id) = json.loads(raw.decode("utf-8", "surrogatepass"))
        query: Query
        if kind == "list":
            sort, status, country, *conditions = asked
            query = list_query(sort, status, country, *conditions)
        elif kind == "search":
            found, contains = asked
            query = search_query(found, contains is True)
        else:
            raise ValueError(kind)
        lanes = _lane_count(query)
        if type(lane) is not int or type(last_id) is not int or not 0 <= lane < lanes or abs(last_id) >= 2**63:
            raise ValueError(lane)
        if isinstance(key, str):
            key.encode()  # a lone surrogate is in no row
        elif key is not None:
            raise ValueError(key)
        if isinstance(query, ListQuery):
            _check_key(query.sort.removeprefix("-"), lane, key)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error, UsageError) as error:
        raise UsageError(_DAMAGED, hint=_WHOLE) from error
    return query, Position(lane, key, last_id)


def _check_key(field: str, lane: int, key: Any) -> None:
    """Refuse what no row of the field can hold: an engine may take it for an error of ours."""
    if lane == 1 or field == "id":
        fits = key is None
    elif field in ("created_at", "updated_at"):
        fits = isinstance(key, str) and is_time(key)
    else:
        fits = isinstance(key, str)
    if not fits:
        raise ValueError(key)


def resume(cursor: str, asked: Query | None, kind: Literal["list", "search"]) -> tuple[Query, Position]:
    """Return what a cursor carries on with; what was asked besides must be the same.

    Raises:
        UsageError: the cursor is damaged, or belongs to another query.
    """
    query, position = decode_cursor(cursor)
    other_kind = isinstance(query, ListQuery) != (kind == "list")
    if other_kind or (asked is not None and asked != query):
        raise UsageError(
            "the cursor belongs to a different query", hint="the cursor includes sort and filters: use it without them"
        )
    return query, position


def resume_list(
    sort: str | None, status: str | None, country: str | None, where: Sequence[str], after: str | None
) -> tuple[ListQuery, Position | None]:
    """Return the query of a list, and where it goes on; arguments as for `list_query`, and the cursor.

    Raises:
        UsageError: as `list_query` or `resume`.
    """
    asked = list_query(sort, status, country, where)
    if after is None:
        return asked, None
    query, position = resume(after, None if asked == ListQuery() and sort is None else asked, "list")
    return cast("ListQuery", query), position


def resume_search(text: str | None, contains: bool, after: str | None) -> tuple[Query, Position | None]:
    """Return the query of a search, and where it goes on; arguments as for `search_query`, and the cursor.

    Raises:
        UsageError: there is nothing to look for; or as `resume`.
    """
    asked = search_query(text or "", contains) if text is not None or after is None else None
    if after is None and asked is not None:
        return asked, None
    return resume(after or "", asked, "search")


def _lane_count(query: Query) -> int:
    if isinstance(query, SearchQuery):
        return 1 if query.contains else len(SEARCHED)
    return 1 if query.sort.removeprefix("-") in _NOT_NULL else 2


# -- pages -----------------------------------------------------------------------------------------


def read_page(database: Database, query: Query, limit: int, after: Position | None = None) -> Page:
    """Read one page.

    Args:
        limit: the most customers, from 1.
        after: where the page before ended.
    """
    return database.read(lambda connection: _page(database, connection, query, limit, after))


def read_all(database: Database, query: Query, after: Position | None = None) -> Iterator[Customer]:
    """Yield every customer of a query in one consistent state, a page at a time, in constant memory.

    Where a replica fails midway, the rest is of a later state.
    """
    begun = False
    while True:
        try:
            with database.reading(snapshot=True, replica=True) as connection:
                while True:
                    page = _page(database, connection, query, _ALL_AT_ONCE, after)
                    yield from page.items
                    if page.next is None:
                        return
                    begun = True
                    _, after = decode_cursor(page.next)
        except CustctlError as error:
            if not database.pass_over(error, midway=begun):
                raise


def _page(database: Database, connection: Connection, query: Query, limit: int, after: Position | None) -> Page:
    limit = min(limit, _MOST)

    def select() -> Sequence[Row]:
        return connection.execute(_statement(database, connection, query, limit + 1, after)).all()

    rows = with_own_fields(database, connection, select)
    if not rows:
        check_schema(read_standing(connection))
    items = tuple(to_customer(database, connection, row[2:]) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(items, None)
    lane, key, last_id = rows[limit - 1][:3]
    if _is_by_version(query):
        key = database.encode_version(key)
    own = _own_sort(query)
    if own is not None:
        key = rows[limit - 1][2 + len(FIELDS) + connection.own.names.index(own)]
        key = None if key is None else str(key)
    return Page(items, encode_cursor(query, Position(lane, key, last_id)))


def _own_sort(query: Query) -> str | None:
    """Return the own field that a list is sorted by, if it is one."""
    field = query.sort.removeprefix("-") if isinstance(query, ListQuery) else "id"
    return field if field not in FIELDS else None


def _is_by_version(query: Query) -> bool:
    return isinstance(query, ListQuery) and query.sort.removeprefix("-") == "version"


def _statement(
    database: Database, connection: Connection, query: Query, limit: int, after: Position | None
) -> Select[Any]:
    if after is not None and _is_by_version(query):
        after = replace(after, key=_row_version(database, after.key))
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
    elif query.sort.startswith("-"):
        order = key.desc()
    if _own_sort(query) is not None:
        # Not every value that the engine sorts by is one that a driver can read; the row has it as text.
        shown = (lane, sa.null().label(key.name), *list(union.c)[2:])
        return sa.select(*shown).order_by(lane, order, identity).limit(limit)
    return sa.select(union).order_by(lane, order, identity).limit(limit)


def _row_version(database: Database, text: str) -> Any:
    try:
        return database.decode_version(text)
    except ValueError:
        raise UsageError("the cursor comes from a database of another engine", hint="start over") from None


def _list_lanes(connection: Connection, query: ListQuery, after: Position | None) -> list[Select[Any]]:
    field = query.sort.removeprefix("-")
    descending = query.sort.startswith("-")
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
        lane = _lane(connection, 0, column, [*filters, *([] if field in _NOT_NULL else [column.is_not(None)])])
        if after is not None:
            lane = lane.where(_beyond(column, after, descending=descending))
        lanes.append(lane.order_by(column.desc() if descending else column, customer.c.id))
    if field not in _NOT_NULL:
        lane = _lane(connection, 1, sa.cast(sa.null(), column.type), [*filters, column.is_(None)])
        if after is not None and after.lane == 1:
            lane = lane.where(customer.c.id > after.id)
        lanes.append(lane.order_by(customer.c.id))
    return lanes


def list_filters(connection: Connection, query: ListQuery) -> list[ColumnElement[bool]]:
    """Return what must hold of the rows of a list.

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
    descending = query.sort.startswith("-")
    own = OwnColumn(connection, check_ordered(query.sort.removeprefix("-"), connection.own, to="sort"))
    lanes = []
    if after is None or after.lane == 0:
        lane = _lane(connection, 0, own.rank, [*filters, own.column.is_not(None)])
        if after is not None:
            try:
                held = replace(after, key=own.key(after.key))
            except ValueError:
                raise UsageError(_DAMAGED, hint=_WHOLE) from None
            lane = lane.where(_beyond(own.rank, held, descending=descending))
        lanes.append(lane.order_by(own.rank.desc() if descending else own.rank, customer.c.id))
    lane = _lane(connection, 1, own.rank, [*filters, own.column.is_(None)])
    if after is not None and after.lane == 1:
        lane = lane.where(customer.c.id > after.id)
    return [*lanes, lane.order_by(customer.c.id)]


def _search_lanes(connection: Connection, query: SearchQuery, after: Position | None) -> list[Select[Any]]:
    searched = [customer.c[name] for name in SEARCHED]
    if query.contains:
        lane, identity = connection.dialect.contains(
            _lane(connection, 0, sa.null(), []), searched, query.text, indexed=connection.has_substring_index()
        )
        if after is not None:
            lane = lane.where(identity > after.id)
        return [lane.order_by(identity)]
    matches = [connection.dialect.starts_with(column, query.text) for column in searched]
    lanes = []
    for number, (column, conditions) in enumerate(zip(searched, matches, strict=True)):
        if after is not None and number < after.lane:
            continue
        key = connection.dialect.fold_key(column)
        order = connection.dialect.fold_order(key)
        # A row belongs to the first lane that it matches.
        earlier = [_does_not_hold(sa.or_(*match)) for match in matches[:number]]
        # A subquery for each condition: an index serves their union only unordered.
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
    """Return the opposite of a condition, which is also true where a column in it is NULL."""
    zero: ColumnElement[int] = sa.literal_column("0")
    return sa.case((condition, sa.literal_column("1")), else_=zero) == zero


def _beyond(order: ColumnElement[Any], after: Position, *, descending: bool) -> ColumnElement[bool]:
    """Return the condition for rows behind a position; spelled out, as not every engine compares rows."""
    further = order < after.key if descending else order > after.key
    not_before = order <= after.key if descending else order >= after.key
    return sa.and_(not_before, sa.or_(further, customer.c.id > after.id))
