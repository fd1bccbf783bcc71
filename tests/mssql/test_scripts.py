"""The scripts for SQL Server, read without one: each batch is T-SQL, and keeps to what all servers of the dialect have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from custctl.customers.model import EDITABLE, MAX_LENGTH
from custctl.engines.mssql.names import COLLATION
from custctl.engines.mssql.script import split
from custctl.schema.tables import schema
from tests.conftest import REPOSITORY
from tests.mssql.conftest import SCRIPTS, script_files, unparsable

ENGINES = ("sqlite", "postgresql", "mssql")
_KEY_BYTES = 1_700
_NAME = r"\[?(\w+)\]?"
SIZES = {"BIGINT": 8, "INT": 4, "ROWVERSION": 8, "DATETIME2(3)": 7}


def code(path: Path) -> str:
    """Return a script without its comments."""
    return re.sub(r"--[^\n]*", "", path.read_text())


def batches() -> Iterator[tuple[str, str]]:
    """Yield every batch, as (script:line, text)."""
    for path in script_files():
        for statement in split(path.read_text()):
            yield f"{path.relative_to(SCRIPTS)}:{statement.line}", statement.text


@cache
def tables(engine: str) -> dict[str, dict[str, str]]:
    """Return the columns of every table that an engine's scripts create: the rest of the line by the column's name."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((REPOSITORY / "sql" / engine / "migrations").glob("*.sql")):
        for name, body in re.findall(rf"CREATE TABLE {_NAME} \((.*?)\n\)", code(path), re.DOTALL):
            lines = re.findall(r"^  (\[?[a-z_]+\]?) +([^\n]*(?:\n {4,}[^\n]*)*)", body, re.MULTILINE)
            found[name] = {column.strip("[]"): rest for column, rest in lines}
        for name, column, rest in re.findall(rf"ALTER TABLE {_NAME} ADD (?:COLUMN )?{_NAME} ([^\n;]+);", code(path)):
            found[name][column] = rest
    return found


COLUMNS = {f"{t}.{c}": rest for t, made in tables("mssql").items() for c, rest in made.items()}


def test_the_scripts_are_found() -> None:
    """What follows would be true of nothing, too."""
    assert len(list(batches())) > 10
    assert len(COLUMNS) > 50


@pytest.mark.parametrize("where", [where for where, _ in batches()])
def test_every_batch_is_t_sql(where: str) -> None:
    assert not unparsable(dict(batches())[where])


MISSING = {
    "the last row version": r"@@DBTS",
    "a type without Unicode": r"\b(?<!N)(?:VARCHAR|CHAR|TEXT)\b|\bNTEXT\b",
    "a local time": r"\bGETDATE\b|\bSYSDATETIME\b(?!OFFSET)|\bDATETIME\b|\bCURRENT_TIMESTAMP\b",
    "the owner's name": r"\bdbo\.",
}


@pytest.mark.parametrize("what", MISSING)
def test_no_script_has(what: str) -> None:
    """What differs from database to database; `test_limits` has what a server may lack."""
    assert [path.name for path in script_files() if re.search(MISSING[what], code(path))] == []


def test_every_string_is_unicode() -> None:
    for path in script_files():
        assert "'" not in re.sub(r"N'(?:[^']|'')*'", "", code(path)), path.name


@pytest.mark.parametrize("column", [name for name, rest in COLUMNS.items() if "NVARCHAR" in rest])
def test_text_has_a_collation_of_its_own(column: str) -> None:
    assert re.match(rf"NVARCHAR\((?:\d+|MAX)\) COLLATE {COLLATION} (?:NOT )?NULL\b", COLUMNS[column])


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_says_whether_it_may_be_null(column: str) -> None:
    assert re.search(r"\bNULL\b", COLUMNS[column].split("CHECK")[0])


