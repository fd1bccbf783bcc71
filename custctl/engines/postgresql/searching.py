"""Word search on PostgreSQL: lexeme indexes on `custctl_words`, and a trigram index for parts of a text."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from custctl.engines.sought import REVERSED, Hits, Need, Part, Sought, Term, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from custctl.engines.connection import Connection

_BROAD: Final = 2  # prefixes of up to this many letters match so many words that others are looked up first
_MANY: Final = "\u2e80"  # from here on scripts have so many characters that one of them matches few words
_FIRST: Final = -(2**63)  # ids
_LAST: Final = 2**63 - 1
# Ids that are searched before all others. For a frequent word they hold a whole page, and the rows of the other matches need
# not be read to sort them. If they hold a few, so many more ids are searched that these should hold twice a page.
_NEAR: Final = 20_000
_FEW: Final = 8  # fewer tell of a range so long that to read all rows of the word takes less time
_FORMS: Final = 20  # alternatives of a word or a phone as typed; a word that may have a wrong letter has hundreds
# No parallel worker may call this function. Starting workers takes longer than reading a page; the planner starts them
# because it expects to compute the words of each match again.
_SERIAL: Final = "pg_catalog.pg_backend_pid() > 0"
_LONGEST: Final = 500  # indexed characters of an own field: a lexeme has a maximum length


def own_words(connection: Connection, column: str) -> str:
    """Return the expression for the lexemes of an own field, as in its index."""
    return f"{connection.qualified('custctl_words')}('', left({column}, {_LONGEST}), '')"


def own_plain(connection: Connection, column: str) -> str:
    """Return the expression for the folded text of an own field, as in its index."""
    return f"{connection.qualified('custctl_plain')}({column})"


def _own_columns(connection: Connection) -> list[str]:
    return [connection.quote(field.name) for field in connection.own.fields if field.searchable]


def hits(connection: Connection, sought: Sought) -> Hits:
    """Return the query for a page of a search for words."""
    names = "first_name || ' ' || last_name || ' ' || coalesce(company, '') || ' ' || coalesce(city, '')"
    digits = f"coalesce({_qualified(connection, 'custctl_digits')}(phone), '')"
    ours = f"{_qualified(connection, 'custctl_words')}(email || ' ' || coalesce(phone, ''), {names}, {digits})"
    vectors = [ours, *(_escaped(own_words(connection, column)) for column in _own_columns(connection))]
    values: dict[str, Any] = {"after": sought.after, "first": _FIRST, "most": sought.limit, "email": sought.email}

    def everywhere(query: str) -> str:
        return _any(f"{vector} @@ {_place(values, query)}" for vector in vectors)

    def anywhere(need: Need) -> str:
        # The terms of an alternative may be in different fields.
        single = tuple(each for each in need if len(each) == 1)
        several = (" AND ".join(map(everywhere, map(_lexeme, each))) for each in need if len(each) > 1)
        return _any([*([everywhere(_query([single]))] if single else []), *several])

    def found(needs: Sequence[Need], but: Sequence[Need] = ()) -> str:
        if len(vectors) == 1:
            # Queries for the index alone: to make the words of a row again is slow.
            others = f" & !({_query(but)})" if but else ""
            return _any(everywhere(_query(each) + others) for each in _apart(needs))
        conditions = list(map(anywhere, needs))
        if but:
            conditions.append(f"({found(but)}) IS NOT TRUE")
        return " AND ".join(conditions)

    table = _qualified(connection, "customer")
    lanes = []
    if sought.email is not None and sought.lane == 0:
        lanes.append(f"(SELECT 0 AS lane, id FROM {table} WHERE email = %(email)s)")
    exact = whole(sought.needs)
    # What most rows meet is only checked on rows that meet the rest.
    narrow = list(filter(None, map(_narrowed, sought.needs))) or list(sought.needs)
    broad = [need for need in sought.needs if need not in narrow]
    conditions = {1: found(exact), 2: found(narrow) if broad else found(narrow, exact)}
    not_first = "" if sought.email is None else " AND email <> %(email)s"
    is_rare = any(map(_is_rare, sought.needs))
    shared: list[str] = []
    for lane, condition in conditions.items():
        if lane < sought.lane:
            continue
        behind = f"%({'after' if lane == sought.lane else 'first'})s::bigint"
        check = found(broad, exact) if lane == 2 and broad else None
        rows = partial(_rows, lane, f"{table} WHERE {condition}{not_first}", check)
        if is_rare:
            lanes.append(rows(behind))
        else:
            counts, ranges = _ranges(lane, table, behind, rows)
            shared += counts
            lanes += ranges
    text = f"SELECT lane, id FROM ({' UNION ALL '.join(lanes)}) AS lanes LIMIT %(most)s::bigint"
    if shared:
        text = f"WITH {', '.join(shared)} {text}"
    named = tuple(name for name in values if f"%({name})s" in text)
    return Hits(text, named, {name: values[name] for name in named})


def _rows(lane: int, source: str, check: str | None, low: str, high: str | None = None) -> str:
    """Return the query for a lane's rows with ids between two.

    Args:
        source: the table, with the condition for the index.
        check: what is only checked on the rows that are found.
    """
    # The planner reads the rows in order of the id if it expects a page among the first of them. It cannot in order of an
    # expression.
    place, end = ("id", f" AND id <= {high}") if high else ("id + 0", "")
    rows = f"FROM {source} AND {place} > {low}{end} AND {_SERIAL}"
    if check:
        # OFFSET keeps the check out of the inner query: it ends with the page.
        rows = f"FROM (SELECT *, {place} AS custctl_place {rows} ORDER BY {place} OFFSET 0) AS held WHERE {check}"
        place = "custctl_place"
    return f"(SELECT {lane} AS lane, id {rows} ORDER BY {place} LIMIT %(most)s::bigint)"


def _ranges(lane: int, table: str, behind: str, rows: Callable[..., str]) -> tuple[list[str], list[str]]:
    """Return the queries for a lane's rows in three ranges of ids, after the common tables that they share.

    Args:
        behind: the id after which the lane begins.
        rows: see `_rows`; it lacks the ids.
    """
    near, edges = f"near_{lane}", f"edges_{lane}"
    first = f"(SELECT least(min(id), {_LAST - _NEAR}) + {_NEAR} FROM {table} WHERE id > {behind})"
    second = f"near + least({2 * _NEAR} * %(most)s::bigint / found, {_LAST} - near)"
    counted = f"(SELECT {first} AS near, (SELECT count(*) FROM {near}) AS found) AS counted"
    chosen = f"SELECT near, CASE WHEN found >= {_FEW} THEN {second} ELSE near END AS far FROM {counted}"
    low, high = f"(SELECT near FROM {edges})", f"(SELECT far FROM {edges})"
    return (
        [f"{near} AS MATERIALIZED {rows(behind, first)}", f"{edges} AS MATERIALIZED ({chosen})"],
        # The second condition keeps an empty range from being searched.
        [f"(SELECT lane, id FROM {near})", rows(f"{low} AND {high} > {low}", high), rows(high)],
    )


def part_hits(connection: Connection, part: Part) -> Hits:
    """Return the query for a page of a search for a part of a field."""
    plain = _qualified(connection, "custctl_plain")
    fields = "email || chr(10) || first_name || chr(10) || last_name || chr(10) || coalesce(company, '') || chr(10)"
    fields += " || coalesce(city, '') || chr(10) || coalesce(phone, '')"
    digits = f"coalesce({_qualified(connection, 'custctl_digits')}(phone), '')"
    texts = [f"({plain}({fields}) || chr(10) || {digits})"]
    texts += [_escaped(own_plain(connection, column)) for column in _own_columns(connection)]
    values: dict[str, Any] = {"after": part.after, "most": part.limit}
    found = []
    for at, text in enumerate(part.texts):
        literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values[f"part_{at}"] = f"%{literal}%"
        found += [f"{each} LIKE %(part_{at})s::text" for each in texts]
    return Hits(
        f"SELECT 0 AS lane, id FROM {_qualified(connection, 'customer')} WHERE {_any(found)}"
        " AND id > %(after)s::bigint ORDER BY id LIMIT %(most)s::bigint",
        tuple(values),
        values,
    )


def _qualified(connection: Connection, name: str) -> str:
    return _escaped(connection.qualified(name))


def _escaped(text: str) -> str:
    # The driver takes named parameters, so a percent sign in a name must be doubled.
    return text.replace("%", "%%")


def _any(conditions: Iterable[str]) -> str:
    return f"({' OR '.join(conditions)})"


def _place(values: dict[str, Any], query: str) -> str:
    name = next((name for name, value in values.items() if value == query), f"words_{len(values)}")
    values[name] = query
    return f"%({name})s::tsquery"


def _narrowed(need: Need) -> Need:
    """Return what the index looks up for a need: no broad terms, and nothing if an alternative has no others."""
    broad = {term for each in need for term in each if _is_broad(term)}
    if any(term.text.isdigit() for term in broad):
        # Many phones have one group of a number; few of these have the others.
        return ()
    narrowed = tuple(tuple(term for term in each if term not in broad) for each in need)
    return narrowed if all(narrowed) else ()


def _is_broad(term: Term) -> bool:
    return not term.whole and len(term.text) <= _BROAD and term.text[:1] < _MANY


def _is_rare(need: Need) -> bool:
    """Tell whether few customers meet a need of which the planner expects many: it has no statistics of rare words."""
    return len(need) > _FORMS or any(term.text.startswith(REVERSED) for each in need for term in each)


def _apart(needs: Sequence[Need]) -> list[Sequence[Need]]:
    """Take a lone need apart: the index looks for all words of a query in each row that meets it by one of them."""
    if len(needs) > 1:
        return [needs]
    (need,) = needs
    single = tuple(each for each in need if len(each) == 1)
    several = tuple(each for each in need if len(each) > 1)
    return [(each,) for each in (single, several) if each]


def _query(needs: Sequence[Need]) -> str:
    return " & ".join(f"({' | '.join(' & '.join(map(_lexeme, each)) for each in need)})" for need in needs)


def _lexeme(term: Term) -> str:
    # A word contains neither quotes nor backslashes, because both separate words. A longer one is not indexed either.
    return f"'{term.text[:_LONGEST]}'{'' if term.whole else ':*'}"
