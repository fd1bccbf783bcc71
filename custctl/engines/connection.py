"""The connection on which the program's own statements run.

Fixed statements are compiled ahead of time, from SQLAlchemy Core into each engine's `statements.py`. `run` sends them
by name without loading SQLAlchemy, whose import takes longer than most commands. Statements built at run time go
through `execute`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from custctl.engines.results import Joined, Result, Row, row_type
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
"""Placeholder in a compiled statement for the quoted name of the profile's schema."""

HITS = "{hits}"
"""Placeholder in a compiled statement for the query of a search's hits; `run_found` fills it in."""

DYNAMIC = "*"
"""Placeholder among a compiled statement's parameters for the columns that a call names."""


def _given(at: int) -> str:
    """Return a parameter name for a column that a call names; the column's own name may contain any character."""
    return f"given_{at}"


class Compared(NamedTuple):
    """How to compare and sort an own field's column in the same way on every engine.

    Attributes:
        rank: the expression that is compared: text by code point, numbers, times.
        type: the type that a value is cast to first; empty means no cast.
        seek: the cast type with which comparing the column itself gives the same equality as `rank`, if an index can
            serve that.
    """

    rank: str
    type: str = ""
    seek: str | None = None


Prepared = tuple[str, tuple[str, ...]]
"""A compiled statement: its text, and its parameters in order. A parameter may be followed by a colon and its kind."""


