"""`custctl migrate` as a command: its options, its output, signals, and files that cannot be used."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import re
import resource
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Project
from tests.integration.conftest import SLOW, Workshop

# -- status, validate, new -------------------------------------------------------------------------


def test_status_shows_every_script_and_check_makes_it_an_exit_code(shop: Workshop) -> None:
    shop.tables("a")
    assert shop.migrate("status").code == 0
    assert "1 script is pending" in shop.refused("status", "--check", code=8)
    assert not (shop.project.path / "dev.db").exists()
    shop.ok()
    assert shop.ok("status", "--check", "-o", "json").json == {
        "items": shop.ok("status", "-o", "json").json["items"],
        "next": None,
    }
    shop.write("0002_b", "CREATE TABLE b (x);\n")
    shop.write("0003_c", "CREATE TABLE c (x);\n")
    assert "2 scripts are pending" in shop.refused("status", "--check", code=8)
    rows = shop.ok("status", "-o", "json").json["items"]
    assert [(row["version"], row["state"]) for row in rows] == [(1, "applied"), (2, "pending"), (3, "pending")]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rows[0]["started_at"])
    # Drift weighs more than what is pending.
    shop.write("0001_a", "SELECT 1;\n")
    assert "drifted" in shop.ok("status").out
    assert "changed after they were applied" in shop.refused("status", "--check", code=11)


def test_validate_lists_every_problem_and_writes_nothing(shop: Workshop) -> None:
    shop.tables("a", "b", "c")
    shop.ok("--target", "1")
    shop.write("0005_e", "CREATE TABLE e (x);\n")
    shop.ok("--allow-out-of-order")
    assert "the scripts are valid" in shop.ok("validate").err
    shop.write("0001_a", "SELECT 1;\n")
    (shop.folder / "migrations/0002_b.sql").unlink()
    shop.write("0004_late", "CREATE TABLE d (x);\n")
    shop.write("0006_unfit", "SELECT 1;\nCOMMIT;\n")
    shop.write("0007_open", "SELECT 'x;\n")
    shop.write("0008_lint", "\nDELETE FROM c;\n")
    shop.write("seed/demo/s", "DELETE FROM c;\n")
    before = (shop.project.path / "dev.db").read_bytes()
    result = shop.migrate("validate", "-o", "json")
    assert result.code == 11
    found = {(row["severity"], row["script"], row["line"], row["rule"]) for row in result.json["items"]}
    assert found == {
        ("error", "migrations/0001_a.sql", None, "drift"),
        ("warning", "migrations/0002_b.sql", None, "missing"),
        ("error", "migrations/0004_late.sql", None, "late"),
        ("error", "migrations/0006_unfit.sql", 2, "unfit"),
        ("error", "migrations/0007_open.sql", 1, "unfit"),
        ("warning", "migrations/0008_lint.sql", 2, "delete-without-where"),
        ("warning", "seed/demo/s.sql", 1, "delete-without-where"),
    }
    assert "4 problems found" in result.error["message"]
    assert (shop.project.path / "dev.db").read_bytes() == before


def test_validate_needs_no_database(shop: Workshop) -> None:
    shop.write("0001_a", "DELETE FROM a;\n")
    assert "with 1 warning" in shop.ok("validate").err
    assert "error" in shop.migrate("validate", env="prod").out
    assert not (shop.project.path / "dev.db").exists()


def test_new_makes_the_next_script_for_every_engine(shop: Workshop) -> None:
    shop.tables("a", "b")
    (shop.folder.parent / "postgresql" / "migrations").mkdir(parents=True)
    (shop.folder.parent / "postgresql" / "migrations" / "0007_only_here.sql").write_text("SELECT 1;\n")
    rows = shop.ok("new", "Ajoute l'été!", "-o", "json").json["items"]
    names = [str(Path(row["script"]).relative_to(shop.project.path)) for row in rows]
    assert names == [
        "sql/postgresql/migrations/1000_ajoute_l_ete.sql",
        "sql/sqlite/migrations/1000_ajoute_l_ete.sql",
    ]
    assert (shop.project.path / names[0]).read_text() == "-- Ajoute l'été!\n\n"
    assert "does not give a file name" in shop.refused("new", "!!!", code=2)
    assert "the script has no statements" in shop.refused("--dry-run")


def test_new_never_writes_into_the_bundled_folder(project: Project) -> None:
    project.environ.pop("CUSTCTL_SQL_DIR", None)
    before = sorted((REPOSITORY / "sql").rglob("*"))
    result = project.run("migrate", "new", "x")
    assert result.code == 2
    assert "cp -r" in result.err
    assert sorted((REPOSITORY / "sql").rglob("*")) == before


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option", [("--dry-run",), ("--target", "1"), ("--lock-timeout", "1s"), ("--wait", "1s"), ("--allow-out-of-order",)]
)
def test_options_of_bare_migrate_before_a_subcommand_are_refused(shop: Workshop, option: tuple[str, ...]) -> None:
    shop.tables("a")
    error = shop.refused(*option, "status", code=2)
    assert f"`{option[0]}` belongs to bare `migrate`, not to `migrate status`" in error


def test_the_environment_may_stand_at_any_level_and_only_once(shop: Workshop) -> None:
    shop.tables("a")
    run = shop.project.run
    for arguments in (
        ("--env", "test", "migrate"),
        ("migrate", "--env", "test", "status"),
        ("migrate", "status", "-e", "test"),
        ("-e", "test", "migrate", "--env", "test", "status", "--env=test"),
    ):
        assert run(*arguments).code == 0
    assert (shop.project.path / "test.db").exists()
    for wrong in (
        ("--env", "test", "migrate", "--env", "dev"),
        ("migrate", "--env", "test", "--env", "dev"),
        ("migrate", "--env", "test", "status", "--env", "dev"),
        ("migrate", "--env", ""),
        ("migrate", "--env", " "),
        ("migrate", "--env", "nowhere"),
    ):
        assert run(*wrong).code == 2, wrong
    shop.project.environ["CUSTCTL_ENV"] = ""
    assert "`CUSTCTL_ENV` is set but empty" in run("migrate").err
    assert run("migrate").code == 2
    assert not (shop.project.path / "dev.db").exists(), "nothing is silently run on dev"
    shop.project.environ["CUSTCTL_ENV"] = "staging"
    assert "staging (staging)" in shop.project.ok("migrate").err


@pytest.mark.parametrize(
    "option", [("--lock-timeout", "soon"), ("--wait", "-1s"), ("--target", "0"), ("--target", "x")]
)
def test_wrong_values_are_usage_errors(shop: Workshop, option: tuple[str, ...]) -> None:
    shop.tables("a")
    assert option[0] in shop.refused(*option, code=2)
    assert not (shop.project.path / "dev.db").exists()


def test_quiet_leaves_errors_alone(shop: Workshop) -> None:
    shop.tables("a")
    assert shop.ok("-q").err == ""
    shop.write("0002_b", "bad;\n")
    result = shop.migrate("-q", "-o", "json")
    assert result.out == ""
    assert list(result.error) == ["code", "exit_code", "message", "hint", "details"]
    assert len(result.err.splitlines()) == 1


# -- files that cannot be used ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"this is no database, and long enough to be sure of it" * 9, b"SQLite format 3\0" * 99]
)
def test_a_file_that_is_no_database_is_unavailable(shop: Workshop, content: bytes) -> None:
    shop.tables("a")
    (shop.project.path / "dev.db").write_bytes(content)
    for arguments in ((), ("--dry-run",), ("status",), ("validate",), ("repair",), ("baseline", "1")):
        shop.refused(*arguments, code=3)
    assert (shop.project.path / "dev.db").read_bytes() == content


def test_an_empty_file_is_an_empty_database(shop: Workshop) -> None:
    shop.tables("a")
    (shop.project.path / "dev.db").touch()
    shop.ok()
    assert shop.names() == {"a"}


def test_a_folder_in_the_place_of_the_database_is_told(shop: Workshop) -> None:
    shop.tables("a")
    (shop.project.path / "dev.db").mkdir()
    shop.refused(code=3)


def test_a_database_locked_by_another_program_is_unavailable(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok()
    shop.project.profile("dev", "development", path="dev.db")
    text = (shop.project.path / "profiles/dev.yaml").read_text()
    (shop.project.path / "profiles/dev.yaml").write_text(text.replace("dev.db}", "dev.db, statement_timeout: 1s}"))
    shop.tables("a", "b")
    other = shop.project.database()
    other.execute("BEGIN IMMEDIATE")
    error = shop.refused(code=3)
    assert "migrations/0002_b.sql:1: before statement 1 of 2: " in error
    assert "none of it was kept" in error
    assert "is locked by another process" in error
    other.execute("ROLLBACK")
    other.close()
    shop.ok()


def _give_up_root() -> None:
    """Let permissions count for root too, in the child: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH are dropped."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):
            if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                os._exit(77)


