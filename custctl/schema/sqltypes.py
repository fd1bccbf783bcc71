"""Column types that read the same on every engine: times as text in UTC, text in Unicode, row versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, String, Unicode, UnicodeText
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine


class Timestamp(TypeDecorator[str]):
    """A time as the program writes it; a dialect's `timestamp_type` is the type in which its engine stores it."""

    impl = String(30)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the engine's own type, or text."""
        return dialect.type_descriptor(getattr(dialect, "timestamp_type", None) or String(30))


class RowVersion(TypeDecorator[Any]):
    """A row's version; a dialect's `row_version_type` is its engine's type, if that is not a number."""

    impl = BigInteger()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the engine's own type, or a number."""
        return dialect.type_descriptor(getattr(dialect, "row_version_type", None) or BigInteger())


class RowId(TypeDecorator[int]):
    """The number of a row; a dialect's `row_id_type` is its engine's type, if that is not 64 bits wide."""

    impl = BigInteger()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the engine's own type, or a 64-bit number."""
        return dialect.type_descriptor(getattr(dialect, "row_id_type", None) or BigInteger())


def text(length: int | None = None) -> TypeEngine[str]:
    """Return a type for Unicode text of at most `length` characters."""
    return Unicode(length) if length is not None else UnicodeText()
