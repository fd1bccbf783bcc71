"""Lists and searches as keyset pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from custctl.customers import searching
from custctl.customers.lookup import to_customer, with_own_fields
from custctl.customers.model import FIELDS, Customer
from custctl.customers.naming import BEFORE_ALL
from custctl.customers.queries import (
    ListQuery,
    Position,
    Query,
    SearchQuery,
    decode_cursor,
    encode_cursor,
    is_by_version,
    own_sort,
)
from custctl.engines.sought import LANES, Part, Sought
from custctl.schema.standing import check_schema, read_standing
from custctl.support.errors import CustctlError, StatementError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row
    from custctl.engines.sought import Hits, Need
    from custctl.schema.own import OwnFields

FOUND_IN = ("email", "first_name", "last_name", "company", "city", "phone")
"""The fields that a search looks in; own fields that are marked searchable come after them."""

_COMPILED = {
    (False, False): "customer.list",
    (True, False): "customer.list_by_status",
    (False, True): "customer.list_by_country",
    (True, True): "customer.list_by_both",
}
"""The statements of lists by id: whether the status is given, whether the country is."""

_ALL_AT_ONCE = 1000  # rows per page when all are requested
_MOST = 2**31  # rows per page; above this there is no limit, because a database may reject such a number


class Page(NamedTuple):
    """Customers in order, and the cursor of the next page or None.

    Attributes:
        loose: whether no customer had all words of a search, and these were found by a looser reading of its text.
    """

    items: tuple[Customer, ...]
    next: str | None
    loose: bool = False


def read_page(database: Database, query: Query, limit: int, after: Position | None = None) -> Page:
    """Read one page.

    Args:
        limit: maximum customers, at least 1.
        after: where the previous page ended.
    """
    return database.read(lambda connection: _page(database, connection, query, limit, after))


def read_all(database: Database, query: Query, after: Position | None = None) -> Iterator[Customer]:
    """Yield every customer of a query in one consistent state, page by page, in constant memory.

    If a replica fails midway, the rest is of a later state.
    """
    for page in read_pages(database, query, after):
        yield from page.items


def read_pages(database: Database, query: Query, after: Position | None = None) -> Iterator[Page]:
    """Yield the pages of `read_all`, at least one."""
    begun = False
    while True:
        try:
            with database.reading(snapshot=True, replica=True) as connection:
                while True:
                    page = _page(database, connection, query, _ALL_AT_ONCE, after)
                    yield page
                    if page.next is None:
                        return
                    begun = True
                    _, after = decode_cursor(page.next)
        except CustctlError as error:
            if not database.pass_over(error, midway=begun):
                raise


def _page(database: Database, connection: Connection, query: Query, limit: int, after: Position | None) -> Page:
    limit = min(limit, _MOST)
    if isinstance(query, SearchQuery) and query.mode != "exact":
        return _found(database, connection, query, limit, after)
    rows = with_own_fields(database, connection, lambda: _listed(database, connection, query, limit + 1, after))
    if not rows:
        check_schema(read_standing(connection))
    items = tuple(to_customer(database, connection, row[2:]) for row in rows[:limit])
    if len(rows) <= limit:
        return Page(items, None)
    lane, key, last_id = rows[limit - 1][:3]
    if is_by_version(query):
        key = database.encode_version(key)
    own = own_sort(query)
    if own is not None:
        key = rows[limit - 1][2 + len(FIELDS) + connection.own.names.index(own)]
        key = None if key is None else str(key)
    return Page(items, encode_cursor(query, Position(lane, key, last_id)))


def _listed(
    database: Database, connection: Connection, query: Query, limit: int, after: Position | None
) -> Sequence[Row]:
    """Return the rows of a list or an exact search: lane, the lane's key, and a customer's columns."""
    if isinstance(query, ListQuery) and query.sort == "id" and not query.where:
        name = _COMPILED[query.status is not None, query.country is not None]
        last = BEFORE_ALL if after is None else after.id
        return connection.run(name, status=query.status, country=query.country, after=last, most=limit).all()
    from custctl.customers.lanes import statement

    return connection.execute(statement(database, connection, query, limit, after)).all()


def _found(database: Database, connection: Connection, query: SearchQuery, limit: int, after: Position | None) -> Page:
    """Return a page of the customers that match words, or a part of a field."""
    lane, last = (0, 0) if after is None else (after.lane, after.id)
    loose, lane = lane >= LANES, lane % LANES
    needs = _needs(query, loose=loose)
    texts = searching.parts(query.text) if query.mode == "contains" else ()
    email = query.text.lower() if "@" in query.text else None
    found: list[tuple[int, Customer]] = []

    def hits(behind: int) -> Hits:
        if texts:
            return connection.part_hits(Part(texts, limit + 1, behind))
        return connection.hits(Sought(needs, email, limit + 1, lane, behind))

    while needs or texts:
        rows = select_found(database, connection, partial(hits, last))
        customers = [to_customer(database, connection, row[1:]) for row in rows]
        for row, each in zip(rows, customers, strict=True):
            # An engine may return rows that do not contain the text.
            if not texts or searching.holds(found_in(each, connection.own), texts):
                found.append((row[0], each))
        if len(rows) <= limit or len(found) > limit:
            break
        last = customers[-1].id
    if not found:
        standing = read_standing(connection)
        check_schema(standing)
        # No row has shown that other own fields are searchable now.
        if database.learn(connection, standing.own_fields):
            return _found(database, connection, query, limit, after)
        if needs and after is None and _needs(query, loose=True) not in ((), needs):
            return _found(database, connection, query, limit, Position(LANES, None, BEFORE_ALL))
    items = tuple(each for _, each in found[:limit])
    if len(found) <= limit:
        return Page(items, None, loose)
    lane, each = found[limit - 1]
    return Page(items, encode_cursor(query, Position(lane + (LANES if loose else 0), None, each.id)), loose)


def _needs(query: SearchQuery, *, loose: bool) -> tuple[Need, ...]:
    if query.mode != "words":
        return ()
    if loose:
        # Few searches need its patterns, which take long to compile.
        from custctl.customers import loosely

        return loosely.read(query.text)
    return searching.read(query.text)


def found_in(customer: Customer, own: OwnFields) -> list[str]:
    """Return a customer's values that a search looks in."""
    names = (*FOUND_IN, *(field.name for field in own.fields if field.searchable))
    return [value for name in names if isinstance(value := customer[name], str)]


def select_found(database: Database, connection: Connection, hits: Callable[[], Hits]) -> Sequence[Row]:
    """Return the rows of a search's hits.

    Raises:
        PendingError: the schema is older than the word indexes.
    """
    try:
        return with_own_fields(database, connection, lambda: connection.run_found(hits()))
    except StatementError:
        if connection.lost:
            raise
        database.recover(connection)
        check_schema(read_standing(connection))
        raise
