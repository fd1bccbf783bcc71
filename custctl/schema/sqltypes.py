"""Column types that read the same on every engine: times as text in UTC, text in Unicode, row versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, String, Unicode, UnicodeText
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine


class Timestamp(TypeDecorator[str]):
    """A time as the program writes it; a dialect says by `timestamp_type` what its engine keeps it as."""

    impl = String(30)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the engine's own type, or text."""
        return dialect.type_descriptor(getattr(dialect, "timestamp_type", None) or String(30))


class RowVersion(TypeDecorator[Any]):
    """A row's version; a dialect says by `row_version_type` how its engine counts, where not by numbers."""

    impl = BigInteger()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the engine's own type, or a number."""
        return dialect.type_descriptor(getattr(dialect, "row_version_type", None) or BigInteger())


class RowId(TypeDecorator[int]):
    """The number of a row; a dialect says by `row_id_type` what its engine counts in, where not in 64 bits."""

    impl = BigInteger()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the engine's own type, or a number of 64 bits."""
        return dialect.type_descriptor(getattr(dialect, "row_id_type", None) or BigInteger())


def text(length: int | None = None) -> TypeEngine[str]:
    """Return a type for Unicode text of at most so many characters."""
    return Unicode(length) if length is not None else UnicodeText()
