"""Exporting all customers as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from custctl.customers.model import FIELDS
from custctl.standing import check_schema, read_standing
from custctl.tables import customer

if TYPE_CHECKING:
    from custctl.engines.base import Database

_BLOCK = 2000  # rows at a time


@contextmanager
def exported(database: Database) -> Iterator[tuple[int, Iterator[list[tuple[Any, ...]]]]]:
    """Open one consistent state of all customers.

    Returns:
        How many there are, and their rows by id in blocks, with the columns of `FIELDS`.
    """
    with database.reading() as connection:
        standing = read_standing(connection)
        check_schema(standing)
        count = connection.execute(sa.select(sa.func.count()).select_from(customer)).scalar()
        version = sa.literal(f"e{standing.epoch}-").concat(database.version_text(customer.c.version))
        selected = [version if name == "version" else customer.c[name] for name in FIELDS]
        statement = sa.select(*selected).order_by(customer.c.id)
        yield int(count or 0), database.stream(connection, statement, _BLOCK)