@pytest.mark.parametrize("path", script_files(), ids=lambda path: path.name)
def test_every_constraint_and_default_is_named(path: Path) -> None:
    text = code(path)
    for word in ("PRIMARY KEY", "UNIQUE", "CHECK", "REFERENCES", "FOREIGN KEY", "DEFAULT"):
        for found in re.finditer(rf"\b{word}\b", text):
            before = text[: found.start()].rstrip()
            named = re.search(r"\bCONSTRAINT \w+$", before) or re.search(r"\bCREATE$", before)
            assert named, f"{word} in {text[found.start() - 40 : found.end() + 20]!r}"


def test_names_of_constraints_and_indexes_stand_once() -> None:
    names = [name for path in script_files() for name in re.findall(r"\b(?:CONSTRAINT|INDEX) (\w+)", code(path))]
    assert sorted(names) == sorted(set(names))


def test_a_text_of_any_characters_fits() -> None:
    """A character outside the basic plane takes two of the units in which a length is given."""
    for table in ("customer", "customer_import_row"):
        columns = tables("mssql")[table]
        for name, length in MAX_LENGTH.items():
            assert columns[name].startswith(f"NVARCHAR({2 * length})"), f"{table}.{name}"


def test_the_columns_are_at_least_as_wide_as_the_program_takes_them_for() -> None:
    for name, made in tables("mssql").items():
        for column in schema.tables[name].c if name in schema.tables else ():
            length = getattr(column.type, "length", None)
            declared = re.match(r"NVARCHAR\((\d+)\)", made[column.name])
            if declared and length:
                assert int(declared[1]) >= length, f"{name}.{column.name}"
            elif isinstance(length, int) and column.name != "version":
                assert made[column.name].startswith(("NVARCHAR(MAX)", "DATETIME2(3)")), f"{name}.{column.name}"


def test_the_staging_table_takes_all_that_a_customer_has() -> None:
    staging, customer = tables("mssql")["customer_import_row"], tables("mssql")["customer"]
    assert [*staging][2:] == list(EDITABLE)
    for name in EDITABLE:
        assert staging[name].split(" COLLATE")[0] == customer[name].split(" COLLATE")[0]


def test_an_index_key_fits_into_its_page() -> None:
    indexes = [
        (table, columns.split(", "))
        for path in script_files()
        for table, columns in re.findall(rf"CREATE (?:UNIQUE )?INDEX \w+ ON {_NAME} \(([^)]*)\)", code(path))
    ]
    assert len(indexes) > 8
    for table, columns in indexes:
        sizes = []
        for column in columns:
            kind = tables("mssql")[table][column].split(" COLLATE")[0].split(" ")[0].split(" IDENTITY")[0]
            width = re.fullmatch(r"NVARCHAR\((\d+)\)", kind)
            sizes.append(2 * int(width[1]) if width else SIZES[kind])
        assert sum(sizes) <= _KEY_BYTES, f"{table} ({', '.join(columns)})"


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_the_columns_that_the_program_knows(engine: str) -> None:
    made = tables(engine)
    for name, columns in made.items():
        if name in schema.tables:
            assert list(columns) == [column.name for column in schema.tables[name].c], name
    bootstrapped = {"schema_migration", "custctl_metadata"}
    assert set(schema.tables) - bootstrapped <= set(made)


def test_tables_are_the_same_on_every_engine() -> None:
    names = {engine: {t: list(c) for t, c in tables(engine).items()} for engine in ENGINES}
    staging = names["mssql"].pop("customer_import_row")
    assert staging
    # Other engines can take letters apart by themselves, or by a list in a statement.
    assert "custctl_letter" in names["sqlite"]
    del names["sqlite"]["custctl_letter"]
    assert names["mssql"] == names["postgresql"] == names["sqlite"]


def test_every_number_has_a_script_of_the_same_name_on_every_engine() -> None:
    scripts = {
        engine: sorted(path.name for path in (REPOSITORY / "sql" / engine / "migrations").iterdir())
        for engine in ENGINES
    }
    assert scripts["mssql"] == scripts["postgresql"] == scripts["sqlite"]


def test_an_update_moves_the_version_whoever_writes() -> None:
    assert COLUMNS["customer.version"].startswith("ROWVERSION NOT NULL")
