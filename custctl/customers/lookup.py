"""Finding a customer's row, and making a customer of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from custctl.customers.model import FIELDS, Customer
from custctl.customers.naming import parse_who
from custctl.customers.versions import Version
from custctl.schema.standing import epoch_query, parse_epoch
from custctl.schema.tables import customer

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row

    from custctl.engines.base import Database


def own_columns() -> list[ColumnElement[Any]]:
    """Return the columns of a `Customer`, the id first."""
    return [customer.c[name] for name in FIELDS]


def columns() -> list[ColumnElement[Any]]:
    """Return what is selected to make a `Customer`: its columns and the epoch, in one statement."""
    return [*own_columns(), epoch_query().label("epoch")]


def to_customer(database: Database, row: Row[Any]) -> Customer:
    """Make a `Customer` of a row of `columns()`."""
    return make_customer(database, row, parse_epoch(row[-1]))


def make_customer(database: Database, row: Row[Any], epoch: int) -> Customer:
    """Make a `Customer` of a row that begins with `own_columns()`, read in the epoch's own transaction."""
    values = dict(zip(FIELDS, row, strict=False))
    values["version"] = str(Version(epoch, database.encode_version(values["version"])))
    return Customer(**values)


def who_is(who: str) -> ColumnElement[bool]:
    """Return the condition that names a customer by id or email.

    Raises:
        UsageError: the text is neither.
    """
    name = parse_who(who)
    return customer.c.id == name if isinstance(name, int) else customer.c.email == name
