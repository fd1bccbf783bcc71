"""Pseudonyms: made-up values for a copy of production, computed by SQL expressions from a row's id and a key.

Different rows get different numbers: `id -> (a * id + b) mod p` is a bijection below the prime p, with a and b from the
key. The key is random and is deleted at the end, so that nobody can tell afterwards what a value was made from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from custctl.schema.statements import fixed
from custctl.schema.tables import customer

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table

    from custctl.engines.connection import Connection
    from custctl.schema.own import Field

_PRIME: Final = 2**31 - 1
_DOMAIN: Final = "example.com"  # RFC 2606: mail to it reaches nobody
_FIRST: Final = (
    "Ada", "Alan", "Barbara", "Claude", "Donald", "Edith", "Emmy", "Frances", "Grace", "Hedy", "Ida", "Jean", "Joan",
    "Karen", "Kurt", "Leslie", "Lise", "Margaret", "Maria", "Niels", "Otto", "Radia", "Rosa", "Sophie",
)  # fmt: skip
_LAST: Final = (
    "Adler", "Becker", "Clarke", "Dubois", "Evans", "Fischer", "Garcia", "Hansen", "Ivanova", "Jansen", "Keller",
    "Larsen", "Moreau", "Novak", "Olsen", "Peeters", "Quinn", "Rossi", "Schmidt", "Tanaka", "Ulrich", "Varga", "Weber",
    "Young",
)  # fmt: skip
_STREETS: Final = ("Birch Road", "Church Lane", "Elm Street", "High Street", "Mill Lane", "Oak Avenue", "Park Road")
_CITIES: Final = (
    "Ashford",
    "Brookfield",
    "Clifton",
    "Fairview",
    "Greenville",
    "Kingston",
    "Milton",
    "Newport",
    "Oakdale",
)
_DAYS: Final = tuple(f"19{year}-{month:02d}-{1 + year % 28:02d}" for year in range(50, 98, 3) for month in (2, 9))


def email_prefix(key: str) -> str:
    """Return the prefix of the emails made with a key."""
    return f"p{key}."


def values(connection: Connection, key: str, own: Sequence[Field]) -> tuple[Table, dict[str, Any]]:
    """Return the table with a column for each own field, and an expression for each column to replace.

    Empty values stay empty; a text of an own field does not become longer.

    Args:
        key: hexadecimal digits.
        own: the own fields that are personal and can be set.
    """
    table = customer.to_metadata(sa.MetaData())
    for field in own:
        table.append_column(sa.Column(field.name, sa.Unicode))
    number = _Numbers(table.c.id, key)
    last = number.word("last_name", _LAST)
    found: dict[str, Any] = {
        "email": fixed(email_prefix(key)).concat(_text(table.c.id)).concat(fixed(f"@{_DOMAIN}")),
        "first_name": number.word("first_name", _FIRST),
        "last_name": last,
    }
    optional = {
        "phone": fixed("+999 ").concat(_text(number.of("phone") % _number(900_000_000) + _number(100_000_000))),
        "company": number.word("company", _LAST).concat(fixed(" Ltd")),
        "address_line": _text(number.of("house") % _number(200) + _number(1))
        .concat(fixed(" "))
        .concat(number.word("street", _STREETS)),
        "city": number.word("city", _CITIES),
        "region": fixed("Region ").concat(_text(number.of("region") % _number(50) + _number(1))),
        "postal_code": _text(number.of("postal_code") % _number(90_000) + _number(10_000)),
    }
    for field in own:
        optional[field.name] = _own(connection, number, table, field)
    for name, value in optional.items():
        found[name] = sa.case((table.c[name].is_(None), sa.null()), else_=value)
    return table, found


class _Numbers:
    """Numbers that depend only on the row and the key.

    Args:
        identity: the column of the row's id.
    """

    def __init__(self, identity: ColumnElement[Any], key: str) -> None:
        self._identity = identity
        self._key = key

    def of(self, purpose: str) -> ColumnElement[Any]:
        """Return a number from 0 to `_PRIME` - 1, different for each row."""
        from hashlib import blake2b

        digest = blake2b(f"{self._key}:{purpose}".encode(), digest_size=16).digest()
        factor = 1 + int.from_bytes(digest[:8]) % (_PRIME - 1)
        offset = int.from_bytes(digest[8:]) % _PRIME
        return (self._identity % _number(_PRIME) * _number(factor) + _number(offset)) % _number(_PRIME)

    def word(self, purpose: str, words: Sequence[str]) -> ColumnElement[Any]:
        """Return one of the given words."""
        chosen = self.of(purpose) % _number(len(words))
        cases: Mapping[Any, Any] = {number: fixed(word) for number, word in enumerate(words)}
        return sa.case(*((chosen == _number(at), word) for at, word in list(cases.items())[1:]), else_=cases[0])


def _own(connection: Connection, number: _Numbers, table: Table, field: Field) -> ColumnElement[Any]:
    """Return the expression for an own field."""
    dialect, drawn = connection.dialect, number.of(f"own:{field.name}")
    if field.kind == "text":
        column = table.c[field.name]
        # JSON that an engine stores as text must remain JSON.
        first = sa.func.substring(column, _number(1), _number(1), type_=sa.Unicode)
        is_json = first.in_([fixed("{"), fixed("[")])
        return sa.case((is_json, fixed("{}")), else_=dialect.cut(_text(drawn + _number(1_000_000_000)), column))
    if field.kind == "integer":
        return dialect.typed(drawn % _number(min(field.high or _PRIME, _PRIME) + 1), field.native)
    if field.kind == "decimal":
        whole = min((field.precision or 9) - (field.scale or 0), 9)
        return dialect.typed(drawn % _number(10**whole), field.native)
    if field.kind == "boolean":
        return dialect.typed(_text(drawn % _number(2)), field.native)
    if field.kind == "date":
        return dialect.typed(number.word(f"own:{field.name}", _DAYS), field.native)
    if field.kind == "timestamp":
        times = [str(connection.own_value(field, f"{day}T12:00:00.000Z")) for day in _DAYS]
        return dialect.typed(number.word(f"own:{field.name}", times), field.native)
    if field.kind == "uuid":
        made = fixed("00000000-0000-4000-8000-").concat(_text(drawn + _number(100_000_000_000)))
        return dialect.typed(made, field.native)
    return dialect.typed(fixed("{}") if field.kind == "json" else drawn, field.native)


def _number(value: int) -> ColumnElement[Any]:
    return sa.literal_column(str(value), sa.BigInteger())


def _text(number: ColumnElement[Any]) -> ColumnElement[str]:
    return sa.cast(number, sa.Unicode(20))
