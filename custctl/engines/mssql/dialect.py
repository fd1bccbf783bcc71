"""SQLAlchemy's dialect of T-SQL, which leaves neither blanks nor fractions of a second to servers and driver."""

from __future__ import annotations

from typing import Any

import pyodbc
import sqlalchemy as sa
from sqlalchemy.dialects.mssql.base import MSSQLCompiler
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc

from custctl.schema.sqltypes import MILLISECONDS, Timestamp


class _Compiler(MSSQLCompiler):
    """T-SQL in which a text equals a parameter only where both have the same length, and times are sent as text.

    By itself `=` pads the shorter side with blanks, in every collation: `Austria` equals `Austria `. ORDER BY and `<`
    do so too, and are left alone: they agree with each other.

    Source: https://support.microsoft.com/kb/316626
    """

    def visit_bindparam(self, bindparam: sa.BindParameter[Any], *args: Any, **kw: Any) -> str:
        """Return `?`, for a time converted to the type of its column."""
        place = str(super().visit_bindparam(bindparam, *args, **kw))  # type: ignore[no-untyped-call]
        if not isinstance(bindparam.type, Timestamp):
            return place
        return f"CAST({place} AS DATETIME2({MILLISECONDS}))"

    def visit_eq_binary(self, binary: sa.BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        """Return `x = ?`, of texts with the lengths compared as well."""
        return self._with_lengths(binary, " = ", " AND ", **kw)

    def visit_ne_binary(self, binary: sa.BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        """Return `x != ?`, of texts with the lengths compared as well."""
        return self._with_lengths(binary, " != ", " OR ", **kw)

    def _with_lengths(self, binary: sa.BinaryExpression[Any], compared: str, joined: str, **kw: Any) -> str:
        sides = (binary.left, binary.right)
        plain = compared.join(side._compiler_dispatch(self, **kw) for side in sides)
        given = [isinstance(side, sa.BindParameter) for side in sides]
        if sum(given) != 1 or not all(isinstance(side.type, sa.String) for side in sides):
            return plain
        lengths = compared.join(f"DATALENGTH({side._compiler_dispatch(self, **kw)})" for side in sides)
        return f"({plain}{joined}{lengths})"


def make_dialect(schema: str) -> MSDialect_pyodbc:
    """Return the dialect, which asks the server for nothing.

    Args:
        schema: the default one.
    """
    dialect = MSDialect_pyodbc(dbapi=pyodbc)  # type: ignore[no-untyped-call]
    dialect.statement_compiler = _Compiler
    # What the dialect would ask the server for; every release that is supported has it.
    dialect.server_version_info = (14, 0)  # type: ignore[assignment]
    dialect._setup_version_attributes()  # type: ignore[no-untyped-call]
    dialect._supports_nvarchar_max = True
    dialect.default_schema_name = schema
    return dialect
