"""A company's own constraints: what they refuse is told with the field and the constraint, and nothing is written."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator

import pytest

from tests.behaviours.own_fields import settings, write_script
from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.servers.fixtures import ENGINES, place
from tests.servers.projects import on_engine

NAMES = ("--first-name", "F", "--last-name", "L")


_DOMAIN = {
    "postgresql": (
        "CREATE DOMAIN word AS TEXT CONSTRAINT one_word CHECK (VALUE !~ ' ')",
        "CREATE DOMAIN small_word AS word CONSTRAINT in_small CHECK (VALUE = lower(VALUE))",
        "ALTER TABLE customer ADD COLUMN nick small_word",
    )
}


@pytest.fixture(scope="module", params=ENGINES)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project with a CHECK, a foreign key and a unique index of the company's, and a table that points at customers."""
    made = on_engine(make_project(tmp_path_factory.mktemp("constrained")), place(request))
    try:
        found = Place.of(made)
        word, add, end = (
            ("NVARCHAR(9)", "ADD", ";\nGO\n") if found.engine == "mssql" else ("VARCHAR(9)", "ADD COLUMN", ";\n")
        )
        keys = f"{word} COLLATE Latin1_General_BIN2" if found.engine == "mssql" else word
        number = "BIGINT" if found.engine != "sqlite" else "INTEGER"
        # From version 18 on, PostgreSQL reports RESTRICT with a code of its own.
        referring = f"REFERENCES customer (id){' ON DELETE RESTRICT' if found.engine == 'postgresql' else ''}"
        odd = f'"a=b" {word}' if found.engine != "mssql" else f"[a=b] {keys}"
        statements = [
            *_DOMAIN.get(found.engine, ()),
            f"ALTER TABLE customer {add} {odd}",
            "CREATE TABLE plan_kind (code INTEGER NOT NULL PRIMARY KEY)",
            "INSERT INTO plan_kind (code) VALUES (1)",
            f"ALTER TABLE customer {add} tier {keys} CONSTRAINT known_tier CHECK (tier IN ('gold', 'tin'))",
            f"ALTER TABLE customer {add} plan_code INTEGER CONSTRAINT known_plan REFERENCES plan_kind (code)",
            f"ALTER TABLE customer {add} tax_no {keys}",
            "CREATE UNIQUE INDEX customer_tax_no_once ON customer (tax_no) WHERE tax_no IS NOT NULL",
            f"CREATE TABLE invoice (id {number} NOT NULL PRIMARY KEY, customer_id {number} NOT NULL {referring})",
        ]
        write_script(found, 1000, end.join([*statements, ""]))
        found.ok("migrate")
        yield found
    finally:
        made.drop()


def test_a_check_is_named_with_its_field(company: Place) -> None:
    error = company.refused(9, "customer", "add", "--email", "c@example.com", *NAMES, *settings(tier="lead"))
    assert error["message"] == "`tier` breaks a rule of the database (constraint `known_tier`)"
    assert (error["details"]["field"], error["details"]["constraint"]) == ("tier", "known_tier")


def test_the_check_of_a_domain_is_named_with_its_field(company: Place) -> None:
    if company.engine != "postgresql":
        return  # only PostgreSQL has domains
    for value, constraint in (("two words", "one_word"), ("Ada", "in_small")):
        error = company.refused(9, "customer", "add", "--email", "d@example.com", *NAMES, *settings(nick=value))
        assert error["message"] == f"`nick` breaks a rule of the database (constraint `{constraint}`)"
        assert error["details"]["field"] == "nick"


def test_a_name_that_holds_an_operator_stands_in_quotes(company: Place) -> None:
    row = company.add(email="odd@example.com")
    assert company.json("customer", "update", str(row["id"]), "--set", '"a=b"=c=d')["a=b"] == "c=d"
    for where, count in (('"a=b"=c=d', 1), ('"a=b"~=', 1), ('"a=b"?', 1), ('"a=b"!=c=d', None), ('"a=b">z', 0)):
        found = company.json("customer", "list", "--count", "--where", where)["count"]
        assert count in (found, None), where
    assert company.json("customer", "update", str(row["id"]), "--unset", "a=b")["a=b"] is None
    assert company.refused(2, "customer", "list", "--where", '"a=b"')
    assert company.refused(2, "customer", "update", "1", "--set", '"a=b"')


def test_a_foreign_key_is_named_with_its_field(company: Place) -> None:
    error = company.refused(9, "customer", "add", "--email", "f@example.com", *NAMES, *settings(plan_code="7"))
    assert error["message"].startswith("`plan_code` refers to a row that does not exist")
    assert error["details"]["field"] == "plan_code"


def test_a_unique_value_is_a_conflict(company: Place) -> None:
    company.ok("customer", "add", "--email", "u1@example.com", *NAMES, *settings(tax_no="AT1"))
    error = company.refused(5, "customer", "add", "--email", "u2@example.com", *NAMES, *settings(tax_no="AT1"))
    assert error["message"].startswith("`tax_no` is taken by another row")
    assert error["details"]["field"] == "tax_no"


