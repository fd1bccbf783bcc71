"""Conditions on fields, such as `points>=100`: parsed, checked by the field's type, and turned into SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from custctl.customers.emails import normalise_email
from custctl.customers.model import FIELDS, STATUSES
from custctl.customers.naming import check_text
from custctl.customers.own_values import own_value
from custctl.customers.rules import clean_text
from custctl.engines.dialect import Native
from custctl.schema.names import CUSTOMER
from custctl.schema.own import Field, Kind, OwnFields, Value, to_text
from custctl.schema.shape import served
from custctl.schema.sqltypes import text as text_type
from custctl.schema.tables import customer
from custctl.support.errors import InvalidError, UsageError
from custctl.support.fieldnames import split_quoted, suggestion

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from custctl.engines.base import Database
    from custctl.engines.connection import Compared, Connection

_COMPARISON: Final = r"(!=|>=|<=|=|>|<|~)(.*)"
_FORM: Final = re.compile(rf"(.+?){_COMPARISON}", re.DOTALL)
_QUOTED_FORM: Final = re.compile(rf"(){_COMPARISON}", re.DOTALL)  # behind a name in quotes
_EQUAL: Final = ("=", "!=", "?")
_ORDERED: Final = (*_EQUAL, ">", ">=", "<", "<=")
_OPERATORS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "text": (*_ORDERED, "~"),
    **dict.fromkeys(("integer", "decimal", "float", "date", "timestamp"), _ORDERED),
    **dict.fromkeys(("boolean", "uuid", "json"), _EQUAL),
    "other": ("?",),
}
_TIMES: Final = ("created_at", "updated_at")
_OURS: Final[Mapping[str, Field]] = {
    **{name: Field(name, "text", "text") for name in FIELDS},
    "id": Field("id", "integer", "a number", low=-(1 << 63) + 1, high=(1 << 63) - 1),
    **{name: Field(name, "timestamp", "a time") for name in _TIMES},
    "version": Field("version", "other", "opaque"),
}
_FRACTION: Final = re.compile(r"\.(\d+)")
_KEPT_DIGITS: Final = 6  # of a second, in a company's own times; the product's times have three
_SHORT: Final = 1000  # characters up to which a text is bound as a short one
_LONGEST_PART: Final = 1000
"""Maximum characters of a text that `~` looks for: a server needs minutes to compile a pattern of many thousands."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a field.

    Attributes:
        operator: `=`, `!=`, `>`, `>=`, `<`, `<=`; `~` for contains, ignoring case and accents; `?` for has a value.
        value: as typed; empty for no value.
    """

    field: str
    operator: str
    value: str = ""


def parse_condition(text: str) -> Condition:
    """Parse a condition.

    Raises:
        UsageError: not a condition.
    """
    text = check_text(text, "the condition")
    quoted, rest = split_quoted(text, "=!<>~?")
    found = _QUOTED_FORM.fullmatch(rest) if quoted else _FORM.fullmatch(rest)
    if found is not None:
        name, operator, value = found.groups()
    else:
        name, operator, value = rest.removesuffix("?"), "?", ""
    name = quoted or name.strip()
    if not name or (found is None and rest != "?" and (quoted or not rest.endswith("?"))):
        raise UsageError(
            f"`{text}` is not a condition",
            hint="such as `country=Austria`, `created_at>=2026-01-01`, `company~labs` or `phone?`",
        )
    return Condition(name, operator, value)


def mistaken_operators(conditions: Iterable[str]) -> list[str]:
    """Return a note on each condition whose value begins like the rest of a longer operator, such as `country==X`."""
    return [
        f"`{text}` compares with the value `{parsed.value.strip()}`: what follows `{parsed.operator}` is the value"
        for text in conditions
        if (parsed := parse_condition(text)).value.startswith(("=", "<", ">", "~"))
    ]


def find_field(name: str, own: OwnFields, *, to: str) -> Field:
    """Return a field by name.

    Args:
        to: what the field is for, as a message says it.

    Raises:
        UsageError: no such field.
    """
    field = _OURS.get(name) or own.by_name.get(name)
    if field is None:
        raise UsageError(f"there is no field `{name}` to {to} by", hint=suggestion(name, (*FIELDS, *own.names)))
    return field


def check_ordered(name: str, own: OwnFields, *, to: str) -> Field:
    """Return a field that customers can be sorted or grouped by; arguments as for `find_field`.

    Raises:
        UsageError: no such field, or customers cannot be sorted or grouped by it.
    """
    field = find_field(name, own, to=to)
    if name not in FIELDS and field.kind in ("json", "other"):
        raise UsageError(f"cannot {to} by `{name}`: it is {field.native}")
    return field


def check_condition(condition: Condition, own: OwnFields) -> Value:
    """Return a condition's value in its stored form; None for no value.

    Raises:
        UsageError: no such field, or it does not support this operator.
        InvalidError: the value does not have the field's type.
    """
    name, operator = condition.field, condition.operator
    field = find_field(name, own, to="filter")
    allowed = () if name == "version" else _OPERATORS[field.kind]
    if operator not in allowed:
        shown = ", ".join(f"`{each}`" for each in allowed)
        raise UsageError(
            f"`{name}` cannot be compared with `{operator}`: it is {field.native}",
            hint=f"use {shown}" if shown else None,
        )
    if operator == "?":
        return None
    try:
        value = _value(field, condition.value)
        if value is None and operator not in ("=", "!="):
            raise ValueError(f"needs a value after `{operator}`")
        if operator == "~" and len(str(value)) > _LONGEST_PART:
            raise ValueError(f"cannot be searched for more than {_LONGEST_PART} characters")
    except ValueError as error:
        raise InvalidError(f"`{name}` {error}", details={"fields": {name: str(error)}}) from None
    if name == "status" and operator in ("=", "!=") and value not in STATUSES:
        raise InvalidError(f"there is no status `{condition.value}`", hint=f"one of {', '.join(STATUSES)}")
    return value


def _value(field: Field, text: str) -> Value:
    """Return the value to compare with.

    Raises:
        ValueError: it does not have the field's type; the message continues a sentence that begins with the field's
            name.
    """
    if field.kind == "text":
        # Any length is allowed: a value need not fit into the column to be compared with it.
        value = clean_text(text)
        return normalise_email(value) if value is not None and field is _OURS["email"] else value
    # A computed field can be compared too, and a time with digits that its column would round.
    precision = None if field.kind == "timestamp" else field.precision
    kept = own_value(field._replace(settable=True, nullable=True, precision=precision), text, clean_text)
    if field.kind == "timestamp" and kept is not None:
        digits = 3 if field.name in _TIMES else _KEPT_DIGITS
        fraction = _FRACTION.search(str(kept))
        if fraction is not None and len(fraction[1]) > digits:
            raise ValueError(f"has more than {digits} decimal places in the seconds")
    elif field.kind == "decimal" and kept not in (None, text.strip()):
        from decimal import Decimal

        # Rounding the value would find other rows than requested.
        if Decimal(str(kept)) != Decimal(text.strip()):
            raise ValueError(f"has more than {field.scale} digits after the point")
    return kept


def unserved(database: Database, connection: Connection, conditions: Iterable[str]) -> tuple[str, ...]:
    """Return the conditions' fields that no index serves; empty if an index serves any of the conditions."""
    parsed = [parse_condition(text) for text in conditions]
    columns = served(database.read_shape(connection), CUSTOMER) if parsed else set()
    if any(each.field in columns and each.operator not in ("~", "?", "!=") for each in parsed):
        return ()
    return tuple(dict.fromkeys(each.field for each in parsed))


