"""Own fields in search: the view `custctl_searched` shows them too, and a trigger keeps their words."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from custctl.engines.model import SearchIndex
from custctl.engines.sqlite.running import quote, value_of
from custctl.engines.sqlite.secondary import SEARCH, WORDS

VIEW: Final = "custctl_searched"
"""What search looks in, and what the full-text indexes are made of."""

_VIEW_SCRIPT: Final = "repeatable/custctl_searched.sql"
_TRIGGER: Final = "customer_search_own"
_DROP: Final = (f"DROP TRIGGER IF EXISTS {_TRIGGER}", f"DROP VIEW IF EXISTS {VIEW}")
_BEGIN, _END = "/* own fields */", "/* end */"
_PART: Final = re.compile(rf"{re.escape(_BEGIN)}(?:(.*){re.escape(_END)})?", re.DOTALL)
# Any part that `_shown` does not make: the rows may hold words of a dropped column.
_UNKNOWN: Final = " || ''"
_DROPS: Final = re.compile(r"\s*ALTER\s+TABLE\b.*\bDROP\b", re.IGNORECASE | re.DOTALL)


def _refresh(which: str) -> list[str]:
    """Return the statements that index rows again; `which` selects their ids."""
    held = f"SELECT id, c0 FROM {WORDS}_content WHERE id IN ({which})"
    return [
        f"INSERT INTO {SEARCH} ({SEARCH}, rowid, c0) SELECT 'delete', * FROM ({held})",
        f"DELETE FROM {WORDS} WHERE rowid IN ({which})",
        f"INSERT INTO {WORDS} (rowid, texts, more) SELECT id, texts, more FROM {VIEW} WHERE id IN ({which})",
        f"INSERT INTO {SEARCH} (rowid, c0) {held}",
    ]


def missing(driver: sqlite3.Connection, columns: Sequence[str]) -> Iterator[SearchIndex]:
    """Yield what lets the search indexes hold these own columns and no others, if they do not yet."""
    view, before = view_of(driver)
    shown = _shown(columns)
    is_indexed, trigger = _sql(driver, WORDS) is not None, _sql(driver, _TRIGGER)
    if before is None or (before == shown and (trigger is not None) == (is_indexed and bool(columns))):
        return
    statements, undo = [*_DROP, showing(view, shown)], [*_DROP, view]
    if is_indexed:
        if columns:
            quoted, body = ", ".join(map(quote, columns)), "; ".join(_refresh("new.id"))
            statements.append(f"CREATE TRIGGER {_TRIGGER} AFTER UPDATE OF {quoted} ON customer BEGIN {body}; END")
        if trigger is not None:
            undo.append(trigger)
        # If columns were only added, rows without a value in them are indexed already.
        is_added = bool(columns) and shown.startswith(before) and (trigger is not None) == bool(before)
        filled = " OR ".join(f"{quote(column)} IS NOT NULL" for column in columns)
        refresh = _refresh(f"SELECT id FROM customer{f' WHERE {filled}' if is_added else ''}")
        statements += refresh
        undo += refresh
    yield SearchIndex(WORDS, tuple(statements), tuple(undo))


def first(columns: Sequence[str], scripts: Collection[str]) -> tuple[str, ...]:
    """Return what `missing` names once these scripts have created the tables."""
    return (WORDS,) if columns and _VIEW_SCRIPT in scripts else ()


def before_dropping(driver: sqlite3.Connection, statement: str) -> None:
    """Take all own columns out of the view and the trigger if a statement may drop one: SQLite would refuse it."""
    if not _DROPS.match(statement):
        return
    view, before = view_of(driver)
    if before:
        for each in (*_DROP, showing(view, _UNKNOWN)):
            driver.execute(each)


def view_of(driver: sqlite3.Connection) -> tuple[str, str | None]:
    """Return the text of the view, and what it shows of own fields; None if it cannot show any."""
    view = _sql(driver, VIEW) or ""
    found = _PART.search(view)
    return view, None if found is None else found[1] or ""


def _sql(driver: sqlite3.Connection, name: str) -> str | None:
    found: str | None = value_of(driver, f"SELECT sql FROM sqlite_master WHERE name = '{name}'")
    return found


def _shown(columns: Sequence[str]) -> str:
    texts = (f"CASE typeof({quote(column)}) WHEN 'text' THEN {quote(column)} ELSE '' END" for column in columns)
    return "".join(f" || char(10) || {text}" for text in texts)


def showing(view: str, shown: str) -> str:
    """Return the statement that creates the view with these own columns."""
    return _PART.sub(lambda _: f"{_BEGIN}{shown}{_END}" if shown else _BEGIN, view, count=1)
