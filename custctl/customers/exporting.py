"""Exporting all customers as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from custctl.customers.model import FIELDS
from custctl.engines.connection import CELL_END, Connection, Joined
from custctl.schema.standing import check_schema, read_standing
from custctl.schema.tables import customer
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from sqlalchemy import Select

    from custctl.engines.base import Database

_BLOCK = 2000  # rows at a time

Block = Joined | list[tuple[Any, ...]]
B = TypeVar("B", bound=Block)


@dataclass(frozen=True, slots=True)
class Export:
    """All customers by id, with the columns of `FIELDS`, in one consistent state.

    Where a replica fails midway, the rest is read elsewhere behind the last id, and is of a later state: no row is
    missing that was there all the time, and none comes twice.

    Attributes:
        count: how many there were a moment before.
    """

    count: int
    _database: Database

    def rows(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows in blocks."""
        return self._blocks(lambda connection, statement: connection.stream(statement, _BLOCK))

    def joined(self) -> Iterator[Block]:
        """Yield the rows in blocks for text output, joined where the engine can."""
        return self._blocks(lambda connection, statement: connection.stream_joined(statement, _BLOCK))

    def _blocks(self, stream: Callable[[Connection, Select[Any]], Iterator[B]]) -> Iterator[B]:
        last: int | None = None
        while True:
            try:
                with self._database.reading(snapshot=True, replica=True) as connection:
                    for block in stream(connection, self._statement(connection, last)):
                        last = _last_id(block)
                        yield block
                return
            except CustctlError as error:
                if not self._database.pass_over(error, midway=last is not None):
                    raise

    def _statement(self, connection: Connection, last: int | None) -> Select[Any]:
        epoch = read_standing(connection).epoch
        version = connection.dialect.version_text(customer.c.version, f"e{epoch}-")
        selected = [version if name == "version" else customer.c[name] for name in FIELDS]
        behind = [] if last is None else [customer.c.id > last]
        return sa.select(*selected).where(*behind).order_by(customer.c.id)


def _last_id(block: Block) -> int:
    if isinstance(block, Joined):
        _, _, row = block.data.rpartition(b"\n")
        return int(row.partition(CELL_END.encode())[0])
    return int(block[-1][0])


def export_all(database: Database) -> Export:
    """Prepare the export of all customers.

    Raises:
        PendingError: the schema is not there or too old.
    """

    def count(connection: Connection) -> int:
        check_schema(read_standing(connection))
        return int(connection.run("customer.count").scalar())

    return Export(database.read(count), database)