# -- SQL -------------------------------------------------------------------------------------------


class OwnColumn:
    """The column of an own field, as a connection compares it.

    Attributes:
        column: the column itself.
        rank: what is compared and sorted.
    """

    def __init__(self, connection: Connection, field: Field) -> None:
        place = f"{connection.quote(CUSTOMER)}.{connection.quote(field.name)}"
        self._connection, self._field = connection, field
        self._compared: Compared = connection.own_compared(field, place)
        self.is_text = field.kind in ("text", "uuid", "json") and not self._compared.type
        kind: Any = sa.UnicodeText() if self.is_text else sa.types.NullType()
        self.column: ColumnElement[Any] = sa.literal_column(place)
        self.rank: ColumnElement[Any] = sa.literal_column(self._compared.rank, kind)
        self.cell: ColumnElement[Any] = sa.literal_column(connection.own_cell(field, place))

    def operand(self, text: str) -> ColumnElement[Any]:
        """Return a value to compare `rank` with."""
        value = self._connection.own_operand(self._field, text)
        return self._cast(value, self._compared.type)

    def equals(self, text: str) -> ColumnElement[bool]:
        """Return the condition that the field equals a value."""
        found: ColumnElement[bool] = self.rank == self.operand(text)
        if self._compared.seek is None:
            return found
        # An index on the column serves this part; the other part decides.
        return sa.and_(self.column == self._cast(text, self._compared.seek), found)

    def key(self, text: str) -> ColumnElement[Any]:
        """Return the value of a cursor, as `cell` showed it.

        Raises:
            ValueError: no row of the field can have it.
        """
        if self._compared.type:
            own_value(self._field._replace(settable=True), text, clean_text)
        return self.operand(text)

    @staticmethod
    def _cast(value: Any, native: str) -> ColumnElement[Any]:
        kind = None
        if isinstance(value, str):
            kind = text_type(_SHORT) if len(value) <= _SHORT else text_type()
        bound: ColumnElement[Any] = sa.bindparam(None, value, type_=kind, unique=True)
        return sa.cast(bound, Native(native)) if native else bound


def where(connection: Connection, conditions: Iterable[str]) -> list[ColumnElement[bool]]:
    """Return conditions in SQL, on the fields that a connection knows.

    Raises:
        UsageError, InvalidError: as `parse_condition` and `check_condition`.
    """
    return [_sql(connection, parse_condition(text)) for text in conditions]


def _sql(connection: Connection, condition: Condition) -> ColumnElement[bool]:
    value = check_condition(condition, connection.own)
    name, operator, dialect = condition.field, condition.operator, connection.dialect
    own = OwnColumn(connection, connection.own.by_name[name]) if name not in FIELDS else None
    column = customer.c[name] if own is None else own.column
    if operator == "?" or (value is None and operator == "!="):
        return column.is_not(None)
    if value is None:
        return column.is_(None)
    if operator == "~":
        return dialect.holds(column if own is None else own.cell, str(value))
    if operator in ("=", "!="):
        equal = column == value if own is None else own.equals(to_text(value) or "")
        # Everything else is unequal, including no value.
        return equal if operator == "=" else sa.or_(column.is_(None), sa.not_(equal))
    if own is None:
        return dialect.compared(column, operator, sa.bindparam(None, value, type_=column.type, unique=True))
    return dialect.compared(own.rank, operator, own.operand(to_text(value) or ""))
