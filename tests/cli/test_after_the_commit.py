"""What fails after a commit never makes the command look as if nothing was written."""

from __future__ import annotations

import os
from typing import Any, NoReturn

import pytest

from tests.cache.test_commands import with_cache
from tests.conftest import ADA, SQLITE_SCRIPTS, Project
from tests.inside import Inside

NEW = ("--email", "n@example.com", "--first-name", "N", "--last-name", "N")


def fail(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("the values of a row")


@pytest.fixture
def inside(migrated: Project) -> Inside:
    migrated.ok("customer", "add", *ADA)
    return Inside(migrated.path, migrated.environ)


WRITES = {
    "add": ("customer", "add", *NEW),
    "update": ("customer", "update", "1", "--city", "X"),
    "delete": ("customer", "delete", "1", "--yes"),
}


@pytest.mark.parametrize("where", ["CacheMirror._opened", "CacheMirror.close"])
@pytest.mark.parametrize("case", WRITES)
def test_a_cache_that_fails_in_any_way_is_a_warning(
    inside: Inside, case: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cache(inside, "redis://127.0.0.1:1/0")
    monkeypatch.setattr(f"custctl.cache.mirroring.{where}", fail)
    result = inside.ok(*WRITES[case])
    told = "the connections were not closed cleanly: " if "close" in where else "the cache was not updated: "
    assert f"warning: {told}unexpected RuntimeError" in result.err
    assert "values of a row" not in result.err
    # Whatever else fails to close, the database is closed: its log is written back.
    assert not list(inside.path.glob("*.db-wal"))


def test_a_database_that_cannot_be_closed_is_a_warning(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    from custctl.engines.sqlite.database import SqliteDatabase

    close = SqliteDatabase.close

    def close_and_fail(self: SqliteDatabase) -> None:
        close(self)
        fail()

    monkeypatch.setattr(SqliteDatabase, "close", close_and_fail)
    result = inside.ok(*WRITES["update"])
    assert "warning: the connections were not closed cleanly: unexpected RuntimeError" in result.err


@pytest.mark.parametrize("case", WRITES)
def test_a_result_that_cannot_be_shown_is_told_with_what_was_written(
    inside: Inside, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custctl.terminal.render.Renderer.one", fail)
    result = inside.run(*WRITES[case])
    assert result.code == 1
    assert f"{'ed' if case == 'add' else 'd'}, but then: unexpected RuntimeError" in result.err
    assert "hint: do not run it again: `custctl audit list --operation " in result.err


def test_an_interrupt_after_the_commit_says_what_was_written(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("custctl.terminal.render.Renderer.one", interrupt)
    result = inside.run(*WRITES["update"])
    assert result.code == 130
    assert "error: customer 1 was updated, but then: interrupted" in result.err
    assert "rolled back" not in result.err


def test_a_file_of_rejects_that_stays_is_a_note(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr("custctl.customers.rejects.Rejects.remove", refuse)
    (inside.path / "in.csv").write_text("email,first_name,last_name\nx@example.com,X,Y\n")
    result = inside.ok("customer", "import", "in.csv", "--rejects", "r.csv")
    assert "nothing was rejected, but `r.csv` cannot be removed: " in result.err


def test_an_import_that_fails_later_says_what_is_in(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    from custctl.customers.importing import Import

    whole = Import._commit
    done: list[int] = []

    def second_fails(self: Import, portion: Any) -> bool:
        if done:
            fail()
        done.append(1)
        return whole(self, portion)

    monkeypatch.setattr(Import, "_commit", second_fails)
    rows = "".join(f"x{number}@example.com,X,Y\n" for number in range(30_000))
    (inside.path / "in.csv").write_text("email,first_name,last_name\n" + rows)
    result = inside.run("customer", "import", "in.csv")
    assert result.code == 1
    assert "before the error, 10000 rows processed and committed: 10000 inserted" in result.err


LAST = SQLITE_SCRIPTS


@pytest.mark.parametrize("failing", [1, LAST])
def test_a_session_that_cannot_be_reset_takes_back_no_script(
    project: Project, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from custctl.engines.sqlite.session import SqliteScriptSession
    from custctl.support.errors import UnavailableError

    asked: list[int] = []

    def reset(_: SqliteScriptSession) -> None:
        asked.append(1)
        if len(asked) == failing:
            raise UnavailableError("no new connection")

    monkeypatch.setattr(SqliteScriptSession, "reset", reset)
    inside = Inside(project.path, project.environ)
    result = inside.run("migrate")
    assert asked
    if failing == LAST:
        assert result.code == 0, result.err
    else:
        assert result.code == 3
        assert (
            "no new connection; this run applied 1 script, up to `migrations/0001_create_customer.sql`" in result.err
        ), result.err
    assert inside.ok("migrate", "status", "-o", "json").json["items"][failing - 1]["state"] == "applied"
