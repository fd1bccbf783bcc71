"""The connection on which the program's own statements run.

What does not depend on a user's question is compiled ahead of time, from SQLAlchemy Core into `statements.py` beside each
engine: `run` sends it by its name, and SQLAlchemy, whose import takes longer than most commands, is never loaded. What is
put together for a question goes through `execute`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from custctl.schema.names import CUSTOMER
from custctl.schema.own import NO_OWN_FIELDS, Field, field_text
from custctl.schema.times import format_time
from custctl.support.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Executable, Select

    from custctl.engines.dialect import Dialect
    from custctl.engines.sought import Hits, Part, Sought

_PLACE = re.compile(r"\{(schema|columns|values|set|own)\}")

SCHEMA = "{schema}"
"""Stands in a compiled statement for the quoted name of the profile's schema."""

HITS = "{hits}"
"""Stands in a compiled statement for the query of what a search has hit; `run_found` fills it in."""

DYNAMIC = "*"
"""Stands among a compiled statement's parameters for the columns that a call names."""


def _given(at: int) -> str:
    """Return what the value of a column is called that a call names; the column's own name may hold anything."""
    return f"given_{at}"


class Row(tuple[Any, ...]):
    """A row; its columns are attributes, too."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


@cache
def _row_type(names: tuple[str, ...]) -> Callable[[Sequence[Any]], Row]:
    places = {name: property(itemgetter(at)) for at, name in enumerate(names)}
    return type("Row", (Row,), {"__slots__": (), **places})


class Result:
    """What a statement returned, whole.

    Attributes:
        rowcount: how many rows it has written.
        lastrowid: the id of the row that it has inserted, where the driver tells.
    """

    __slots__ = ("_rows", "lastrowid", "rowcount")

    def __init__(self, rows: Sequence[Row], rowcount: int, lastrowid: int | None = None) -> None:
        self._rows = rows
        self.rowcount = rowcount
        self.lastrowid = lastrowid

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def all(self) -> Sequence[Row]:
        """Return the rows."""
        return self._rows

    def first(self) -> Row | None:
        """Return the first row, if any."""
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Row | None:
        """Return the one row, if any."""
        if len(self._rows) > 1:
            raise ValueError(f"{len(self._rows)} rows in place of one")
        return self.first()

    def one(self) -> Row:
        """Return the one row."""
        row = self.one_or_none()
        if row is None:
            raise ValueError("no row in place of one")
        return row

    def scalar(self) -> Any:
        """Return the first column of the first row; None where there is no row."""
        return self._rows[0][0] if self._rows else None

    def scalars(self) -> list[Any]:
        """Return the first column of each row."""
        return [row[0] for row in self._rows]


CELL_END = "\x1f"
"""What stands between the cells of a `Joined` row: U+001F, the unit separator."""


# Each takes one byte in UTF-8, and no other character holds it.
_CONTROLS = bytes([*range(0x20), 0x7F])


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows as one text in UTF-8: cells divided by `CELL_END`, rows by a line feed; NULL is empty.

    No cell holds a character of C0 or DEL.
    """

    data: bytes
    rows: int


def joined_rows(data: bytes, rows: int, width: int) -> Joined | None:
    """Return rows that an engine has joined; None where a cell holds a control character.

    Args:
        width: how many cells a row has.
    """
    dividers = rows * width - 1
    return Joined(data, rows) if len(data) - len(data.translate(None, _CONTROLS)) == dividers else None


@dataclass(frozen=True, slots=True)
class Compared:
    """How the column of an own field is compared and sorted, in the same way on every engine.

    Attributes:
        rank: what is compared: text by code point, numbers, times.
        type: the type that a value is cast to before; empty for none.
        seek: the type for which the column itself equals a value wherever `rank` does, if an index may serve that.
    """

    rank: str
    type: str = ""
    seek: str | None = None


Prepared = tuple[str, tuple[str, ...]]
"""A compiled statement: its text, and its parameters in their order. A parameter may have its kind behind a colon."""