def test_a_folder_or_file_that_is_read_only_is_told(shop: Workshop) -> None:
    shop.tables("a")
    shop.project.profile("dev", "development", path="data/dev.db")
    data = shop.project.path / "data"
    data.mkdir()

    def migrate() -> tuple[int, str]:
        process = shop.project.start("migrate", preexec_fn=_give_up_root)
        _, error = process.communicate(timeout=60)
        if process.returncode == 77:
            pytest.skip("root cannot give up its privileges here")
        assert b"Traceback" not in error
        assert b"unexpected" not in error
        return process.returncode, error.decode()

    data.chmod(0o555)
    code, error = migrate()
    assert code == 4
    assert (
        "hint: check the path of the database in the profile, and the owner and the permissions of its folder" in error
    )
    data.chmod(0o755)
    assert migrate()[0] == 0
    shop.tables("a", "b")
    for mode, wanted, told in ((0o444, 4, "cannot be written"), (0o000, 4, "cannot be opened"), (0o644, 0, "applied")):
        for path in data.glob("dev.db*"):
            path.chmod(mode)  # SQLite gives the files beside the database the database's own mode
        (data / "dev.db.lock").chmod(0o600)
        code, error = migrate()
        assert code == wanted, error
        assert told in error
    data.chmod(0o555)
    shop.tables("a", "b", "c")
    code, error = migrate()
    assert code in (3, 4), error
    data.chmod(0o755)


