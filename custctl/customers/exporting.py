"""Exporting customers as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from custctl.customers.conflicts import FieldsChangedError, check_fields
from custctl.customers.model import FIELDS, Customer
from custctl.customers.naming import BEFORE_ALL
from custctl.customers.versions import Version
from custctl.engines.connection import Connection
from custctl.engines.results import CELL_END, Joined, joined_rows
from custctl.schema.own import OwnFields, Value, from_cell
from custctl.schema.standing import check_schema, read_standing
from custctl.support.cells import cell_text
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.customers.queries import ListQuery
    from custctl.engines.base import Database

_BLOCK = 2000  # rows per fetch

Block = Joined | list[tuple[Any, ...]]
B = TypeVar("B", bound=Block)


@dataclass(frozen=True, slots=True)
class Export:
    """All customers by id, or those of a list, in one consistent state.

    If a replica fails midway, the rest is read from another node after the last id, in a later state: no row that
    existed all the time is missing, and none occurs twice.

    Attributes:
        own: the company's own fields.
    """

    _database: Database
    own: OwnFields
    _query: ListQuery | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of each row: `FIELDS`, then the own fields."""
        return (*FIELDS, *self.own.names)

    def count(self) -> int:
        """Return the current number of customers; a server scans the whole table for it."""
        if self._query is not None:
            from custctl.customers.counting import count

            return count(self._database, self._query)
        return self._database.read(lambda connection: int(connection.run("customer.count").scalar()))

    def rows(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows in blocks.

        Raises:
            FieldsChangedError: the database's own fields have changed meanwhile.
        """
        return self._blocks(self._read_rows) if self._query is None else self._filtered(self._query)

    def _filtered(self, query: ListQuery) -> Iterator[list[tuple[Any, ...]]]:
        from custctl.customers.pages import read_all

        found = read_all(self._database, query)
        while block := list(islice(found, _BLOCK)):
            if any(tuple(each.own) != self.own.names for each in block):
                raise FieldsChangedError
            yield [tuple(each.as_dict().values()) for each in block]

    def joined(self) -> Iterator[Block]:
        """Yield the rows in blocks for text output, joined by the engine if it can; raises as `rows` does."""
        if self._query is not None:
            return self.rows()

        def read(connection: Connection, after: int, prefix: str) -> Iterator[Block]:
            if self.own.fields:
                return self._read_texts(connection, after, prefix)
            names = ("customer.export_joined", "customer.export")
            return connection.run_joined(*names, _BLOCK, len(FIELDS), after=after, prefix=prefix)

        return self._blocks(read)

    def _read_rows(self, connection: Connection, after: int, prefix: str) -> Iterator[list[tuple[Any, ...]]]:
        width, own = len(FIELDS), self.own.fields
        for block in connection.run_stream("customer.export", _BLOCK, after=after, prefix=prefix):
            yield [(*row[:width], *map(from_cell, own, row[width:])) for row in block] if own else block

    def _read_texts(self, connection: Connection, after: int, prefix: str) -> Iterator[Block]:
        width = len(FIELDS)
        for block in self._read_rows(connection, after, prefix):
            rows = [(*row[:width], *map(_cell, row[width:])) for row in block]
            yield _joined(rows) or rows

    def _blocks(self, read: Callable[[Connection, int, str], Iterator[B]]) -> Iterator[B]:
        last = BEFORE_ALL
        while True:
            try:
                with self._database.reading(snapshot=True, replica=True) as connection:
                    standing = read_standing(connection)
                    self._database.learn(connection, standing.own_fields)
                    check_fields(self.own, connection.own)
                    for block in read(connection, last, str(Version(standing.epoch, ""))):
                        last = _last_id(block)
                        yield block
                return
            except CustctlError as error:
                if not self._database.pass_over(error, midway=last != BEFORE_ALL):
                    raise


def _cell(value: Value) -> str | float:
    """Return a value as a cell of text; numbers as they are."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else cell_text(value)


def _joined(rows: list[tuple[Any, ...]]) -> Joined | None:
    """Return rows joined as an engine joins them; None if the output could differ.

    That is the case for a text with a control character, and for one that may be a negative number or a formula.
    """
    if any(type(cell) in (int, float) and cell < 0 for row in rows for cell in row):
        return None
    lines = (CELL_END.join(["" if cell is None else str(cell) for cell in row]) for row in rows)
    try:
        return joined_rows("\n".join(lines).encode(), len(rows), len(rows[0]))
    except UnicodeEncodeError:
        return None


def _last_id(block: Block) -> int:
    if isinstance(block, Joined):
        _, _, row = block.data.rpartition(b"\n")
        return int(row.partition(CELL_END.encode())[0])
    return int(block[-1][0])


def export_all(database: Database, query: ListQuery | None = None) -> Export:
    """Prepare the export of all customers, or of those of a list, in order of id.

    Raises:
        PendingError: the schema is missing or too old.
    """

    def look(connection: Connection) -> OwnFields:
        standing = read_standing(connection)
        check_schema(standing)
        database.learn(connection, standing.own_fields)
        return database.own

    return Export(database, database.read(look), query)


def exported_customer(row: Sequence[Any], own: OwnFields) -> Customer:
    """Return the customer of a row that `Export.rows` yielded."""
    ours: dict[str, Any] = dict(zip(FIELDS, row, strict=False))
    return Customer(**ours, own=dict(zip(own.names, row[len(FIELDS) :], strict=True)))
