r"""Foreign SQL as a migration: what pg_dump writes, `\restrict` and COPY with all, beside custctl's own schema."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ADA, REPOSITORY
from tests.postgresql.conftest import Workshop

DUMP = Path(__file__).with_name("foreign_dump.sql").read_text(encoding="utf-8")


@pytest.fixture
def own(each_shop: Workshop) -> Workshop:
    """A project with custctl's own scripts, applied."""
    shutil.copytree(REPOSITORY / "sql", each_shop.folder.parent, dirs_exist_ok=True)
    each_shop.ok()
    return each_shop


def test_a_foreign_dump_is_a_migration(own: Workshop) -> None:
    shop = own
    shop.write("0006_foreign", DUMP if "18" in shop.database.server.name else DUMP.replace("SET transaction_t", "-- t"))
    shop.ok()
    assert shop.query("SELECT note FROM stock.item ORDER BY id") == [
        ("tab\there, newline\nthere, backslash\\ and \\. in it",),
        (None,),
        ("",),
        ("-- no comment; $$ nor $_$ a quote ' or \" either",),
        ("CREATE TABLE oops (x int);",),
        ("stanisław.wójcik@wp.pl 😀 \u202e",),
    ]
    assert shop.query("SELECT tags, data FROM stock.item WHERE id IN (1, 4) ORDER BY id") == [
        (["a", "b c"], b"\xde\xad\xbe\xef"),
        (['"x"'], None),
    ]
    assert shop.query("SELECT stock.raise(1), stock.dearest()")[0][0] == 5
    assert shop.query("SELECT bool_and(touched) FROM stock.item") == [(True,)]
    shop.query("INSERT INTO stock.item (note) VALUES ('next')")
    assert shop.query("SELECT max(id) FROM stock.item") == [(7,)]
    assert shop.query("SELECT obj_description('stock.cheap'::regclass)") == [
        ("what costs little; -- and /* little */ else, it's said",)
    ]
    assert shop.query('SELECT count(*) FROM "Über ""uns"""."select"') == [(0,)]
    # The next script, and the commands, find what is custctl's as before.
    shop.write("0007_next", "CREATE TABLE next AS SELECT current_setting('search_path') AS path FROM customer;\n")
    shop.ok()
    assert "next" in shop.names()
    added = shop.run("customer", "add", *ADA, "-o", "json")
    assert added.code == 0, added.err
    assert "nothing to do" in shop.ok().err


def test_a_failure_in_a_dump_is_placed(own: Workshop) -> None:
    shop = own
    text = DUMP.replace("6\t6.50", "5\t6.50").replace("SET transaction_timeout", "-- SET transaction_timeout")
    shop.write("0006_foreign", text)
    error = shop.refused()
    line = text[: text.index("ALTER TABLE ONLY stock.item")].count("\n") + 1
    assert f"migrations/0006_foreign.sql:{line}: statement " in error
    assert "could not create unique index" in error
    assert shop.query("SELECT to_regnamespace('stock')::text") == [(None,)]
    shop.write("0006_foreign", text.replace("3\t3.50\t\t", "x\t3.50\t\t"))
    error = shop.refused()
    line = text[: text.index("COPY stock.item")].count("\n") + 1
    assert f"migrations/0006_foreign.sql:{line}: statement " in error
    assert "invalid input syntax for type bigint" in error


def test_fifteen_thousand_lines(own: Workshop) -> None:
    shop = own
    lines = ["SET standard_conforming_strings = on;", "SELECT pg_catalog.set_config('search_path', '', false);"]
    lines.append("CREATE TABLE public.big (id bigint, note text);")
    lines += [f"INSERT INTO public.big VALUES ({n}, 'it''s; line {n} -- $$ \\');" for n in range(12_000)]
    for n in range(500):
        lines += [
            f"CREATE FUNCTION public.f{n}() RETURNS text LANGUAGE plpgsql AS $f$",
            "BEGIN",
            "  -- never; ends here",
            f"  RETURN '{n};';",
            "END",
            "$f$;",
        ]
    assert len(lines) > 15_000
    path = shop.write("0006_big", "\n".join(lines) + "\n")
    result = shop.ok("-o", "json")
    assert result.json["applied"][0]["statements"] == 3 + 12_000 + 500
    assert shop.query("SELECT count(*), count(DISTINCT note) FROM big") == [(12_000, 12_000)]
    assert shop.query("SELECT public.f499()") == [("499;",)]
    assert shop.query("SELECT script = %s FROM schema_migration WHERE description = 'big'", path.read_text()) == [
        (True,)
    ]
