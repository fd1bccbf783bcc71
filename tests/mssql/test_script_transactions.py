"""What a statement of a script does to its transaction, as the server tells it; the server is a stand-in."""

from __future__ import annotations

import pytest

from tests.inside import Inside
from tests.mssql.stand_in import Server

ENDED = "the statement ended the script's transaction"
OPEN = "the statement begins a transaction and leaves it open"


@pytest.mark.parametrize(
    ("depth", "mark", "message", "kept"),
    [
        (0, "NoLock", ENDED, "what it committed is kept"),
        (1, "NoLock", ENDED, "what it committed is kept"),
        (2, "Exclusive", OPEN, "none of it was kept"),
    ],
)
@pytest.mark.parametrize("off", [False, True])
def test_a_statement_that_meddles_with_its_transaction_is_told_by_its_line(
    stand_in: tuple[Inside, Server], depth: int, mark: str, message: str, kept: str, off: bool
) -> None:
    project, server = stand_in
    folder = project.path / "sql" / "mssql" / "migrations"
    folder.mkdir(parents=True, exist_ok=True)
    head = "-- custctl: transaction=off\n" if off else "\n"
    (folder / "0001_a.sql").write_text(f"{head}CREATE TABLE a (x INT)\nGO\nEXEC meddle\n")
    whole, answers = [(1, "Exclusive")], iter([(1, "Exclusive"), (depth, mark)])

    def answer(statement: str, parameters: object) -> object:
        # Of two statements the second one is it.
        if "SELECT @@TRANCOUNT, APPLOCK_MODE" in statement:
            server.answers["SELECT @@TRANCOUNT, APPLOCK_MODE"] = [next(answers)]
        return asked(statement, parameters)  # type: ignore[arg-type]

    asked = server.answer
    server.answers["SELECT @@TRANCOUNT, APPLOCK_MODE"] = whole
    server.rows["schema_migration"].clear()
    server.answer = answer  # type: ignore[assignment, method-assign]
    try:
        done = project.run("migrate", "--sql-dir", folder.parent.parent)
    finally:
        server.answer = asked  # type: ignore[method-assign]
        server.answers.clear()
    assert done.code == 11, done.err
    assert f"migrations/0001_a.sql:4: statement 2 of 2 failed: {message}" in done.err
    assert ("1 of its 2 statements are applied" if off else kept) in done.err
    assert ("ROLLBACK TRANSACTION" in server.asked[-1][0]) or any("ROLLBACK" in text for text, _ in server.asked[-20:])
