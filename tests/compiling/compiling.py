"""Writes `custctl/engines/*/statements.py` from SQLAlchemy Core: `python -m tests.compiling.compiling`, or `make statements`."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa

from custctl.customers.statements import HIT, OWN
from custctl.customers.statements import statements as of_customers
from custctl.engines.connection import DYNAMIC, HITS, SCHEMA
from custctl.engines.dialect import Dialect
from custctl.engines.mssql.dialect import MssqlDialect
from custctl.engines.postgresql.dialect import PostgresqlDialect
from custctl.engines.sqlite.dialect import SqliteDialect
from custctl.migrations.statements import statements as of_migrations
from custctl.schema.statements import statements as of_schema
from custctl.schema.tables import journal, metadata

ENGINES = Path(__file__).parents[2] / "custctl" / "engines"
_MARK = "the_schema"  # needs no quotes on any engine
_PLACE = "email"
DIALECTS: dict[str, Dialect] = {
    "sqlite": SqliteDialect(""),
    "postgresql": PostgresqlDialect(_MARK),
    "mssql": MssqlDialect(_MARK),
}
_HEAD = '''"""The program's own statements, compiled for this engine from SQLAlchemy Core; `make statements` writes this file."""

from __future__ import annotations

from custctl.engines.connection import Prepared

# One line each.
# fmt: off
STATEMENTS: dict[str, Prepared] = {
'''


def compiled(dialect: Dialect) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return all statements of an engine by name: text and parameters."""
    found = {**of_schema(dialect), **of_customers(dialect), **of_migrations(dialect)}
    done = {name: _compiled(dialect, name, statement) for name, statement in found.items()}
    for table in (journal, metadata):
        texts = [text.replace(f"{_MARK}.", f"{SCHEMA}.") for text in dialect.tables(table)]
        done[f"create.{table.name}"] = (";\n".join(texts), ())
    return done


def _compiled(dialect: Dialect, name: str, statement: sa.Executable) -> tuple[str, tuple[str, ...]]:
    text, parameters, values = dialect.compiled(statement)
    assert all(value is None for value in values.values()), f"{name} has a constant of its own: {values}"
    text = text.replace(f"{_MARK}.", f"{SCHEMA}.")
    # OUTPUT takes columns, and no expressions of them on every server: the own fields are read back.
    text = text.replace(f", {OWN}", "" if "OUTPUT inserted." in text else "{own}")
    assert OWN not in text, text
    text = re.sub(rf"(?:{_MARK}\.|{re.escape(SCHEMA)}\.)?{HIT}(?= AS hit\b)", f"({HITS})", text)
    if name in ("customer.add", "customer.update"):
        text, parameters = _with_columns(text, parameters)
    assert _MARK not in text, text
    return "\n".join(line.rstrip() for line in text.strip().splitlines()), parameters


def _with_columns(text: str, parameters: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Let the columns be named by each call, of which one stands in the statement."""
    [given] = [each for each in parameters if each.partition(":")[0] == _PLACE]
    place = r"(?:%\(email\)s::VARCHAR|\?)"
    for written, named in (
        (rf"\({_PLACE}\)(?!s)", "({columns})"),
        (rf"VALUES \({place}\)", "VALUES ({values})"),
        (rf"{_PLACE}={place}", "{set}"),
    ):
        text = re.sub(written, named, text, count=1)
    return text, tuple(DYNAMIC if each == given else each for each in parameters)


def source(engine: str) -> str:
    """Return the text of an engine's module."""
    lines = [_HEAD]
    for name, (text, parameters) in sorted(compiled(DIALECTS[engine]).items()):
        lines.append(f"    {name!r}: ({text!r}, {parameters!r}),\n")
    return "".join([*lines, "}\n"])


if __name__ == "__main__":
    for each in DIALECTS:
        (ENGINES / each / "statements.py").write_text(source(each))
