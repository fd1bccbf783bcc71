"""The statements that the program makes for SQL Server, collected on a stand-in server: T-SQL, and no more than it has.

`CUSTCTL_UPDATE_GOLDEN=1` writes the collected ones anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from custctl.engines.mssql.script import split
from tests.inside import Inside
from tests.mssql.conftest import script_files, unparsable
from tests.mssql.stand_in import Server

EXPECTED = Path(__file__).parent / "expected" / "statements.sql"

ROWS = "email,first_name,last_name,phone\nx@example.com,X,Y,\ny@example.com,Y,Z,1\n"
FREE: dict[str, list[tuple[object, ...]]] = {"SELECT customer.id\nFROM [dbo].customer\nWHERE (customer.email": []}
NEW = ("--first-name", "Ada", "--last-name", "Byron")
PASSWORD = "correct horse battery staple 9!\n"

# Each with its exit code, and what is typed into it.
COMMANDS: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("migrate",), 0, ""),
    (("migrate", "status"), 0, ""),
    (("migrate", "validate"), 0, ""),
    (("seed", "--customers", "2"), 0, ""),
    (("seed",), 0, ""),
    (("customer", "get", "7"), 0, ""),
    (("customer", "get", "ada@example.com"), 0, ""),
    (("customer", "add", "--email", "b@example.com", *NEW), 0, ""),
    (("customer", "update", "7", "--email", "c@example.com", "--phone", "1"), 0, ""),
    (("customer", "update", "7", "--first-name", "Augusta", "--status", "closed"), 0, ""),
    (("customer", "update", "7", "--phone", "2", "--if-version", "e1-00000000000003e8"), 5, ""),
    (("customer", "set-password", "7", "--stdin"), 0, PASSWORD),
    (("customer", "verify-password", "7", "--stdin"), 9, PASSWORD),
    *(
        (("customer", "list", "--sort", f"{sign}{field}", "--limit", "0"), 0, "")
        for field in ("id", "email", "company", "version", "created_at")
        for sign in ("", "-")
    ),
    (("customer", "list", "--status", "active", "--country", "Spain", "--limit", "1"), 0, ""),
    (("customer", "search", "ad"), 0, ""),
    (("customer", "search", "50%_σ", "--contains"), 0, ""),
    (("customer", "history", "7"), 0, ""),
    (("customer", "history", "nobody@example.com"), 6, ""),
    *((("customer", "import", "-", "--on-conflict", kind), code, ROWS) for kind, code in (("fail", 10), ("skip", 0))),
    (("customer", "import", "-", "--on-conflict", "update"), 0, ROWS),
    (("customer", "export"), 0, ""),
    (("audit", "list", "--customer", "7"), 0, ""),
    (("audit", "list", "--operation", "6f0e8c1a-0000-4000-8000-000000000001"), 0, ""),
    (("customer", "delete", "7", "--yes"), 0, ""),
    (("audit", "verify"), 9, ""),
    (("migrate", "repair", "--env", "test", "--environment", "test", "--yes"), 0, ""),
)


@pytest.fixture(scope="module")
def collected(stand_in: tuple[Inside, Server]) -> dict[str, list[str]]:
    """Return every statement that is not of a script, once, under the first command that made it."""
    project, server = stand_in
    server.answers = dict(FREE)
    batches = [batch for path in script_files() for batch in split(path.read_text())]
    scripts = {batch.before + batch.text + batch.behind for batch in batches}
    seen: set[str] = set(scripts)
    made: dict[str, list[str]] = {}
    for arguments, code, typed in COMMANDS:
        before = len(server.asked)
        done = project.run(*arguments, stdin=typed)
        assert done.code == code, f"{arguments}: exit {done.code}\n{done.err}"
        for statement, _ in server.asked[before:]:
            if statement not in seen:
                seen.add(statement)
                made.setdefault(" ".join(("custctl", *arguments)), []).append(_settled(statement))
    return made


def _settled(statement: str) -> str:
    """Return a statement without what differs from run to run."""
    statement = re.sub(r"N'custctl:[0-9a-f]{40}:'", "N'custctl:…:'", statement)
    return "\n".join(line.rstrip() for line in statement.replace("\t", "  ").splitlines())


@pytest.fixture(scope="module")
def statements(collected: dict[str, list[str]]) -> list[str]:
    """Return the statements alone."""
    return list(dict.fromkeys(statement for made in collected.values() for statement in made))


def test_what_is_asked_of_the_stand_in_is_what_it_was(collected: dict[str, list[str]]) -> None:
    """A change of any statement is seen, and looked at by whoever made it."""
    seen: set[str] = set()
    parts = []
    for command, made in collected.items():
        new = [statement for statement in made if statement not in seen]
        seen.update(new)
        parts += [f"-- {command}", *(f"{statement}\nGO" for statement in new), ""] if new else []
    text = "\n".join(parts)
    if os.environ.get("CUSTCTL_UPDATE_GOLDEN"):
        EXPECTED.parent.mkdir(exist_ok=True)
        EXPECTED.write_text(text)
    assert text == EXPECTED.read_text()


def test_every_statement_asked_of_the_stand_in_is_t_sql(statements: list[str]) -> None:
    assert not {statement: found for statement in statements if (found := unparsable(statement))}


@pytest.mark.usefixtures("collected")
def test_no_statement_asked_of_the_stand_in_has_too_many_parameters(stand_in: tuple[Inside, Server]) -> None:
    assert max(count for _, count in stand_in[1].asked) <= 2_100


def test_every_table_that_the_stand_in_is_asked_for_has_its_schema(statements: list[str]) -> None:
    named = re.compile(r"\b(?:FROM|JOIN|INTO|TABLE|UPDATE) (?!\(|SELECT\b)(\[?\w+\]?(?:\.\[?\w+\]?)*)")
    views = {"sys", "held", "INFORMATION_SCHEMA"}
    for statement in statements:
        for name in named.findall(statement):
            first, *others = name.replace("[", "").replace("]", "").split(".")
            assert first in views or (first == "dbo" and others), f"{name} in {statement}"


MISSING = {
    "LIMIT": r"\bLIMIT\b",
    "row values": r"\([\w.\[\]]+, [\w.\[\]]+\) *(?:[<>=]|IN\b)",
    "scope_identity": r"(?i)\bscope_identity\b|@@IDENTITY",
    "IDENTITY_INSERT": r"\bIDENTITY_INSERT\b",
    "a subquery in OUTPUT": r"OUTPUT (?:(?!VALUES|WHERE|SELECT)[^(])*\(SELECT",
    "a comparison in a select list": r"SELECT [\w.\[\]]+ (?:=|<>|<|>|IS) (?!NULL AS)",
    "ISNULL of a boolean": r"\b(?:true|false)\b",
    "ANSI concatenation": r"\|\|",
    "a column with its schema": r"\[dbo\]\.\[?\w+\]?\.",
}


@pytest.mark.parametrize("what", MISSING)
def test_no_statement_asked_of_the_stand_in_has(what: str, statements: list[str]) -> None:
    found = [statement for statement in statements if re.search(MISSING[what], statement)]
    assert not found


def test_the_version_is_a_condition_of_each_update_and_delete_of_one_customer(statements: list[str]) -> None:
    writes = [s for s in statements if re.match(r"(?:UPDATE|DELETE FROM) \[dbo\]\.customer ", s)]
    assert len(writes) >= 3
    for statement in writes:
        assert "customer.id = ? AND customer.version = ? AND (EXISTS" in statement, statement


def test_a_null_is_written_out_and_never_asked_about(statements: list[str]) -> None:
    inserts = [statement for statement in statements if statement.startswith("INSERT INTO [dbo].customer_audit ")]
    assert inserts
    assert all("NULL" in statement for statement in inserts)
