"""Runs the program's own statements on SQLite."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from custctl.engines.connection import Compared, Connection, Prepared
from custctl.engines.results import Joined, joined_rows
from custctl.engines.sqlite import forms
from custctl.engines.sqlite.errors import is_busy

if TYPE_CHECKING:
    from custctl.engines.sought import Hits, Part, Sought
    from custctl.engines.sqlite.dialect import SqliteDialect
    from custctl.schema.own import Field

# The expressions to compare own fields that SQLite can store in more than one form.
_RANKS = {
    "text": "{column} COLLATE BINARY",
    "date": "substr({cell}, 1, 10)",
    "timestamp": "custctl_moment({cell})",
    "uuid": "lower({cell})",
    "json": "custctl_json({cell})",
}
_OPERANDS: Mapping[str, Callable[[str], Any]] = {
    "date": lambda text: text[:10],
    "timestamp": forms.moment,
    "uuid": str.lower,
    "json": forms.json_form,
}
_LOCK_SLICE_MS = 200  # how long SQLite itself waits for a lock before we check for signals again


class SqliteConnection(Connection):
    """A connection to a file."""

    driver: sqlite3.Connection
    driver_error = sqlite3.Error
    _closed = False

    def statements(self) -> Mapping[str, Prepared]:
        from custctl.engines.sqlite.statements import STATEMENTS

        return STATEMENTS

    def run_joined(
        self, joined: str, rows: str, size: int, width: int, /, *, after: int, **values: Any
    ) -> Iterator[Joined | list[tuple[Any, ...]]]:
        # Joining a block in C takes half the time of fetching its values.
        while True:
            last, count, exact, data = self.run(joined, size=size, after=after, **values).one()
            if not count:
                return
            block = joined_rows(data, count, width) if exact == count and _is_utf8(data) else None
            yield block or next(self.run_stream(rows, count, after=after, **values))
            after = last

    def make_dialect(self) -> SqliteDialect:
        from custctl.engines.sqlite.dialect import SqliteDialect

        return SqliteDialect(self.schema)

    def has_word_index(self) -> bool:
        """Tell whether the full-text indexes for search exist; an SQLite without FTS5 cannot have them."""
        return value_of(self.driver, "SELECT 1 FROM sqlite_master WHERE name = 'customer_words'") is not None

    def hits(self, sought: Sought) -> Hits:
        from custctl.engines.sqlite.searching import hits

        return hits(sought, indexed=self.has_word_index())

    def part_hits(self, part: Part) -> Hits:
        from custctl.engines.sqlite.searching import part_hits

        return part_hits(part, indexed=self.has_word_index())

    def quote(self, name: str) -> str:
        return quote(name)

    def own_cell(self, field: Field, column: str) -> str:
        # Without a CAST, which would keep only fifteen digits, a float keeps them all.
        if field.kind in ("float", "decimal"):
            return f"CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE {column} END"
        return f"CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE CAST({column} AS TEXT) END"

    def own_value(self, field: Field, text: str | None) -> Any:
        if text is None:
            return None
        if field.kind == "boolean":
            return int(text == "true")
        return int(text) if field.kind == "integer" else float(text) if field.kind == "float" else text

    def own_compared(self, field: Field, column: str) -> Compared:
        form = _RANKS.get(field.kind)
        # Compare the stored value, so that an index serves: the column's affinity converts the operand to a number.
        return Compared(column if form is None else form.format(cell=self.own_cell(field, column), column=column))

    def own_operand(self, field: Field, text: str) -> Any:
        if field.kind in ("integer", "decimal", "float", "boolean"):
            return {"true": 1, "false": 0}[text] if text in ("true", "false") else _number(text)
        make = _OPERANDS.get(field.kind)
        return text if make is None else make(text)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self.driver.close()


def _number(text: str) -> int | float | str:
    """Convert a text to a number as its column stores it; a text that is not a number stays."""
    for make in (int, float):
        try:
            return make(text)
        except (ValueError, OverflowError):
            continue
    return text


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def quote(name: str) -> str:
    """Quote a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def value_of(driver: sqlite3.Connection, query: str) -> Any:
    """Return the first column of the first row of a query; None if there is no row."""
    row = driver.execute(query).fetchone()
    return row[0] if row else None


def begin_immediate(driver: sqlite3.Connection, timeout: float) -> None:
    """Begin a transaction with the write lock: one that reads first and writes later can fail halfway.

    Args:
        timeout: seconds to wait for another writer.

    Raises:
        sqlite3.OperationalError: timed out.
    """
    deadline = time.monotonic() + timeout
    driver.execute(f"PRAGMA busy_timeout = {_LOCK_SLICE_MS}")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise
    finally:
        driver.execute(f"PRAGMA busy_timeout = {int(timeout * 1000)}")
