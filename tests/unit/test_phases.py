"""Which release the product's own scripts belong to."""

from __future__ import annotations

from pathlib import Path

import pytest

from custctl.engines import ENGINES, open_database
from custctl.engines.base import EngineSettings
from custctl.migrations.phases import phase_of, phase_of_rule
from custctl.migrations.plan import split_script
from custctl.migrations.scripts import discover
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
