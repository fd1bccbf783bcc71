"""T-SQL from SQLAlchemy Core, with exact comparison of trailing blanks and exact fractions of a second."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.mssql import DATETIME2
from sqlalchemy.dialects.mssql.base import MSSQLCompiler
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc
from sqlalchemy.schema import CreateTable

from custctl.engines.dialect import Dialect
from custctl.engines.mssql.names import COLLATION, quote
from custctl.schema.sqltypes import Timestamp
from custctl.schema.times import MILLISECONDS
from custctl.support.letters import plain, spellings

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table


_FOLDING = "Latin1_General_CS_AS"
"""A collation that folds the case of all letters; a binary one folds only A to Z on a compatible server."""

_LONG = 2000  # length of a column, in characters, from which its texts are sent as long data
_SPELLED_LETTERS = 3  # at most 4 ** 3 ranges, usually 2 ** 3
# Letters that LOWER keeps distinct, but the other engines compare as equal; and a dotted capital I, which a compatible
# server changes to two characters.
_FURTHER_CASES = {"\u03c3": "\u03c2", "\u03c2": "\u03c3", "ß": "\u1e9e", "\u03b8": "\u03f4", "\u0130": "i\u0307"}


class _Compiler(MSSQLCompiler):
    """T-SQL in which a text equals a parameter only if both have the same length, and times are sent as text.

    Columns are named without a schema: SQL Server has deprecated names of three parts.

    In T-SQL, `=` pads the shorter side with blanks in every collation: `Austria` equals `Austria `. ORDER BY and `<`
    pad too, but stay unchanged, because they agree with each other.

    Source: https://support.microsoft.com/kb/316626
    """

    def visit_bindparam(self, bindparam: sa.BindParameter[Any], *args: Any, **kw: Any) -> str:
        """Return `?`; for a time, cast to the type of its column."""
        place = str(super().visit_bindparam(bindparam, *args, **kw))  # type: ignore[no-untyped-call]
        if not isinstance(bindparam.type, Timestamp):
            return place
        return f"CAST({place} AS DATETIME2({MILLISECONDS}))"

    def visit_column(self, column: sa.ColumnClause[Any], *args: Any, **kw: Any) -> str:
        """Return the column, after the name of its table where SQLAlchemy puts that."""
        text: str = super().visit_column(column, *args, **kw)
        schema = self.preparer.schema_for_object(column.table) if column.table is not None else None
        return text.removeprefix(f"{self.preparer.quote_schema(schema)}.") if schema else text

    def visit_eq_binary(self, binary: sa.BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        """Return `x = ?`; for texts, also compare the lengths."""
        return self._with_lengths(binary, " = ", " AND ", **kw)

    def visit_ne_binary(self, binary: sa.BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        """Return `x != ?`; for texts, also compare the lengths."""
        return self._with_lengths(binary, " != ", " OR ", **kw)

    def _with_lengths(self, binary: sa.BinaryExpression[Any], compared: str, joined: str, **kw: Any) -> str:
        sides = (binary.left, binary.right)
        plain = compared.join(side._compiler_dispatch(self, **kw) for side in sides)
        given = [isinstance(side, sa.BindParameter) for side in sides]
        if sum(given) != 1 or not all(isinstance(side.type, sa.String) for side in sides):
            return plain
        lengths = compared.join(f"DATALENGTH({side._compiler_dispatch(self, **kw)})" for side in sides)
        return f"({plain}{joined}{lengths})"


class MssqlDialect(Dialect):
    """SQL Server 2017 or newer."""

    def make_sql(self) -> MSDialect_pyodbc:
        dialect = MSDialect_pyodbc(paramstyle="qmark")  # type: ignore[no-untyped-call]
        dialect.statement_compiler = _Compiler
        # The dialect would ask the server for its version; every supported release is at least this one.
        dialect.server_version_info = (14, 0)  # type: ignore[assignment]
        dialect._setup_version_attributes()  # type: ignore[no-untyped-call]
        dialect._supports_nvarchar_max = True
        dialect.default_schema_name = self.schema
        dialect.timestamp_type = DATETIME2(MILLISECONDS)  # type: ignore[attr-defined,no-untyped-call]
        dialect.row_version_type = sa.BINARY(8)  # type: ignore[attr-defined]
        return dialect

    def kind(self, of: Any) -> str:
        """Return what the driver must know about a type: `time`, `text`, `long` text, or nothing."""
        if isinstance(of, Timestamp):
            return "time"
        if isinstance(of, sa.String):
            return "text" if of.length is not None and of.length < _LONG else "long"
        return ""

    def tables(self, table: Table) -> list[str]:
        declared, indexes = _declared(table)
        schema = f"{self.schema}."
        return [self.definition(CreateTable(declared)), *(index.format(schema=schema) for index in indexes)]

    def now(self) -> ColumnElement[str]:
        return sa.cast(sa.func.SYSUTCDATETIME(), Timestamp())

    def login(self) -> ColumnElement[str]:
        return sa.func.ORIGINAL_LOGIN(type_=sa.Unicode(128))

    def read_only(self) -> ColumnElement[str]:
        told = sa.func.DATABASEPROPERTYEX(sa.func.DB_NAME(), sa.literal_column("N'Updateability'"))
        is_read_only = sa.cast(told, sa.Unicode(60)) == sa.literal_column("N'READ_ONLY'", sa.Unicode)
        return sa.case((is_read_only, sa.literal_column("N'yes'")), else_=sa.literal_column("N'no'"))

    def version_text(self, column: ColumnElement[Any], prefix: ColumnElement[str]) -> ColumnElement[Any]:
        return column  # eight bytes: `MssqlConnection.run_stream` converts them to text

    def cut(self, text: ColumnElement[str], to: ColumnElement[Any]) -> ColumnElement[str]:
        return sa.func.LEFT(text, sa.func.LEN(to), type_=sa.Unicode)

    def touch(self) -> dict[str, ColumnElement[Any]]:
        # Not done by a trigger: with one, a statement cannot return the row that it wrote.
        return {"updated_at": self.now()}

    def fold_key(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # An email is stored in lower case, so its unique index can be used directly.
        if column.name == "email":
            return column
        return sa.func.LOWER(column.collate(_FOLDING), type_=sa.Unicode).collate(COLLATION)

    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        # The ranges let the server use an index; the patterns decide.
        ranges = [_begins_with(column, low) for low in _spellings(text)]
        return [sa.and_(sa.or_(*ranges), self._is_like(column, text))]

    def compared(self, value: ColumnElement[Any], operator: str, other: ColumnElement[Any]) -> ColumnElement[bool]:
        simple = super().compared(value, operator, other)
        if not isinstance(value.type, sa.String):
            return simple
        # If texts differ only in trailing blanks, the longer one sorts after the other.
        sizes = (sa.func.DATALENGTH(side) for side in (value, other))
        strict = super().compared(value, operator[0], other)
        padded = sa.and_(value <= other, value >= other)
        return sa.or_(strict, sa.and_(padded, super().compared(next(sizes), operator, next(sizes))))

    def holds(self, value: ColumnElement[Any], text: str) -> ColumnElement[bool]:
        # Not with character classes of LIKE: a compatible server compares them byte by byte.
        needle = plain(text)
        alike = {
            char: base for base, chars in zip(needle, spellings(text), strict=True) for char in chars if char != base
        }
        searched: ColumnElement[Any] = sa.collate(value, COLLATION)
        if alike:
            letters = (sa.literal("".join(found), sa.Unicode()) for found in (alike, alike.values()))
            searched = sa.collate(sa.func.TRANSLATE(searched, *letters, type_=sa.Unicode()), COLLATION)
        return sa.func.CHARINDEX(sa.literal(needle, sa.Unicode()), searched) > sa.literal_column("0")

    def _is_like(self, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
        # Folded here, not in SQL: a function of a parameter has a collation that conflicts with the column's.
        patterns = [f"{_literal(folded)}%" for folded in _foldings(text)]
        return sa.or_(*(self.fold_key(column).like(pattern) for pattern in patterns))


def _declared(table: Table) -> tuple[Table, list[str]]:
    """Return a table as declared for SQL Server, and the indexes that replace its unique constraints.

    Text columns get an explicit collation. SQL Server treats two NULLs as equal, so a nullable unique column gets a
    non-unique index for lookups only. A filtered unique index would make writes depend on session settings, which
    scripts may change.
    """
    declared = table.to_metadata(sa.MetaData(naming_convention=table.metadata.naming_convention))
    indexes = []
    for constraint in list(declared.constraints):
        if isinstance(constraint, sa.UniqueConstraint):
            (column,) = constraint.columns
            declared.constraints.discard(constraint)
            kind, ending = ("INDEX", "") if column.nullable else ("UNIQUE INDEX", "_unique")
            indexes.append(
                f"CREATE {kind} {quote(f'{table.name}_{column.name}{ending}')}"
                f" ON {{schema}}{quote(table.name)} ({quote(column.name)})"
            )
    for column in declared.columns:
        if isinstance(column.type, sa.Unicode | sa.UnicodeText):
            column.type = type(column.type)(column.type.length, collation=COLLATION)
    return declared, sorted(indexes)


def _begins_with(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Return a range that contains all values beginning with a text, in UTF-16 order as well as in code point order."""
    last = ord(text[-1]) + 1
    if last in (0x10000, 0x110000):  # no character follows, or the two orders disagree about which one does
        return column >= text
    return sa.and_(column >= text, column < text[:-1] + chr(0xE000 if last == 0xD800 else last))