def test_a_full_disk_is_told_and_leaves_nothing_half_done(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok()
    insert = "INSERT INTO b SELECT zeroblob(1000000) FROM generate;\n"
    many = "CREATE TEMP VIEW generate AS WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 30) SELECT n FROM c;\n"
    shop.write("0002_b", f"CREATE TABLE b (x);\n{many}{insert}")

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))

    process = shop.project.start("migrate", preexec_fn=no_room)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 3, error
    assert b"Traceback" not in error
    assert b"migrations/0002_b.sql" in error
    assert b"check the disk and its free space" in error
    assert shop.names() == {"a"}
    shop.ok()
    assert shop.query("SELECT count(*) FROM b") == [(30,)]


# -- signals and pipes -----------------------------------------------------------------------------


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("header", ["", "-- custctl: transaction=off\n"])
def test_a_signal_ends_a_long_statement_and_tells_what_was_committed(
    shop: Workshop, signal_number: signal.Signals, code: int, header: str
) -> None:
    shop.tables("a")
    shop.write("0002_slow", header + SLOW.format(turns=10**9))
    shop.write("0003_c", "CREATE TABLE c (x);\n")
    process = shop.project.start("migrate", "-v")
    assert process.stderr is not None
    while b"applying migrations/0002_slow.sql" not in process.stderr.readline():
        assert process.poll() is None
    if header:
        shop.wait_for(lambda: shop.journal().get("0002_slow") == ("running", 1), process)
    process.send_signal(signal_number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code
    assert (
        b"error: interrupted in `migrations/0002_slow.sql`; this run applied 1 script, up to `migrations/0001_a.sql`\n"
        b"hint: run it again: it resumes where it stopped\n"
    ) in error
    assert shop.names() == ({"a", "slow"} if header else {"a"})
    shop.write("0002_slow", header + SLOW.format(turns=10))
    shop.ok()
    assert shop.query("SELECT n FROM slow") == [(10,)]


def test_a_signal_while_waiting_for_the_lock_changes_nothing(shop: Workshop) -> None:
    shop.tables("a")
    with (shop.project.path / "dev.db.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = shop.project.start("migrate")
        assert process.stderr is not None
        while b"waiting for another migration" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"error: interrupted" in error
    assert not (shop.project.path / "dev.db").exists()


def test_a_signal_is_told_as_json_too(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("0002_slow", SLOW.format(turns=10**9))
    process = shop.project.start("migrate", "-o", "json")
    shop.wait_for(lambda: "0001_a" in shop.journal(), process)
    process.terminate()
    out, error = process.communicate(timeout=60)
    assert out == b""
    told = json.loads(error.splitlines()[-1])["error"]
    assert (told["code"], told["exit_code"]) == ("interrupted", 143)


def test_a_reader_of_stderr_that_goes_away_does_not_end_the_run(shop: Workshop) -> None:
    shop.tables(*(f"t{n}" for n in range(20)))
    read, write = os.pipe()
    process = shop.project.start("migrate", stderr=write)
    os.close(write)
    os.close(read)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(out.splitlines()) == 21
    assert len(shop.names()) == 20


def test_a_database_that_cannot_be_reached_yet_is_waited_for(shop: Workshop) -> None:
    shop.tables("a")
    path = shop.project.path / "dev.db"
    path.write_bytes(b"not yet a database, nor for a while" * 99)
    process = shop.project.start("migrate", "--wait", "20s", "-v")
    assert process.stderr is not None
    # What it says comes in lines: the first one is that it waits.
    while b"waiting: " not in process.stderr.readline():
        assert process.poll() is None
    path.unlink()
    assert process.wait(timeout=60) == 0
    process.communicate()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT x FROM a").fetchall() == [(1,)]
    connection.close()
