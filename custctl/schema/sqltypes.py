"""Column types that read the same on every engine: times as text in UTC, text in Unicode, row versions."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BINARY, BigInteger, String, Unicode, UnicodeText
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

MILLISECONDS = 3
"""Digits of a second that are kept, everywhere: what a client has read is then what the database compares with."""

_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


class Timestamp(TypeDecorator[str]):
    """A time: ISO 8601 in UTC with milliseconds and `Z` for the program, whatever the engine keeps it as."""

    impl = String(30)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return `timestamptz(3)`, `DATETIME2(3)` or text."""
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import TIMESTAMP

            return dialect.type_descriptor(TIMESTAMP(timezone=True, precision=MILLISECONDS))
        if dialect.name == "mssql":
            from sqlalchemy.dialects.mssql import DATETIME2

            return dialect.type_descriptor(DATETIME2(MILLISECONDS))  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(String(30))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return what the driver takes."""
        if value is None or dialect.name == "sqlite":
            return value
        if not is_time(value):
            raise ValueError("not a time as custctl writes it")
        # For SQL Server as text: what the driver makes of a `datetime` depends on what the server says of its types.
        return datetime.fromisoformat(value) if dialect.name == "postgresql" else value.removesuffix("Z")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return text, of what the driver returned."""
        return format_time(value) if isinstance(value, datetime) else value


def format_time(moment: datetime) -> str:
    """Return a time as the program writes it; one without a zone is in UTC."""
    aware = moment.astimezone(UTC) if moment.tzinfo is not None else moment
    return aware.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def is_time(text: str) -> bool:
    """Tell whether a text is a time as the program writes it."""
    if not _FORM.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def text(length: int | None = None) -> TypeEngine[str]:
    """Return a type for Unicode text of at most so many characters."""
    return Unicode(length) if length is not None else UnicodeText()


def row_version() -> TypeEngine[Any]:
    """Return the type of a row's version: SQL Server's `rowversion` is eight bytes, the others count."""
    return BigInteger().with_variant(BINARY(8), "mssql")