def _literal(text: str) -> str:
    """Return a pattern that matches exactly a text.

    It uses classes of one character instead of ESCAPE: a compatible server drops an escaped character after `%`.
    """
    return "".join(f"[{char}]" if char in "%_[" else char for char in text)


def _fold(char: str) -> str:
    """Return a letter in lower case, as LOWER does; unchanged if its lower case is more than one character."""
    return char.lower() if len(char.lower()) == 1 else char


def _foldings(text: str) -> list[str]:
    """Return what LOWER may return for values that differ from `text` only in case."""
    left = _SPELLED_LETTERS
    choices: list[tuple[str, ...]] = []
    for char in map(_fold, text):
        further = _FURTHER_CASES.get(char) if left else None
        left -= further is not None
        choices.append((char, further) if further else (char,))
    return ["".join(chars) for chars in product(*choices)]


def _spellings(text: str) -> list[str]:
    """Return the possible first letters, in every case, of values that begin with `text`."""
    choices = []
    for char in text[:_SPELLED_LETTERS]:
        forms = (char, char.lower(), char.upper(), char.title(), _FURTHER_CASES.get(_fold(char), char))
        choices.append(tuple(dict.fromkeys(form for form in forms if len(form) == 1)))
    return ["".join(chars) for chars in product(*choices)]
