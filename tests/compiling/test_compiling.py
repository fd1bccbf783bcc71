"""The statements compiled ahead of time are what SQLAlchemy Core makes of their source, and all of them are in use."""

from __future__ import annotations

import re

import pytest

from tests.compiling.compiling import DIALECTS, ENGINES, compiled, source
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("engine", DIALECTS)
def test_the_statements_of_an_engine_are_those_of_their_source(engine: str) -> None:
    """`make statements` writes them anew."""
    assert (ENGINES / engine / "statements.py").read_text() == source(engine)


def test_every_engine_has_the_same_statements() -> None:
    first, *others = (set(compiled(dialect)) for dialect in DIALECTS.values())
    assert all(names == first for names in others)


def test_every_statement_is_run_and_every_one_that_is_run_is_there() -> None:
    """Names are put together in two ways: behind `by_`, and in front of it."""
    texts = [path.read_text() for path in (REPOSITORY / "custctl").rglob("*.py") if path.name != "statements.py"]
    named = set(
        re.findall(
            r'"((?:account|audit|clock|create|customer|import|journal|metadata|outbox|password)\.[\w.{}]*)"',
            "".join(texts),
        )
    ) | {"database.read_only"}
    there = set(compiled(DIALECTS["sqlite"]))
    used = set()
    for name in named:
        pattern = re.sub(r"\\{\w+\\}", r"\\w+", re.escape(name)) + r"(?:_?by_(?:id|email|name|version))?"
        fitting = {each for each in there if re.fullmatch(pattern, each)}
        assert fitting, name
        used |= fitting
    assert used == there


@pytest.mark.parametrize("schema", ["we{set}ird", "{columns}", "a%b", 'a"b', "a b", "Select", "{schema}"])
def test_a_schema_s_name_is_taken_as_it_is(schema: str) -> None:
    from custctl.engines.postgresql.running import PostgresqlConnection

    connection = PostgresqlConnection(None, schema)
    quoted = connection.quote(schema)
    plain, _ = connection.text("journal.all")
    assert f"FROM {quoted}.schema_migration" in plain
    text, parameters = connection.text("customer.update", ["city"])
    assert text.startswith(f'UPDATE {quoted.replace("%", "%%")}.customer SET "city"=%(given_0)s WHERE')
    assert parameters == ("given_0", "id", "held_version", "held_epoch")
