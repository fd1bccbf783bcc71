"""Finding a customer's row, and making a customer of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from custctl.customers.model import FIELDS, Customer
from custctl.customers.versions import Version
from custctl.schema.standing import parse_epoch

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection, Row


def to_customer(database: Database, row: Sequence[Any]) -> Customer:
    """Make a `Customer` of a row of `statements.columns()`."""
    return make_customer(database, row, parse_epoch(row[-1]))


def make_customer(database: Database, row: Sequence[Any], epoch: int) -> Customer:
    """Make a `Customer` of a row that begins with `statements.own_columns()`, read in the epoch's own transaction."""
    values = dict(zip(FIELDS, row, strict=False))
    values["version"] = str(Version(epoch, database.encode_version(values["version"])))
    return Customer(**values)


def look_up(connection: Connection, statement: str, who: int | str) -> Row | None:
    """Return the row that a statement finds for a customer named by id or email, if any.

    Args:
        statement: the beginning of its name, which ends in `_by_id` or `_by_email`.
        who: as `naming.parse_who` returned it.
    """
    return connection.run(f"{statement}by_{'id' if isinstance(who, int) else 'email'}", who=who).one_or_none()