def test_an_import_rejects_the_row_alone(company: Place) -> None:
    rows = [f"i{number}@example.com,F,L,gold,1,X{number}" for number in range(7)]
    rows[2] = rows[2].replace("gold", "lead")
    rows[4] = rows[4].replace("X4", "X3")
    rows[5] = rows[5].replace(",1,", ",8,")
    (company.path / "in.csv").write_text("\n".join(["email,first_name,last_name,tier,plan_code,tax_no", *rows, ""]))
    done = company.run("customer", "import", "in.csv", "--rejects", "rejects.csv", "-o", "json")
    assert done.code == 10, done.err
    assert (done.json["rows"], done.json["inserted"], done.json["rejected"]) == (7, 4, 3)
    told = (company.path / "rejects.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in told[1:]] == ["i2@example.com", "i4@example.com", "i5@example.com"]
    assert [name in line for name, line in zip(("`tier`", "`tax_no`", "`plan_code`"), told[1:], strict=True)] == [
        True
    ] * 3
    again = company.run("customer", "import", "in.csv", "--on-conflict", "skip", "-o", "json")
    assert (again.json["inserted"], again.json["skipped"], again.json["rejected"]) == (0, 4, 3)


def test_a_customer_that_rows_refer_to_is_not_deleted(company: Place) -> None:
    row = company.add(email="kept@example.com")
    for number in (1, 2):
        company.sql(f"INSERT INTO invoice (id, customer_id) VALUES ({number}, {row['id']})")
    error = company.refused(5, "customer", "delete", str(row["id"]), "--yes")
    assert (
        error["message"]
        == f"customer {row['id']} cannot be deleted: 2 rows of `invoice` refer to it; nothing was deleted"
    )
    assert error["details"]["referring"] == {"invoice": 2}
    assert company.json("customer", "get", str(row["id"])) == row
    company.sql(f"DELETE FROM invoice WHERE customer_id = {row['id']}")
    company.ok("customer", "delete", str(row["id"]), "--yes")


def test_a_customer_is_not_deleted_because_of_rows_that_the_login_may_not_read(company: Place) -> None:
    if company.engine != "postgresql":
        return  # elsewhere the tests have one login
    row = company.add(email="hidden@example.com")
    company.sql("CREATE TABLE hidden (customer_id BIGINT REFERENCES customer (id))")
    company.sql(f"INSERT INTO hidden VALUES ({row['id']})")
    error = company.refused(5, "customer", "delete", str(row["id"]), "--yes")
    assert error["message"] == f"customer {row['id']} cannot be deleted: other rows refer to it; nothing was deleted"
    assert error["details"]["constraint"] == "hidden_customer_id_fkey"


def test_a_domain_may_require_a_value_or_give_one(empty: Place) -> None:
    if empty.engine != "postgresql":
        return  # only PostgreSQL has domains
    statements = (
        "CREATE DOMAIN code AS varchar(5) NOT NULL",
        "CREATE DOMAIN short_code AS code CHECK (VALUE <> '')",
        "CREATE DOMAIN kind AS text NOT NULL DEFAULT 'plain'",
        "ALTER TABLE customer ADD COLUMN code short_code, ADD COLUMN kind kind",
        "",
    )
    write_script(empty, 1000, ";\n".join(statements))
    empty.ok("migrate")
    error = empty.refused(9, "customer", "add", "--email", "d@example.com", *NAMES)
    assert error["details"]["fields"] == {"code": "is required"}
    row = empty.json("customer", "add", "--email", "d@example.com", *NAMES, *settings(code="A1"))
    assert (row["code"], row["kind"]) == ("A1", "plain")
    error = empty.refused(9, "customer", "update", "d@example.com", "--unset", "code", "--unset", "kind")
    assert error["details"]["fields"] == {"code": "is required", "kind": "cannot be empty"}


def test_a_value_that_is_too_long_for_an_index_is_refused(migrated: Place) -> None:
    if migrated.engine != "postgresql":
        return  # an index on SQLite holds any text; SQL Server's error is tested without a server
    write_script(migrated, 1000, "ALTER TABLE customer ADD note text; CREATE INDEX notes ON customer (note);")
    migrated.ok("migrate")
    # Text that does not shrink when it is compressed.
    long = "".join(random.Random(1).choices(string.ascii_letters, k=9000))
    told = "the database refused a value: index row"
    kept = migrated.add(email="kept@example.com")
    for command in (
        ("add", "--email", "c@example.com", *NAMES, *settings(note=long)),
        ("update", str(kept["id"]), *settings(note=long)),
    ):
        error = migrated.refused(9, "customer", *command)
        assert told in error["message"]
        assert long[:20] not in error["message"]
    rows = f"email,first_name,last_name,note\ngood@example.com,F,L,x\nlong@example.com,F,L,{long}\n"
    partial = migrated.run("customer", "import", "-", "--rejects", "rejects.csv", stdin=rows)
    assert partial.code == 10, partial.err
    assert told in (migrated.path / "rejects.csv").read_text()
    assert migrated.emails() == ["good@example.com", "kept@example.com"]
