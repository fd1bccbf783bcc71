"""Naming a customer, and making one of a row."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from custctl.customers.model import FIELDS, Customer
from custctl.customers.versions import Version
from custctl.errors import NotFoundError, UsageError
from custctl.standing import epoch_query, parse_epoch
from custctl.tables import customer

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row

    from custctl.engines.base import Database

_MAX_ID = 2**63 - 1
_SHOWN = 100  # characters of what was asked for that a message repeats


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


def parse_who(who: str) -> int | str:
    """Return the id, or the email in the form in which it is kept.

    An id that no row can have is one of its own: it names nobody.

    Raises:
        UsageError: the text is neither.
    """
    from custctl.customers.emails import normalise_email

    text = check_text(who, "WHO").strip()
    if "@" in text:
        return normalise_email(text)
    if text.isascii() and text.isdigit():
        # Python refuses to read thousands of digits.
        return min(int(text.lstrip("0")[:20] or "0"), _MAX_ID)
    raise UsageError(
        f"`{who}` is neither an id nor an email", hint=f"look for it with `custctl customer search {shlex.quote(who)}`"
    )


def check_text(text: str, what: str) -> str:
    """Return a text from the command line if a database can be asked for it.

    Raises:
        UsageError: bytes that are no UTF-8 came in as lone surrogates, or NUL, which not every engine takes.
    """
    if any("\ud800" <= char <= "\udfff" or char == "\0" for char in text):
        raise UsageError(f"{what} is not valid text: `{text}`", hint="give it in UTF-8")
    return text


def not_found(who: str) -> NotFoundError:
    """Return the error for a customer that is not there."""
    shown = who if len(who) <= _SHOWN else f"{who[:_SHOWN]}…"
    return NotFoundError(f"there is no customer {shown}", hint="look for it with `custctl customer search`")