class Connection(ABC):
    """A driver's connection, in autocommit; the engine begins transactions.

    Args:
        driver: the driver's connection.
        schema: the schema of the tables; empty if the engine has none.
        on_execute: called before each statement.

    Attributes:
        lost: whether a statement failed in a way that makes the connection unusable.
        own: the own fields that it selects with a customer's row.
    """

    named: ClassVar[bool] = False
    """Whether parameters are sent by name rather than by position."""

    driver_error: ClassVar[type[Exception]]

    def __init__(self, driver: Any, schema: str, on_execute: Callable[[], None] | None = None) -> None:
        self.driver = driver
        self.schema = schema
        self.lost = False
        self.own = NO_OWN_FIELDS
        self._on_execute = on_execute

    # -- what an engine implements -----------------------------------------------------------------

    @abstractmethod
    def statements(self) -> Mapping[str, Prepared]:
        """Return the statements compiled for this engine."""

    @abstractmethod
    def make_dialect(self) -> Dialect:
        """Return the dialect that compiles statements at run time."""

    @abstractmethod
    def quote(self, name: str) -> str:
        """Quote a name as an identifier."""

    @abstractmethod
    def own_cell(self, field: Field, column: str) -> str:
        """Return an expression for an own field's column: text or a number, which `own.from_cell` converts to a value.

        Args:
            column: the column's name in the statement.
        """

    def own_value(self, field: Field, text: str | None) -> Any:
        """Return the value of an own field in the form that the driver accepts.

        Args:
            text: the value, as `own.field_text` returned it.
        """
        return text

    @abstractmethod
    def own_compared(self, field: Field, column: str) -> Compared:
        """Return how an own field is compared; arguments as for `own_cell`."""

    def own_operand(self, field: Field, text: str) -> Any:
        """Return a value to compare with `own_compared`, in the form that the driver accepts.

        Args:
            text: the value, as `own.to_text` or `own_cell` returned it.
        """
        return float(text) if field.kind == "float" else self.own_value(field, text)

    def place(self, name: str) -> str:
        """Return the placeholder of a parameter."""
        return f"%({name})s" if self.named else "?"

    def bind(self, value: Any, kind: str) -> Any:
        """Return a value in the form that the driver accepts."""
        return value

    def set_sizes(self, cursor: Any, kinds: Sequence[str], values: Sequence[Any]) -> None:  # noqa: B027 - most need not
        """Tell the driver the types of the parameters, if it does not find out by itself."""

    def time_columns(self, description: Sequence[Any]) -> list[int]:
        """Return the indexes of the columns that the driver returns as `datetime`."""
        return []

    @abstractmethod
    def hits(self, sought: Sought) -> Hits:
        """Return the query for a page of a search for words, in order."""

    @abstractmethod
    def part_hits(self, part: Part) -> Hits:
        """Return the query for a page of a search for a part of a field, in order; some rows may not match."""

    def is_lost(self, error: Exception) -> bool:
        """Tell whether an error makes the connection unusable."""
        return False

    # -- statements --------------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        """The engine's dialect, which builds and compiles SQLAlchemy Core statements."""
        made = self.__dict__.get("_dialect")
        if made is None:
            made = self.__dict__["_dialect"] = self.make_dialect()
        return made

    @property
    def closed(self) -> bool:
        """Whether the connection can no longer be used."""
        return self.lost or bool(self.driver.closed)

    def qualified(self, table: str) -> str:
        """Return the quoted name of a table, with its schema if there is one."""
        return f"{self.quote(self.schema)}.{self.quote(table)}" if self.schema else self.quote(table)

    def text(self, name: str, columns: Sequence[str] = ()) -> Prepared:
        """Return a compiled statement for this connection's schema.

        Args:
            columns: the columns that it sets, if that depends on the call.
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
            # A driver with named parameters reads a percent sign as the start of one.
            filled.update(
                {key: filled[key].replace("%", "%%") for key in ("columns", "own", "schema") if key in filled}
            )
            names = (column.replace("%", "%%") for column in quoted)
            filled["set"] = ", ".join(f"{column}={place}" for column, place in zip(names, places, strict=True))
        if columns:
            at = parameters.index(DYNAMIC)
            parameters = (*parameters[:at], *map(_given, range(len(columns))), *parameters[at + 1 :])
        # In one pass, so that a placeholder inside a name is not replaced.
        return _PLACE.sub(lambda found: filled.get(found[1], found[0]), text), parameters

    def _own_cells(self) -> str:
        table = self.quote(CUSTOMER)
        columns = ((field, self.quote(field.name)) for field in self.own.fields)
        return "".join(f", {self.own_cell(field, f'{table}.{name}')} AS {name}" for field, name in columns)

    def run(self, name: str, /, columns: Mapping[str, Any] | None = None, **values: Any) -> Result:
        """Run a statement that was compiled ahead of time.

        Args:
            name: the statement's name.
            columns: the columns that it sets and their values, if those depend on the call.
            values: its other parameters.

        Raises:
            StatementError: it failed.
        """
        text, parameters = self.text(name, list(columns or ()))
        return self.send(text, parameters, {**values, **self.given(columns or {})})

    def run_found(self, found: Hits) -> Sequence[Row]:
        """Return the lane and the customer's columns of each search hit, in order.

        Raises:
            StatementError: it failed.
        """
        text, _ = self.text("customer.found")
        if self.named:
            # The driver takes named parameters, so a percent sign in a name must be doubled.
            text = text.replace("%", "%%")
        return self.send(text.replace(HITS, found.text), found.parameters, found.values).all()

    def given(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of columns that a call names, by the names of their parameters in `text`."""
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
        """Run a statement in the driver's own SQL.

        Args:
            text: the statement.
            parameters: the names of its parameters, in order, each followed by a colon and its kind if it has one.
            values: the values, by name.

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
        """Yield the rows of a query for text output; the engine joins them if it can do so exactly.

        Args:
            joined: the name of the statement that `Dialect.joined` made from the query.
            rows: the name of the query itself; its first column is the table's key, and it is ordered by that.
            size: rows at a time.
            width: how many cells a row has.
            after: rows start after this key.
            values: the query's other parameters.
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
        """Return the next rows of a cursor, at most `size`, with times converted to text."""
        if self._on_execute is not None:
            self._on_execute()
        rows = self._failing(text, lambda: cursor.fetchmany(size))
        return self._with_times(cursor.description, rows)

    def made(self, description: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[Row]:
        """Convert rows to `Row`, with times as text."""
        make = row_type(tuple(column[0] for column in description))
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
        """Commit the open transaction."""
        self.driver.commit()

    def rollback(self) -> None:
        """Roll back the open transaction."""
        self.driver.rollback()

    def close(self) -> None:
        """Close the driver's connection."""
        self.driver.close()
