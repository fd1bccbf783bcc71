"""Which release a script belongs to, and the product's own scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from custctl.engines import ENGINES, open_database
from custctl.engines.base import EngineSettings
from custctl.migrations.phases import CONTRACT, in_words, phase_of, phase_of_rule
from custctl.migrations.plan import split_script
from custctl.migrations.scripts import Script, checksum, discover
from tests.conftest import REPOSITORY

# What the linter alone would leave for the contract release, and has been looked at: the column is new, and what the
# release before writes meets the constraint by the column's default.
LOOKED_AT = {"mssql": {"migrations/0008_add_audit_login.sql"}}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_release_before_tolerates_every_script_of_the_product(engine: str) -> None:
    database = open_database(engine, EngineSettings(location="shop", path=Path("shop.db"), name="shop", schema="dbo"))
    folder = discover(REPOSITORY / "sql", engine)
    statements = {script: list(split_script(database, script)) for script in (*folder.versioned, *folder.repeatable)}
    assert {phase_of(database, script, found) for script, found in statements.items()} == {"expand"}
    left = {
        script.name
        for script, found in statements.items()
        if script.directives.phase is None
        for finding in database.lint(found, transaction=script.directives.transaction)
        if phase_of_rule(finding.rule) == "contract"
    }
    assert left == LOOKED_AT.get(engine, set())


def company(text: str) -> Script:
    name = "migrations/1000_x.sql"
    return Script("versioned", 1000, "x", name, Path(name), text, checksum(text))


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("DROP TABLE a", {"drop-table"}),
        ("DROP VIEW a CASCADE", {"drop-cascade"}),
        ("DROP TRIGGER t ON a", {"drop-trigger"}),
        ("ALTER TABLE a DROP COLUMN b", {"drop-column"}),
        ("ALTER TABLE a RENAME TO b", {"rename-table"}),
        ("ALTER TABLE a RENAME COLUMN b TO c", {"rename-column"}),
        ("ALTER TABLE a ALTER COLUMN b TYPE text", {"alter-column-type"}),
        ("DELETE FROM a", {"delete-without-where"}),
        ("TRUNCATE a", {"truncate"}),
        ("ALTER TABLE a ADD COLUMN b int NOT NULL", {"not-null-without-default"}),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL", {"set-not-null"}),
        ("ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)", {"constraint-validated"}),
        # One statement is enough, and so is one that is allowed.
        ("CREATE INDEX i ON a (b); TRUNCATE a", {"truncate"}),
        ("-- custctl: allow=truncate it is a copy\nTRUNCATE a", {"truncate"}),
        # These lock or rewrite, and break nothing that runs.
        ("CREATE INDEX i ON a (b)", set()),
        ("UPDATE a SET b = 1", set()),
        ("CREATE TABLE a (b int NOT NULL)", set()),
    ],
)
def test_what_breaks_the_running_release_belongs_to_the_next(text: str, rules: set[str]) -> None:
    database = open_database("postgresql", EngineSettings(location="shop", name="shop", schema="public"))
    script = company(text)
    statements = split_script(database, script)
    found = database.lint(statements, transaction=True)
    assert {finding.rule for finding in found} & CONTRACT == rules
    assert phase_of(database, script, statements) == ("contract" if rules else "expand")
    for finding in found:
        release = "contract" if finding.rule in rules else "expand"
        assert in_words(finding) == f"{finding.rule}: {finding.message} ({release} release)"
    for phase in ("expand", "contract"):
        told = company(f"-- custctl: phase={phase}\n{text}")
        assert phase_of(database, told, statements) == phase
