"""Prints the pages of `list` and `search`, and the counts of `list`."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING

from custctl.cli.context import Context
from custctl.customers.model import FIELDS
from custctl.support.errors import UnavailableError
from custctl.support.fieldnames import field_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from custctl.customers.queries import ListQuery, Position, Query
    from custctl.schema.own import Value

# In order of importance: a narrow terminal omits the last ones.
SHOWN = ("id", "email", "first_name", "last_name", "status", "company", "city", "phone", "country", "version")
# Columns whose texts are cut before that; values that people copy into the next command are never cut.
CUT = frozenset({"first_name", "last_name", "company", "city", "country"})

_SLOW = 1.0  # seconds after which a list counts as slow


def print_pages(
    context: Context,
    query: Query,
    position: Position | None,
    limit: int,
    *,
    wide: bool = False,
    follow: Callable[[str | None], str | None] = lambda _: None,
) -> int:
    """Print one page, or everything if the limit is 0; a note on stderr says how to continue.

    Args:
        wide: whether a table shows all columns.
        follow: called with the cursor of the next page, None after the last page; returns the command that continues,
            if it does not need the cursor.

    Returns:
        The number of customers printed.

    Raises:
        UnavailableError: the database is down. The cache knows only some customers.
    """
    try:
        return _print(context, query, position, limit, wide=wide, follow=follow)
    except UnavailableError as error:
        if context.profile.cache is not None:
            error.hint = (
                f"{error.hint + '; ' if error.hint else ''}the cache does not hold every customer:"
                " `customer get` shows those that it holds"
            )
        raise


def print_count(context: Context, query: ListQuery) -> None:
    """Print how many customers a list has."""
    from custctl.customers.counting import count

    found = count(context.database, query)
    context.tell_source()
    context.renderer.one({"count": found}, ("count",))


def print_counts(context: Context, query: ListQuery, field: str, limit: int) -> None:
    """Print how many customers of a list have each value of a field.

    Args:
        limit: maximum number of values; 0 means no limit.
    """
    from custctl.customers.counting import check_grouped, count_by

    field = field_name(field)
    check_grouped(field, context.opened.own_fields([field]))
    found = count_by(context.database, query, field, limit + 1 if limit else None)
    context.tell_source()
    counted = "count" if field != "count" else "customers"
    rows = [{field: value, counted: number} for value, number in found]
    context.renderer.many(rows[:limit] if limit else rows, (field, counted))
    if limit and len(rows) > limit:
        context.console.note("more values follow: `--limit 0` shows all")


def _note_why_slow(context: Context, query: Query) -> None:
    """Say if indexes are missing or none fits. Only for slow lists: the check would double the time of a fast one."""
    from custctl.customers.queries import ListQuery
    from custctl.schema.standing import read_standing

    with context.database.reading() as connection:
        deferred = read_standing(connection).deferred is not None
        scanned: tuple[str, ...] = ()
        if isinstance(query, ListQuery) and query.where and not (deferred or query.status or query.country):
            from custctl.customers.conditions import unserved

            scanned = unserved(context.database, connection, query.where)
    if scanned:
        context.console.note(
            f"slow, because no index serves the condition on {', '.join(f'`{name}`' for name in scanned)}"
        )
    if deferred:
        context.console.note(
            "slow, because an import has dropped indexes: it builds them at its end; if no import is running, run `custctl migrate`"
        )


def _print(
    context: Context,
    query: Query,
    position: Position | None,
    limit: int,
    *,
    wide: bool,
    follow: Callable[[str | None], str | None],
) -> int:
    from custctl.customers.pages import read_page, read_pages

    if limit == 0:
        found = read_pages(context.database, query, position)
        # Reading the first page also reads the database's own fields.
        first = next(found)
        columns = (*FIELDS, *context.database.own.names)
        shown = 0

        def found_rows() -> Iterator[dict[str, Value]]:
            nonlocal shown
            for page in chain((first,), found):
                for row in page.items:
                    shown += 1
                    yield row.as_dict()

        context.renderer.many(found_rows(), columns, shown=SHOWN, may_drop=True, cut=CUT, wide=wide, paged=True)
        context.tell_source()
        follow(None)
        _note_found(context, shown, position, loose=first.loose)
        return shown
    began = time.monotonic()
    page = read_page(context.database, query, limit, position)
    context.tell_source()
    if time.monotonic() - began >= _SLOW:
        _note_why_slow(context, query)
    rows = [found.as_dict() for found in page.items]
    command = follow(page.next)
    columns = (*FIELDS, *context.database.own.names)
    context.renderer.many(rows, columns, next=page.next, shown=SHOWN, may_drop=True, cut=CUT, wide=wide, paged=True)
    _note_found(context, len(rows), position, loose=page.loose)
    if page.next is not None:
        context.console.note(f"more rows follow: continue with `{command or f'--after {page.next}'}`")
    return len(rows)


def _note_found(context: Context, count: int, position: Position | None, *, loose: bool) -> None:
    if count == 0 and position is None:
        context.console.note("no customer found")
    elif loose:
        context.console.note(
            "no exact match: titles, company forms and words such as `and` were ignored, and names may be spelled in another way"
        )
