"""Bulk merge on PostgreSQL: COPY loads a batch into a temporary table, and set-based statements merge it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from custctl.engines.constraints import withheld
from custctl.engines.model import Merge
from custctl.engines.postgresql.connection import LimitedConnection
from custctl.schema.own import Field

# CSV without escaping: the delimiter and the quote are characters that occur in no customer's text.
_CELL, _QUOTE = "\x1f", "\x01"
# The widest type of each kind: values were checked against narrower column types and are converted on assignment.
_TYPES = {"integer": "bigint", "decimal": "numeric", "boolean": "boolean", "date": "date", "uuid": "uuid"}
# A conflicting row may be deleted before it is read, more than once.
_PASSES = 8
_DIGITS = re.compile(r"\(\d\)")


def merge(
    driver: LimitedConnection,
    schema: str,
    table: str,
    columns: Sequence[str],
    own: Mapping[str, Field],
    rows: Sequence[Sequence[Any]],
    *,
    key: str,
    insert: bool,
    update: bool,
) -> Merge:
    """Insert or update a batch inside the open transaction; see `Database.merge`.

    It waits for keys that a concurrent transaction inserts and then treats them as known: a unique key never aborts a
    batch.

    Args:
        own: the company's own fields by name.

    Raises:
        InvalidError: the database did not write a row.
    """
    stage = _Stage(driver, schema, table, columns, own, key)
    stage.fill(rows)
    inserted: list[int] = []
    known: list[tuple[int, int, bool]] = []
    for _ in range(_PASSES):
        if insert:
            inserted += stage.insert()
        if len(inserted) == len(rows):
            break
        known = stage.known(inserted, lock=update)
        # If a conflicting row has been deleted meanwhile, insert the new one in another pass.
        if not insert or len(inserted) + len(known) >= len(rows):
            break
    else:
        raise withheld()
    changed = [row_id for _, row_id, differs in known if differs] if update else []
    if changed and stage.update() < len(changed):
        raise withheld()
    at_known = [at for at, _, _ in known]
    return Merge.of(len(rows), known=at_known, inserted=inserted, updated=changed, insert=insert, update=update)


class _Stage:
    """The temporary table of a batch; `position` starts at 0, the other columns are named by number."""

    def __init__(
        self,
        driver: LimitedConnection,
        schema: str,
        table: str,
        columns: Sequence[str],
        own: Mapping[str, Field],
        key: str,
    ) -> None:
        self._driver = driver
        self._table = sql.Identifier(schema, table)
        self._columns = [sql.Identifier(column) for column in columns]
        self._staged = [sql.Identifier(f"c{number}") for number in range(len(columns))]
        self._stage = sql.Identifier("pg_temp", f"custctl_stage_{len(columns)}")
        self._key = sql.Identifier(key)
        self._key_staged = self._staged[columns.index(key)]
        self._fields = [own.get(column) for column in columns]

    def _run(self, template: str, **parts: sql.Composable) -> Any:
        query = sql.SQL(template).format(
            table=self._table, stage=self._stage, key=self._key, key_staged=self._key_staged, **parts
        )
        # Without parameters: a percent sign in a column's name would be taken for one.
        return self._driver.execute(query)

    def fill(self, rows: Sequence[Sequence[Any]]) -> None:
        """Replace the contents of the table with this batch."""
        declared = sql.SQL(", ").join(sql.SQL('{} text COLLATE "C"').format(name) for name in self._staged)
        # A pooler gives the session to other clients after the transaction.
        then = sql.SQL("DROP" if self._driver.pooled else "DELETE ROWS")
        self._run(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {stage} (position integer, {declared}) ON COMMIT {then}",
            declared=declared,
            then=then,
        )
        self._run("DELETE FROM {stage}")
        copy = sql.SQL("COPY {} FROM STDIN (FORMAT csv, DELIMITER {}, QUOTE {}, NULL '')").format(
            self._stage, sql.Literal(_CELL), sql.Literal(_QUOTE)
        )
        lines = [f"{at}{_CELL}{_CELL.join([cell or '' for cell in row])}\n" for at, row in enumerate(rows)]
        text = "".join(lines)
        width = len(self._columns)
        if text.count(_CELL) != len(rows) * width or text.count("\n") != len(rows) or _QUOTE in text or "\r" in text:
            raise ValueError("a control character in a row of a batch")
        with self._driver.cursor() as cursor, cursor.copy(copy) as stream:
            stream.write(text)

    def insert(self) -> list[int]:
        """Insert the rows with a new key, in order, and return their ids."""
        rows = self._run(
            "INSERT INTO {table} AS held ({columns}) SELECT {staged} FROM {stage} ORDER BY position"
            " ON CONFLICT ({key}) DO NOTHING RETURNING held.id",
            columns=sql.SQL(", ").join(self._columns),
            staged=sql.SQL(", ").join(self._values()),
        ).fetchall()
        return [row_id for (row_id,) in rows]

    def known(self, but: list[int], *, lock: bool) -> list[tuple[int, int, bool]]:
        """Return position, id and whether they differ, for existing rows with a key of the batch, except some ids."""
        return self._run(  # type: ignore[no-any-return]
            "SELECT s.position, held.id, ({held}) IS DISTINCT FROM ({staged})"
            " FROM {stage} AS s JOIN {table} AS held ON held.{key} = s.{key_staged}"
            " WHERE held.id <> ALL ({but}) ORDER BY held.id {lock}",
            but=sql.Literal(but),
            lock=sql.SQL("FOR UPDATE OF held" if lock else ""),
            **self._sides(),
        ).fetchall()

    def update(self) -> int:
        """Write the rows that differ, and return their number."""
        assignments = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(column, value)
            for column, value in zip(self._columns, self._values("s."), strict=True)
        )
        return self._run(  # type: ignore[no-any-return]
            "UPDATE {table} AS held SET {assignments} FROM {stage} AS s"
            " WHERE held.{key} = s.{key_staged} AND ({held}) IS DISTINCT FROM ({staged})",
            assignments=assignments,
            **self._sides(),
        ).rowcount

    def _sides(self) -> dict[str, sql.Composable]:
        return {
            "held": sql.SQL(", ").join(map(_comparable, self._held, self._fields)),
            "staged": sql.SQL(", ").join(map(_comparable, self._values("s."), self._fields)),
        }

    @property
    def _held(self) -> list[sql.Composable]:
        return [sql.SQL("held.{}").format(column) for column in self._columns]

    def _values(self, prefix: str = "") -> list[sql.Composable]:
        """Return the staged texts, converted to the types of the columns."""
        return [
            sql.SQL(_cast(field)).format(sql.SQL("{}{}").format(sql.SQL(prefix), staged))
            for staged, field in zip(self._staged, self._fields, strict=True)
        ]


def _comparable(value: sql.Composable, field: Field | None) -> sql.Composable:
    """Return a comparable value: the type `json` has no comparison, and a text's type may ignore case."""
    if field is None or not (field.kind == "text" or field.native == "json"):
        return value
    return sql.SQL('CAST({} AS text) COLLATE "C"').format(value)


def _cast(field: Field | None) -> str:
    """Return the pattern that converts a text to a column's type; text columns need no conversion."""
    kind = None if field is None else field.kind
    if field is None or kind == "text":
        return "{}"
    if kind == "timestamp":
        found = _DIGITS.search(field.native)
        name = "timestamptz" if "with time zone" in field.native else "timestamp"
        return f"CAST({{}} AS {name}{found.group() if found else ''})"
    if kind == "float":
        return "CAST({} AS real)" if field.precision == 24 else "CAST({} AS double precision)"
    if kind == "json":
        return "CAST({} AS json)" if field.native == "json" else "CAST({} AS jsonb)"
    return f"CAST({{}} AS {_TYPES[field.kind]})"
