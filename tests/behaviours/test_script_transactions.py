"""Statements of scripts that end their transaction or leave one open where the splitter cannot see it."""

from __future__ import annotations

import pytest

from tests.behaviours.support import Place

ENDING = {
    "mssql": (
        "EXEC(N'COMMIT')",
        "EXEC(N'ROLLBACK')",
        "BEGIN TRY EXEC(N'COMMIT') END TRY BEGIN CATCH PRINT N'oops' END CATCH",
        "EXEC(N'COMMIT; BEGIN TRANSACTION')",
    ),
    "postgresql": ("DO $$ BEGIN EXECUTE 'COMMIT'; END $$",),
    "sqlite": ("INSERT OR ROLLBACK INTO held VALUES (NULL)",),
}
BEGINNING = {
    "mssql": (
        "EXEC(N'BEGIN TRANSACTION')",
        "BEGIN TRY EXEC(N'BEGIN TRANSACTION; BEGIN TRANSACTION') END TRY BEGIN CATCH PRINT N'oops' END CATCH",
    ),
    "postgresql": ("DO $$ BEGIN EXECUTE 'BEGIN'; END $$",),
    "sqlite": (),
}
RECORDS = (
    "DELETE FROM schema_migration",
    "UPDATE schema_migration SET state = 'failed' WHERE version = 1",
    "DELETE FROM Custctl_Metadata WHERE name = 'environment'",
)
EMPTYING = {"postgresql": ("TRUNCATE schema_migration",)}
ASSEMBLED = {
    "postgresql": ("DO $$ BEGIN EXECUTE 'DELETE FROM schema_' || 'migration'; END $$",),
    "mssql": ("EXEC('DELETE FROM schema_' + 'migration')",),
}
OFF = "-- custctl: transaction=off\n"


HELD = "CREATE TABLE held (x INTEGER NOT NULL)"


def test_a_statement_that_meddles_with_its_transaction_is_told_at_its_line(empty: Place) -> None:
    place = empty
    place.write("0001_a", HELD)
    place.ok("migrate")
    for number, statement in enumerate(ENDING[place.engine] + BEGINNING[place.engine], 1):
        insert = f"INSERT INTO held VALUES ({number})"
        place.write("0002_b", insert, statement, f"CREATE TABLE behind_{number} (x INTEGER)")
        error = place.refused(11, "migrate")
        assert "migrations/0002_b.sql:3: statement 2 of 3 failed" in error["message"], statement
        # What it says of what was kept is true.
        kept = "what it committed is kept" in error["message"]
        assert kept != ("none of it was kept" in error["message"]), f"{statement}: {error['message']}"
        assert kept >= bool(place.count("held", f"x = {number}")), f"{statement}: {error['message']}"
    assert place.tables(*(f"behind_{at}" for at in range(9))) == set()
    assert place.count("schema_migration") == 1
    place.write("0002_b", "INSERT INTO held VALUES (0)")
    place.ok("migrate")
    assert place.count("held", "x = 0") == 1


@pytest.mark.parametrize("begin", [(), ("BEGIN TRANSACTION",)], ids=["alone", "in_one_of_its_own"])
def test_so_it_is_in_a_script_without_a_transaction(empty: Place, begin: tuple[str, ...]) -> None:
    place = empty
    place.write("0001_a", HELD)
    place.ok("migrate")
    statements = ENDING[place.engine] + (() if begin else BEGINNING[place.engine])
    # One that ends the script's own transaction and begins another one leaves the script in a transaction, as before.
    tried = [each for each in statements if not (begin and "; BEGIN" in each)]
    for number, statement in enumerate(tried, 2):
        first, last = f"{OFF}INSERT INTO held VALUES ({number})", f"CREATE TABLE behind_{number} (x INTEGER)"
        place.write(f"{number:04d}_b", first, *begin, statement, last)
        error = place.refused(11, "migrate")
        at = 2 + len(begin)
        assert f"_b.sql:{2 * at}: statement {at} of {at + 1} failed" in error["message"], statement
        assert f"1 of its {at + 1} statements are applied" in error["message"]
        assert place.sql(f"SELECT state, statements_applied FROM schema_migration WHERE version = {number}") == [
            ("failed", 1)
        ]
        # Fixed, it goes on behind what it had applied.
        place.write(f"{number:04d}_b", first, last)
        place.ok("migrate")
    assert place.tables(*(f"behind_{at}" for at in range(9))) == {f"behind_{at}" for at in range(2, 2 + len(tried))}
    assert place.sql("SELECT x FROM held ORDER BY x") == [(at,) for at in range(2, 2 + len(tried))]


@pytest.mark.parametrize("options", ["", OFF])
def test_a_script_leaves_the_journal_and_the_stamp_alone(empty: Place, options: str) -> None:
    place = empty
    place.write("0001_a", HELD)
    place.ok("migrate")
    before = place.sql("SELECT version, name, state FROM schema_migration")
    told = "the script changes custctl's records in `schema_migration` and `custctl_metadata`"
    # Outside a script's transaction, PostgreSQL keeps what such a block has done.
    assembled = ASSEMBLED.get(place.engine, ()) if not options else ()
    for number, statement in enumerate(RECORDS + EMPTYING.get(place.engine, ()) + assembled, 2):
        place.write(f"{number:04d}_b", options + statement)
        error = place.refused(11, "migrate")
        assert f"_b.sql:{2 if options else 1}: " in error["message"], statement
        assert told in error["message"], statement
        place.write(f"{number:04d}_b", f"{options}-- not schema_migration\nINSERT INTO held VALUES ({number})")
        place.ok("migrate")
    assert place.sql("SELECT version, name, state FROM schema_migration ORDER BY version")[:1] == before
    assert place.sql("SELECT value FROM custctl_metadata WHERE name = 'environment'") == [("development",)]


@pytest.mark.parametrize("number", [7, -3])
def test_a_journal_that_was_edited_and_names_no_statement_in_flight(empty: Place, number: int) -> None:
    empty.write("0001_a", f"{OFF}{HELD}", "INSERT INTO held VALUES (NULL)")
    empty.refused(11, "migrate")
    empty.sql(f"UPDATE schema_migration SET state = 'running', in_flight = {number}")
    empty.refused(11, "migrate")
    empty.sql(f"UPDATE schema_migration SET state = 'running', in_flight = {number}")
    empty.ok("migrate", "repair", "--yes")
    empty.write("0001_a", f"{OFF}{HELD}", "INSERT INTO held VALUES (1)")
    empty.ok("migrate")
    assert empty.sql("SELECT x FROM held") == [(1,)]
