"""The query of a list or a search, and the cursor from which its next page continues."""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from custctl.customers.model import FIELDS, STATUSES
from custctl.customers.naming import check_text
from custctl.engines.sought import LANES
from custctl.schema.times import is_time
from custctl.support.errors import UsageError
from custctl.support.fieldnames import sorted_by

if TYPE_CHECKING:
    from custctl.schema.own import OwnFields

Mode = Literal["words", "contains", "exact"]
"""How a search compares: words in any order, a part of a field, or the literal beginning of one."""

SEARCHED = ("email", "last_name", "first_name", "company", "phone")
"""The fields whose beginning an exact search compares, in the order of its results."""

NOT_NULL = frozenset({"id", "email", "first_name", "last_name", "status", "version", "created_at", "updated_at"})
DAMAGED = "the cursor is damaged"
WHOLE = "copy the full cursor, or start over"

# A database runs out of stack on thousands of words.
_MOST_WORDS = 100


class ListQuery(NamedTuple):
    """Which customers to list, and in which order.

    Attributes:
        sort: a field, with `-` in front for descending.
        where: conditions that must all hold, such as `points>=100`; see `conditions.parse_condition`.
    """

    sort: str = "id"
    status: str | None = None
    country: str | None = None
    where: tuple[str, ...] = ()

    @property
    def sort_field(self) -> str:
        """The name of the field that the query sorts by."""
        return sorted_by(self.sort)[0]

    @property
    def descending(self) -> bool:
        """Whether the greatest value comes first."""
        return sorted_by(self.sort)[1]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that the query sorts and filters by."""
        if not self.where:
            return (self.sort_field,)
        from custctl.customers.conditions import parse_condition

        return (self.sort_field, *(parse_condition(text).field for text in self.where))


class SearchQuery(NamedTuple):
    """A text to search for."""

    text: str
    mode: Mode = "words"


Query = ListQuery | SearchQuery


class Position(NamedTuple):
    """The last row of a page: its lane, the value that the lane is ordered by, and its id."""

    lane: int
    key: Any
    id: int


def list_query(
    sort: str | None, status: str | None = None, country: str | None = None, where: Iterable[str] = ()
) -> ListQuery:
    """Check the syntax of a list's options; `check_list` checks that the fields exist.

    Raises:
        UsageError: no such status, or not a condition.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(f"there is no status `{status}`", hint=f"one of {', '.join(STATUSES)}")
    if country is not None:
        country = unicodedata.normalize("NFC", check_text(country, "the country"))
    conditions = tuple(unicodedata.normalize("NFC", text) for text in where)
    if conditions:
        from custctl.customers.conditions import parse_condition

        for text in conditions:
            parse_condition(text)
    return ListQuery("id" if sort is None else sort, status, country, conditions)


def check_list(query: ListQuery, own: OwnFields) -> ListQuery:
    """Check the fields of a list, and the values of its conditions.

    Raises:
        UsageError: no such field, or one that cannot be used this way.
        InvalidError: a value does not have its field's type.
    """
    if query.sort == "id" and not query.where:
        return query
    from custctl.customers.conditions import check_condition, check_ordered, parse_condition

    check_ordered(query.sort_field, own, to="sort")
    for text in query.where:
        check_condition(parse_condition(text), own)
    return query


def search_mode(*, contains: bool, exact: bool) -> Mode:
    """Return the mode of a search.

    Raises:
        UsageError: both options are given.
    """
    if contains and exact:
        raise UsageError("`--contains` and `--exact` cannot be used together", hint="choose one of them")
    return "contains" if contains else "exact" if exact else "words"


def search_query(text: str, mode: Mode = "words") -> SearchQuery:
    """Check a search text.

    Raises:
        UsageError: the text is empty, or has too many words.
    """
    wanted = unicodedata.normalize("NFC", check_text(text, "the text to search for")).strip()
    if not wanted:
        raise UsageError("the text to search for is empty", hint="`custctl customer list` shows all customers")
    if mode != "exact" and len(wanted) > _MOST_WORDS:
        from custctl.customers.searching import words

        if len(words(wanted)) > _MOST_WORDS:
            raise UsageError(
                f"the text to search for has more than {_MOST_WORDS} words",
                hint="fewer words find the same customer, or more",
            )
    return SearchQuery(wanted, mode)


# -- cursors ---------------------------------------------------------------------------------------


def encode_cursor(query: Query, position: Position) -> str:
    """Return an opaque text with the query and the position where its page ended."""
    kind = "list" if isinstance(query, ListQuery) else "search"
    # A list without conditions omits them: most cursors are shorter then.
    asked = [value for value in query if value != ()]
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
            found, mode = asked
            if mode not in get_args(Mode):
                raise ValueError(mode)
            query = search_query(found, mode)
        else:
            raise ValueError(kind)
        lanes = _lane_count(query)
        if type(lane) is not int or type(last_id) is not int or not 0 <= lane < lanes or abs(last_id) >= 2**63:
            raise ValueError(lane)
        if isinstance(key, str):
            key.encode()  # no row has a lone surrogate
        elif key is not None:
            raise ValueError(key)
        if isinstance(query, ListQuery):
            _check_key(query.sort_field, lane, key)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error, UsageError) as error:
        raise UsageError(DAMAGED, hint=WHOLE) from error
    return query, Position(lane, key, last_id)


def _check_key(field: str, lane: int, key: Any) -> None:
    """Refuse a key that no row of the field can hold: an engine may report it as an internal error."""
    if lane == 1 or field == "id":
        fits = key is None
    elif field in ("created_at", "updated_at"):
        fits = isinstance(key, str) and is_time(key)
    else:
        fits = isinstance(key, str)
    if not fits:
        raise ValueError(key)


def resume(cursor: str, asked: Query | None, kind: Literal["list", "search"]) -> tuple[Query, Position]:
    """Return a cursor's query and position; a query that is also given must be the same.

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
    """Return the query of a list, and the position to continue from; arguments as for `list_query`, and the cursor.

    Raises:
        UsageError: as `list_query` or `resume`.
    """
    asked = list_query(sort, status, country, where)
    if after is None:
        return asked, None
    query, position = resume(after, None if asked == ListQuery() and sort is None else asked, "list")
    return cast("ListQuery", query), position


def resume_search(text: str | None, mode: Mode, after: str | None) -> tuple[Query, Position | None]:
    """Return the query of a search, and the position to continue from; arguments as for `search_query`, and the cursor.

    Raises:
        UsageError: the text is empty; or as `resume`.
    """
    asked = search_query(text or "", mode) if text is not None or after is None else None
    if after is None and asked is not None:
        return asked, None
    return resume(after or "", asked, "search")


def _lane_count(query: Query) -> int:
    if isinstance(query, SearchQuery):
        return {"words": 2 * LANES, "contains": 1, "exact": len(SEARCHED)}[query.mode]
    return 1 if query.sort_field in NOT_NULL else 2


def own_sort(query: Query) -> str | None:
    """Return the own field that a list is sorted by, or None."""
    field = query.sort_field if isinstance(query, ListQuery) else "id"
    return field if field not in FIELDS else None


def is_by_version(query: Query) -> bool:
    """Return whether a list is sorted by version."""
    return isinstance(query, ListQuery) and query.sort_field == "version"
