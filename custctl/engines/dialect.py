"""What differs between engines in SQLAlchemy Core: expressions that Core cannot express portably, and compilation.

This is loaded only to build a statement at run time or to regenerate `statements.py`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Delete, Insert, Select, Table, Update
    from sqlalchemy.engine.interfaces import Dialect as SqlDialect
    from sqlalchemy.sql.base import Executable

_COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_EXPANDED = re.compile(r"_\d+$")


class Native(sa.types.UserDefinedType[Any]):
    """A type as an engine spells it."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name."""
        return self.name


class Dialect(ABC):
    """One engine's SQL.

    Args:
        schema: the schema of the tables; empty if the engine has none.
    """

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self.sql = self.make_sql()

    @abstractmethod
    def make_sql(self) -> SqlDialect:
        """Return SQLAlchemy's dialect; it never queries the server."""

    # -- compiling ---------------------------------------------------------------------------------

    def compiled(self, statement: Executable, **options: Any) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Compile a statement for the driver.

        Args:
            options: more options for SQLAlchemy's compiler.

        Returns:
            The text; the names of its parameters in order, each followed by a colon and its kind if it has one; and the
            values of the parameters that have one.
        """
        if self.schema:
            options.update(schema_translate_map={None: self.schema}, render_schema_translate=True)
        clause: Any = statement
        compiled = clause.compile(dialect=self.sql, **options, compile_kwargs={"render_postcompile": True})
        names = list(compiled.positiontup or compiled.params)
        kinds = [self.kind(self._bound(compiled, name)) for name in names]
        parameters = tuple(f"{name}:{kind}" if kind else name for name, kind in zip(names, kinds, strict=True))
        return str(compiled), parameters, dict(compiled.params)

    def _bound(self, compiled: Any, name: str) -> Any:
        bind = compiled.binds.get(name)
        # An element of a list has a number after its name.
        return (bind if bind is not None else compiled.binds[_EXPANDED.sub("", name)]).type

    def kind(self, of: Any) -> str:
        """Return what the engine's `Connection.bind` needs to know about a parameter's type."""
        return ""

    def tables(self, table: Table) -> list[str]:
        """Return the statements that create a table."""
        return [self.definition(sa.schema.CreateTable(table, if_not_exists=True))]

    def definition(self, statement: sa.schema.CreateTable) -> str:
        """Return the text of a statement that creates a table."""
        options: dict[str, Any] = {}
        if self.schema:
            options.update(schema_translate_map={None: self.schema}, render_schema_translate=True)
        return str(statement.compile(dialect=self.sql, **options)).strip()

    # -- expressions -------------------------------------------------------------------------------

    @abstractmethod
    def now(self) -> ColumnElement[str]:
        """Return an expression for the time on the database's clock, as a `Timestamp`."""

    @abstractmethod
    def read_only(self) -> ColumnElement[str]:
        """Return an expression that is `yes` if the database refuses writes because it is a standby or fenced."""

    @abstractmethod
    def login(self) -> ColumnElement[str]:
        """Return an expression for the session's login, which the client cannot choose."""

    def version_text(self, column: ColumnElement[Any], prefix: ColumnElement[str]) -> ColumnElement[str]:
        """Return an expression for a prefix followed by what `encode_version` makes of a version."""
        return prefix.concat(sa.cast(column, sa.Text)).label(column.name)

    def joined(self, statement: Select[Any], size: sa.BindParameter[int]) -> Executable:
        """Return the statement that `Connection.run_joined` runs to get a query's rows joined.

        Args:
            statement: a query whose first column is the table's key, ordered by it.
            size: how many rows to join at a time, if the statement sets that.
        """
        return statement

    def cut(self, text: ColumnElement[str], to: ColumnElement[Any]) -> ColumnElement[str]:
        """Return a text cut to the length of the text in a column."""
        return sa.func.substr(text, sa.literal_column("1"), sa.func.length(to), type_=sa.Unicode)

    def typed(self, value: ColumnElement[Any], native: str) -> ColumnElement[Any]:
        """Return a value converted to a column's type, if the engine does not convert it by itself."""
        return value

    def touch(self) -> dict[str, ColumnElement[Any]]:
        """Return what an update must set besides the fields, if the database does not set it by itself."""
        return {}

    def returning(self, statement: Insert | Update | Delete, columns: Sequence[ColumnElement[Any]]) -> Executable:
        """Make a statement return columns of the row as stored; the first is the id.

        If the engine returns the row before its triggers have run, an update returns only the id, and an insert returns
        nothing: the driver provides the id.
        """
        return statement.returning(*columns)

    @abstractmethod
    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        """Return conditions, exactly one of which holds if a column begins with `text`, ignoring case.

        They are mutually exclusive. An index serves each of them in the order of `fold_order`, and the conditions
        themselves come in that order.
        """

    def fold_key(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the form of a column that is compared without case."""
        return column

    def fold_order(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the sort order of the index behind `starts_with`, for what `fold_key` returned."""
        return key

    def compared(self, value: ColumnElement[Any], operator: str, other: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return a comparison by `<`, `<=`, `>` or `>=`; texts compare by code point."""
        compared: ColumnElement[bool] = _COMPARED[operator](value, other)
        return compared

    @abstractmethod
    def holds(self, value: ColumnElement[Any], text: str) -> ColumnElement[bool]:
        """Return the condition that a value contains a text, ignoring case and accents; see `support.letters`."""
