"""What differs between engines in SQLAlchemy Core: expressions that Core cannot say portably, and how it is compiled.

Nothing here is loaded unless a statement is put together for a question, or `statements.py` is written again.
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


class Dialect(ABC):
    """One engine's SQL.

    Args:
        schema: the name of the schema that the tables are in; empty where the engine has none.
    """

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self.sql = self.make_sql()

    @abstractmethod
    def make_sql(self) -> SqlDialect:
        """Return SQLAlchemy's dialect, which asks the server for nothing."""

    # -- compiling ---------------------------------------------------------------------------------

    def compiled(self, statement: Executable, **options: Any) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Compile a statement for the driver.

        Args:
            options: what SQLAlchemy's compiler takes besides.

        Returns:
            The text, the names of its parameters in their order, each with its kind behind a colon if it has one, and
            the values of those that have one.
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
        # One of a list has a number behind its name.
        return (bind if bind is not None else compiled.binds[_EXPANDED.sub("", name)]).type

    def kind(self, of: Any) -> str:
        """Return what the engine's `Connection.bind` has to know of a parameter's type."""
        return ""

    def tables(self, table: Table) -> list[str]:
        """Return the statements that make a table."""
        return [self.definition(sa.schema.CreateTable(table, if_not_exists=True))]

    def definition(self, statement: sa.schema.CreateTable) -> str:
        """Return the text of a statement that makes a table."""
        options: dict[str, Any] = {}
        if self.schema:
            options.update(schema_translate_map={None: self.schema}, render_schema_translate=True)
        return str(statement.compile(dialect=self.sql, **options)).strip()

    # -- expressions -------------------------------------------------------------------------------

    @abstractmethod
    def now(self) -> ColumnElement[str]:
        """Return an expression for the database's clock: a `Timestamp`."""

    @abstractmethod
    def read_only(self) -> ColumnElement[str]:
        """Return an expression: `yes` where the database refuses writes, as it follows another one or is fenced."""

    @abstractmethod
    def login(self) -> ColumnElement[str]:
        """Return an expression for the login of the session, which its client cannot choose."""

    def version_text(self, column: ColumnElement[Any], prefix: ColumnElement[str]) -> ColumnElement[str]:
        """Return the expression of what `encode_version` makes of a version, behind a prefix."""
        return prefix.concat(sa.cast(column, sa.Text)).label(column.name)

    def joined(self, statement: Select[Any], size: sa.BindParameter[int]) -> Executable:
        """Return what `Connection.run_joined` runs to have the rows of a query joined.

        Args:
            statement: its first column is the table's key, and it is ordered by that.
            size: how many rows are joined at a time, where the statement says so.
        """
        return statement

    def cut(self, text: ColumnElement[str], to: ColumnElement[Any]) -> ColumnElement[str]:
        """Return a text that is not longer than what a column holds."""
        return sa.func.substr(text, sa.literal_column("1"), sa.func.length(to), type_=sa.Unicode)

    def typed(self, value: ColumnElement[Any], native: str) -> ColumnElement[Any]:
        """Return a value for a column of a type, where the engine does not convert it by itself."""
        return value

    def touch(self) -> dict[str, ColumnElement[Any]]:
        """Return what an update has to set besides the fields, where the database does not do so by itself."""
        return {}

    def returning(self, statement: Insert | Update | Delete, columns: Sequence[ColumnElement[Any]]) -> Executable:
        """Let a statement return columns of the row that it writes, as the database leaves it; the id is the first.

        Where the engine shows the row before its triggers have run, an update returns the id alone, and an insert
        nothing: the driver tells the id.
        """
        return statement.returning(*columns)

    @abstractmethod
    def starts_with(self, column: ColumnElement[Any], text: str) -> list[ColumnElement[bool]]:
        """Return the conditions, one of which holds where a column begins with `text` whatever the case.

        No two hold for one row; an index serves each in the order of `fold_order`, and in that order they follow
        each other.
        """

    def fold_key(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return what of a column is compared without case."""
        return column

    def fold_order(self, key: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the order of the index behind `starts_with`, for what `fold_key` returned."""
        return key

    def compared(self, value: ColumnElement[Any], operator: str, other: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return a comparison by `<`, `<=`, `>` or `>=`, of texts by code point."""
        compared: ColumnElement[bool] = _COMPARED[operator](value, other)
        return compared

    @abstractmethod
    def holds(self, value: ColumnElement[Any], text: str) -> ColumnElement[bool]:
        """Return the condition that a value holds a text, whatever case and accents; see `support.letters`."""