class Connection(ABC):
    """A driver's connection, in autocommit; transactions are begun by the engine.

    Args:
        driver: the driver's connection.
        schema: the name of the schema that the tables are in; empty where the engine has none.
        on_execute: called before each statement.

    Attributes:
        lost: whether a statement failed in a way that leaves the connection of no use.
        own: the own fields that it selects with a customer's row.
    """

    named: ClassVar[bool] = False
    """Whether parameters are sent by name, or in their order."""

    driver_error: ClassVar[type[Exception]]

    def __init__(self, driver: Any, schema: str, on_execute: Callable[[], None] | None = None) -> None:
        self.driver = driver
        self.schema = schema
        self.lost = False
        self.own = NO_OWN_FIELDS
        self._on_execute = on_execute

    # -- what an engine has to say -----------------------------------------------------------------

    @abstractmethod
    def statements(self) -> Mapping[str, Prepared]:
        """Return the statements that were compiled for this engine."""

    @abstractmethod
    def make_dialect(self) -> Dialect:
        """Return what compiles the others."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """Return a name as an identifier."""

    @abstractmethod
    def own_cell(self, field: Field, column: str) -> str:
        """Return an expression for a column of an own field: text, or a number, of which `own.from_cell` makes a value.

        Args:
            column: as it is named in the statement.
        """

    def own_value(self, field: Field, text: str | None) -> Any:
        """Return the value that an own field is set to, as the driver takes it.

        Args:
            text: as `own.field_text` returned it.
        """
        return text

    @abstractmethod
    def own_compared(self, field: Field, column: str) -> Compared:
        """Return how an own field is compared; arguments as for `own_cell`."""

    def own_operand(self, field: Field, text: str) -> Any:
        """Return a value that `own_compared` is compared with, as the driver takes it.

        Args:
            text: as `own.to_text` returned it, or as `own_cell` did.
        """
        return float(text) if field.kind == "float" else self.own_value(field, text)

    def place(self, name: str) -> str:
        """Return the place of a value in a statement."""
        return f"%({name})s" if self.named else "?"

    def bind(self, value: Any, kind: str) -> Any:
        """Return a value as the driver takes it."""
        return value

    def set_sizes(self, cursor: Any, kinds: Sequence[str], values: Sequence[Any]) -> None:  # noqa: B027 - most need not
        """Tell the driver of what types the parameters are, where it does not find out by itself."""

    def time_columns(self, description: Sequence[Any]) -> list[int]:
        """Return the numbers of the columns in which the driver returns times as `datetime`."""
        return []

    @abstractmethod
    def hits(self, sought: Sought) -> Hits:
        """Return the query of a page of a search for words, its rows in order."""

    @abstractmethod
    def part_hits(self, part: Part) -> Hits:
        """Return the query of a page of a search for a part of a field, in order; some rows may not hold it."""

    def is_lost(self, error: Exception) -> bool:
        """Tell whether an error leaves the connection of no use."""
        return False

    # -- statements --------------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        """What is said in SQLAlchemy Core, and compiles it."""
        made = self.__dict__.get("_dialect")
        if made is None:
            made = self.__dict__["_dialect"] = self.make_dialect()
        return made

    @property
    def closed(self) -> bool:
        """Whether it cannot be used any more."""
        return self.lost or bool(self.driver.closed)

    def qualified(self, table: str) -> str:
        """Return the name of a table as a statement has it."""
        return f"{self.quote(self.schema)}.{self.quote(table)}" if self.schema else self.quote(table)

    def text(self, name: str, columns: Sequence[str] = ()) -> Prepared:
        """Return a compiled statement for this connection's schema.

        Args:
            columns: those that it sets, where that depends on the call.
        """
        text, parameters = self.statements()[name]
        places = [self.place(_given(at)) for at in range(len(columns))]
        quoted = [self.quote(column) for column in columns]
        filled = {"columns": ", ".join(quoted), "values": ", ".join(places)}
        filled["set"] = ", ".join(f"{column}={place}" for column, place in zip(quoted, places, strict=True))
        filled["own"] = self._own_cells()
        if self.schema:
            filled["schema"] = self.quote(self.schema)
        if self.named and parameters:
            # A driver that takes parameters by name reads a percent sign as the beginning of one.
            filled.update(
                {key: filled[key].replace("%", "%%") for key in ("columns", "own", "schema") if key in filled}
            )
            names = (column.replace("%", "%%") for column in quoted)
            filled["set"] = ", ".join(f"{column}={place}" for column, place in zip(names, places, strict=True))
        if columns:
            at = parameters.index(DYNAMIC)
            parameters = (*parameters[:at], *map(_given, range(len(columns))), *parameters[at + 1 :])
        # In one pass: what stands in a name is no place for anything.
        return _PLACE.sub(lambda found: filled.get(found[1], found[0]), text), parameters

    def _own_cells(self) -> str:
        table = self.qualified(CUSTOMER)
        columns = ((field, self.quote(field.name)) for field in self.own.fields)
        return "".join(f", {self.own_cell(field, f'{table}.{name}')} AS {name}" for field, name in columns)

    def run(self, name: str, /, columns: Mapping[str, Any] | None = None, **values: Any) -> Result:
        """Run a statement that was compiled ahead of time.

        Args:
            name: the statement's.
            columns: the columns that it sets, where those depend on the call, and what they get.
            values: its other parameters.

        Raises:
            StatementError: it failed.
        """
        text, parameters = self.text(name, list(columns or ()))
        return self.send(text, parameters, {**values, **self.given(columns or {})})

    def run_found(self, found: Hits) -> Sequence[Row]:
        """Return the lane of each row that a search has hit, and what makes a customer of it, in order.

        Raises:
            StatementError: it failed.
        """
        text, _ = self.text("customer.found")
        if self.named:
            # Beside a parameter, a percent sign of a name is doubled.
            text = text.replace("%", "%%")
        return self.send(text.replace(HITS, found.text), found.parameters, found.values).all()

    def given(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of columns that a call names, by the parameters that `text` has for them."""
        found = {}
        for at, (column, value) in enumerate(columns.items()):
            field = self.own.by_name.get(column)
            found[_given(at)] = value if field is None else self.own_value(field, field_text(field, value))
        return found

    def execute(self, statement: Executable) -> Result:
        """Run a statement of SQLAlchemy Core.

        Raises:
            StatementError: it failed.
        """
        text, parameters, values = self.dialect.compiled(statement)
        return self.send(text, parameters, values)

    def send(self, text: str, parameters: Sequence[str] = (), values: Mapping[str, Any] | None = None) -> Result:
        """Run a statement as the driver takes it.

        Args:
            parameters: the names of the parameters, in their order, each with its kind behind a colon if it has one.
            values: by name.

        Raises:
            StatementError: it failed.
        """
        cursor = self.open(text, parameters, values)
        try:
            description = cursor.description
            if description is None:
                return Result((), cursor.rowcount, getattr(cursor, "lastrowid", None))
            rows = self._failing(text, cursor.fetchall)
            return Result(self.made(description, rows), cursor.rowcount)
        finally:
            cursor.close()

    def open(self, text: str, parameters: Sequence[str], values: Mapping[str, Any] | None) -> Any:
        """Run a statement and return the driver's cursor; see `send`."""
        pairs = [parameter.partition(":") for parameter in parameters]
        given = [self.bind((values or {})[name], kind) for name, _, kind in pairs]
        bound: Any = {name: value for (name, _, _), value in zip(pairs, given, strict=True)} if self.named else given
        if self._on_execute is not None:
            self._on_execute()
        cursor = self.driver.cursor()
        self.set_sizes(cursor, [kind for _, _, kind in pairs], given)
        try:
            self._failing(text, lambda: cursor.execute(text, bound) if pairs else cursor.execute(text))
        except StatementError:
            cursor.close()
            raise
        return cursor

    def stream(self, statement: Select[Any], size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query in lists of at most `size`, in constant memory."""
        text, parameters, values = self.dialect.compiled(statement)
        yield from self._stream(text, parameters, values, size)

    def run_stream(self, name: str, size: int, /, **values: Any) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query that was compiled ahead of time, as `stream` does."""
        text, parameters = self.text(name)
        yield from self._stream(text, parameters, values, size)

    def run_joined(
        self, joined: str, rows: str, size: int, width: int, /, *, after: int, **values: Any
    ) -> Iterator[Joined | list[tuple[Any, ...]]]:
        """Yield the rows of a query for text output, joined by the engine itself where it can do that exactly.

        Args:
            joined: the name of the statement that `Dialect.joined` made of it.
            rows: the name of its own; its first column is the table's key, and it is ordered by that.
            size: rows at a time.
            width: how many cells a row has.
            after: the key behind which it begins.
            values: its other parameters.
        """
        yield from self.run_stream(rows, size, after=after, **values)

    def _stream(
        self, text: str, parameters: Sequence[str], values: Mapping[str, Any], size: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self.open_stream(text, parameters, values)
        try:
            while rows := self.fetch(cursor, text, size):
                yield rows
        finally:
            cursor.close()

    def open_stream(self, text: str, parameters: Sequence[str], values: Mapping[str, Any]) -> Any:
        """Run a query and return a cursor that does not fetch all rows at once."""
        return self.open(text, parameters, values)

    def fetch(self, cursor: Any, text: str, size: int) -> list[tuple[Any, ...]]:
        """Return the next rows of a cursor, at most `size`, with times as text."""
        if self._on_execute is not None:
            self._on_execute()
        rows = self._failing(text, lambda: cursor.fetchmany(size))
        return self._with_times(cursor.description, rows)

    def made(self, description: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[Row]:
        """Return rows with their columns as attributes, and times as text."""
        make = _row_type(tuple(column[0] for column in description))
        return [make(row) for row in self._with_times(description, rows)]

    def _with_times(self, description: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[Any]:
        times = self.time_columns(description)
        if not times:
            return list(rows)
        changed = []
        for row in rows:
            cells = list(row)
            for at in times:
                if isinstance(cells[at], datetime):
                    cells[at] = format_time(cells[at])
            changed.append(tuple(cells))
        return changed

    def _failing(self, text: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except self.driver_error as error:
            self.lost = self.lost or self.is_lost(error)
            raise StatementError(error, text) from error

    def commit(self) -> None:
        """Commit what is open."""
        self.driver.commit()

    def rollback(self) -> None:
        """Undo what is open."""
        self.driver.rollback()

    def close(self) -> None:
        """Close the driver's connection."""
        self.driver.close()
