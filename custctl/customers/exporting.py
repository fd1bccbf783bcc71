"""Exporting all customers as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from custctl.customers.model import FIELDS
from custctl.standing import check_schema, read_standing
from custctl.tables import customer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from custctl.engines.base import Database, Joined

_BLOCK = 2000  # rows at a time


@dataclass(frozen=True, slots=True)
class Export:
    """One consistent state of all customers, by id, with the columns of `FIELDS`."""

    count: int
    _database: Database
    _connection: Connection
    _statement: Select[Any]

    def rows(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows in blocks."""
        return self._database.stream(self._connection, self._statement, _BLOCK)

    def joined(self) -> Iterator[Joined | list[tuple[Any, ...]]]:
        """Yield the rows in blocks for text output, joined where the engine can."""
        return self._database.stream_joined(self._connection, self._statement, _BLOCK)


@contextmanager
def exported(database: Database) -> Iterator[Export]:
    """Open one consistent state of all customers.

    Raises:
        PendingError: the schema is not there or too old.
    """
    with database.reading(snapshot=True) as connection:
        standing = read_standing(connection)
        check_schema(standing)
        count = connection.execute(sa.select(sa.func.count()).select_from(customer)).scalar()
        version = database.version_text(customer.c.version, f"e{standing.epoch}-")
        selected = [version if name == "version" else customer.c[name] for name in FIELDS]
        statement = sa.select(*selected).order_by(customer.c.id)
        yield Export(int(count or 0), database, connection, statement)
