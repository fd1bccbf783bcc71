"""`custctl migrate` on SQLite, as real processes: what it applies, what it refuses, and what it leaves behind."""

from __future__ import annotations

import json
import time

import pytest

from custctl.schema.standing import REQUIRED_SCHEMA
from tests.integration.conftest import Workshop

# -- applying --------------------------------------------------------------------------------------


def test_the_first_run_stamps_the_database_and_says_so(shop: Workshop) -> None:
    shop.tables("a", "b")
    result = shop.ok("-o", "json")
    document = result.json
    assert list(document) == ["environment", "applied", "from", "to"]
    assert (document["environment"], document["from"], document["to"]) == ("development", None, 2)
    assert [(row["version"], row["script"], row["kind"], row["statements"]) for row in document["applied"]] == [
        (1, "migrations/0001_a.sql", "versioned", 2),
        (2, "migrations/0002_b.sql", "versioned", 2),
    ]
    lacking, stamped, first, second, unusable = result.told
    assert result.announced["database"] == f"sqlite {shop.project.path / 'dev.db'}"
    assert stamped == f"stamped sqlite {shop.project.path / 'dev.db'} as `development`"
    assert first.startswith("applied migrations/0001_a.sql in ")
    assert second.startswith("applied migrations/0002_b.sql in ")
    assert "lacks scripts of this release: `migrations/0003_create_customer_audit.sql`" in lacking
    assert unusable.startswith(f"the schema of custctl is at version 2, but version {REQUIRED_SCHEMA} is required")
    assert shop.query("SELECT value FROM custctl_metadata WHERE name = 'environment'") == [("development",)]

    # A second run finds nothing to do, and changes not a byte.
    before = (shop.project.path / "dev.db").read_bytes()
    again = shop.ok("-o", "json")
    assert again.json == {"environment": "development", "applied": [], "from": 2, "to": 2}
    assert "nothing to do: the schema is at version 2" in again.err
    assert (shop.project.path / "dev.db").read_bytes() == before


def test_the_journal_holds_what_was_applied_and_when(shop: Workshop) -> None:
    text = "CREATE TABLE a (x);\nWITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000)\n"
    shop.write("0001_a", text + "INSERT INTO a SELECT max(n) FROM c;\n")
    shop.ok()
    rows = shop.query(
        "SELECT version, description, kind, state, statements_applied, statements_total, error, applied_by, tool_version,"
        " script, checksum, julianday(finished_at) > julianday(started_at), duration_ms > 0 FROM schema_migration"
    )
    version, description, kind, state, applied, total, error, applied_by, tool, script, checksum, later, took = rows[0]
    assert (version, description, kind, state, applied, total, error) == (1, "a", "versioned", "applied", 2, 2, None)
    assert "@" in str(applied_by)
    assert tool
    assert str(script).startswith(text)
    assert str(checksum).startswith("v1:sha256:")
    assert (later, took) == (1, 1), "the beginning is before the end"


def test_a_dry_run_prints_the_plan_that_is_then_executed_and_creates_nothing(shop: Workshop) -> None:
    shop.tables("a", "b")
    shop.write("repeatable/v", "CREATE VIEW v AS SELECT x FROM a;\n")
    shop.project.profile("dev", "development", path="deep/er/dev.db")
    listing = sorted(shop.project.path.rglob("*"))
    planned = shop.ok("--dry-run", "-o", "json").json
    assert sorted(shop.project.path.rglob("*")) == listing
    assert planned["applied"] == []
    assert (planned["from"], planned["to"]) == (None, 2)
    # The folder of the database is made by the first run.
    done = shop.ok("-o", "json").json
    assert [row["script"] for row in done["applied"]] == [row["script"] for row in planned["planned"]]
    assert (shop.project.path / "deep/er/dev.db").exists()


def test_a_dry_run_on_a_migrated_database_changes_nothing(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok()
    before = (shop.project.path / "dev.db").read_bytes()
    shop.tables("a", "b")
    result = shop.ok("--dry-run")
    assert "migrations/0002_b.sql\tpending" in result.out
    assert "nothing was changed" in result.err
    assert (shop.project.path / "dev.db").read_bytes() == before


def test_a_target_is_the_last_number(shop: Workshop) -> None:
    shop.tables("a", "b", "c")
    shop.write("repeatable/v", "CREATE VIEW v AS SELECT x FROM c;\n")
    assert shop.ok("--target", "2", "-o", "json").json["to"] == 2
    assert shop.names() == {"a", "b"}
    assert "only goes up" in shop.ok("--target", "1").err
    assert "no script has number 9" in shop.refused("--target", "9", code=2)
    assert [row["script"] for row in shop.ok("-o", "json").json["applied"]] == [
        "migrations/0003_c.sql",
        "repeatable/v.sql",
    ]


def test_a_repeatable_script_runs_again_when_it_changes(shop: Workshop) -> None:
    shop.tables("a")
    view = "DROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT {} AS n FROM a;\n"
    shop.write("repeatable/v", view.format(1))
    shop.ok()
    shop.write("repeatable/v", view.format(2))
    assert [row["kind"] for row in shop.ok("-o", "json").json["applied"]] == ["repeatable"]
    assert shop.query("SELECT n FROM v") == [(2,)]
    assert shop.ok("-o", "json").json["applied"] == []
    assert shop.query("SELECT count(*) FROM schema_migration WHERE kind = 'repeatable'") == [(1,)]


def test_scripts_of_other_environments_and_missing_features_are_left_out(shop: Workshop) -> None:
    shop.write("0001_a", "-- custctl: environments=production\nCREATE TABLE a (x);\n")
    shop.write("0002_b", "-- custctl: environments=development,test\nCREATE TABLE b (x);\n")
    shop.write("0003_c", "-- custctl: requires=time-travel\nCREATE TABLE c (x);\n")
    shop.ok()
    assert shop.names() == {"b"}
    states = {row["version"]: row["state"] for row in shop.ok("status", "-o", "json").json["items"]}
    assert states == {1: "left-out", 2: "applied", 3: "left-out"}
    shop.ok(env="prod")
    assert shop.names(name="prod") == {"a"}


# -- what is refused before anything runs ----------------------------------------------------------


def test_a_late_number_is_named(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("0003_c", "CREATE TABLE c (x);\n")
    shop.ok()
    shop.write("0002_late", "CREATE TABLE late (x);\n")
    error = shop.refused()
    assert "`migrations/0002_late.sql` is pending below 3, which is applied" in error
    assert "late" not in shop.names()
    assert shop.ok("--allow-out-of-order", "-o", "json").json["to"] == 3
    assert "late" in shop.names()


def test_a_number_that_stands_twice_is_refused(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("01_other", "CREATE TABLE other (x);\n")
    error = shop.refused()
    assert "the number 1 is used twice" in error
    assert "`migrations/0001_a.sql`" in error
    assert "`migrations/01_other.sql`" in error
    assert not (shop.project.path / "dev.db").exists()


def test_drift_is_shown_as_a_diff_and_line_endings_are_none(shop: Workshop) -> None:
    shop.tables("a", "b")
    shop.ok()
    path = shop.folder / "migrations/0001_a.sql"
    text = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert "nothing to do" in shop.ok().err
    path.write_bytes(text.replace(b"(1)", b"(2)"))
    error = shop.refused()
    assert "changed after they were applied: `migrations/0001_a.sql`" in error
    assert "  -INSERT INTO a VALUES (1);\n  +INSERT INTO a VALUES (2);\n" in error
    shop.write("0003_c", "CREATE TABLE c (x);\n")
    shop.refused()
    assert shop.names() == {"a", "b"}, "nothing is applied on top of drift"
    details = json.loads(shop.migrate("-o", "json").err.splitlines()[-1])["error"]["details"]
    assert "+INSERT INTO a VALUES (2);" in details["drifted"][0]["diff"]


def test_the_directives_of_an_applied_script_are_checked_too_where_scripts_are_looked_over(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok()
    shop.write("0001_a", "-- custctl: nonsense\nCREATE TABLE a (x);\nINSERT INTO a VALUES (1);\n")
    assert "changed after they were applied: `migrations/0001_a.sql`" in shop.refused()
    for verb in ("status", "validate"):
        assert "migrations/0001_a.sql:1: unknown directive `nonsense`" in shop.refused(verb)


def test_a_missing_script_is_a_warning(shop: Workshop) -> None:
    shop.tables("a", "b")
    shop.ok()
    (shop.folder / "migrations/0001_a.sql").unlink()
    assert "warning: `migrations/0001_a.sql` is applied in the journal but not on disk" in shop.ok().err
    assert "missing" in shop.ok("status").out
    assert "missing" in shop.ok("validate").out


def test_tables_without_a_journal_are_refused(shop: Workshop) -> None:
    shop.tables("a")
    shop.change("CREATE TABLE old (x);")
    error = shop.refused()
    assert "has tables (`old`) and no journal" in error
    assert "migrate baseline" in error
    assert shop.names() == {"old"}
    assert shop.query("SELECT count(*) FROM sqlite_master") == [(1,)]


def test_a_foreign_journal_is_told_from_our_own(shop: Workshop) -> None:
    shop.tables("a")
    shop.change("CREATE TABLE schema_migration (version TEXT PRIMARY KEY);")
    assert "is not custctl's journal: no such column" in shop.refused()
    assert "is not custctl's journal" in shop.refused("status")


@pytest.mark.parametrize("how", ["DELETE FROM custctl_metadata", "DROP TABLE custctl_metadata"])
def test_a_journal_without_a_stamp_is_refused(shop: Workshop, how: str) -> None:
    shop.tables("a")
    shop.ok()
    shop.change(how)
    assert "has a journal but no environment stamp" in shop.refused(code=7)
    shop.ok("repair", "--environment", "development", "--yes")
    assert "nothing to do" in shop.ok().err


def test_a_stamp_of_another_environment_refuses_everything_that_writes(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("seed/reference/x", "INSERT INTO a VALUES (2);\n")
    shop.ok(env="prod")
    shop.project.profile("dev", "development", path="prod.db")
    before = (shop.project.path / "prod.db").read_bytes()
    told = "is stamped `production`, but the profile is for `development`"
    # Nothing is pending, and all the same:
    assert told in shop.refused(code=7)
    assert told in shop.refused("--dry-run", code=7)
    assert told in shop.refused("repair", "--yes", code=7)
    shop.tables("a", "b")
    assert told in shop.refused(code=7)
    shop.refused("baseline", "1", code=11)
    assert shop.project.run("seed").code == 7
    assert (
        shop.project.run("customer", "add", "--email", "a@example.com", "--first-name", "A", "--last-name", "B").code
        == 7
    )
    assert (shop.project.path / "prod.db").read_bytes() == before
    assert told.split(",", maxsplit=1)[0].removeprefix("is ") in shop.ok("status").err


@pytest.mark.parametrize("keyword", ["BEGIN", "begin immediate", "COMMIT", "END TRANSACTION", "ROLLBACK", "USE other"])
def test_transaction_control_is_refused_before_anything_runs(shop: Workshop, keyword: str) -> None:
    shop.tables("a")
    shop.write("0002_b", f"CREATE TABLE b (x);\n\n/* and */ {keyword};\n")
    error = shop.refused()
    assert (
        f"migrations/0002_b.sql:3: `{keyword.split(maxsplit=1)[0].upper()}` would break the script's transaction"
        in error
    )
    assert "transaction=off" in error
    assert not (shop.project.path / "dev.db").exists(), "not even the script before it ran"


def test_what_only_looks_like_transaction_control_runs(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        "CREATE TABLE a (x);\n-- COMMIT;\nINSERT INTO a VALUES ('; COMMIT; ');\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = CASE WHEN 1 THEN 2 END; END;\n"
        "SAVEPOINT s;\nINSERT INTO a VALUES (1);\nRELEASE s;\n",
    )
    shop.ok()
    assert shop.query("SELECT count(*) FROM a WHERE x = 2") == [(2,)]


@pytest.mark.parametrize(
    "text", ["INSERT INTO a VALUES ('it;\n", "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;\n"]
)
def test_a_script_that_cannot_be_split_is_refused_before_anything_runs(shop: Workshop, text: str) -> None:
    shop.tables("a")
    shop.write("0002_b", f"\n{text}")
    assert "migrations/0002_b.sql:2: " in shop.refused()
    assert not (shop.project.path / "dev.db").exists()


# -- the linter ------------------------------------------------------------------------------------


def test_a_finding_warns_in_development_and_stops_where_it_counts(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("0002_b", "CREATE TABLE b (x);\n")
    for env in ("dev", "staging", "prod"):
        shop.ok(env=env)
    shop.write("0003_drop", "CREATE TABLE c (x);\n\nDROP TABLE a;\n")
    assert "warning: migrations/0003_drop.sql:3: drop-table: " in shop.ok().err
    assert "a" not in shop.names()
    for env, environment in (("staging", "staging"), ("prod", "production")):
        error = shop.refused(env=env)
        assert f"the linter found 1 problem, which stops a migration in {environment}" in error
        assert "migrations/0003_drop.sql:3: drop-table: " in error
        assert "allow=drop-table" in error
        assert shop.names(name=env) == {"a", "b"}
        assert "drop-table" in shop.refused("--dry-run", env=env)
        assert "drop-table" in shop.refused("validate", env=env) + shop.migrate("validate", env=env).out
    shop.write(
        "0003_drop", "-- custctl: allow=drop-table nobody reads it since spring\nCREATE TABLE c (x);\n\nDROP TABLE a;\n"
    )
    shop.ok(env="prod")
    assert shop.names(name="prod") == {"b", "c"}


# -- failing ---------------------------------------------------------------------------------------


def test_a_script_that_fails_leaves_nothing_and_says_where(shop: Workshop) -> None:
    shop.tables("a")
    shop.write(
        "0002_b", "CREATE TABLE b (x UNIQUE);\nINSERT INTO b VALUES (1);\n\nINSERT INTO b\nVALUES (1);\nSELECT 1;\n"
    )
    shop.write("0003_c", "CREATE TABLE c (x);\n")
    error = shop.refused()
    assert "error: migrations/0002_b.sql:4: statement 3 of 4 failed: UNIQUE constraint failed: b.x\n" in error
    assert "    INSERT INTO b …\n" in error
    assert "none of it was kept; this run applied 1 script, up to `migrations/0001_a.sql`" in error
    assert shop.names() == {"a"}
    assert shop.journal() == {"0001_a": ("applied", 2)}
    details = json.loads(shop.migrate("-o", "json").err.splitlines()[-1])["error"]
    assert (details["code"], details["exit_code"]) == ("migration", 11)
    assert details["details"] == {"script": "migrations/0002_b.sql", "line": 4, "statement": 3}
    # Mended, it is simply run again.
    shop.write("0002_b", "CREATE TABLE b (x);\n")
    shop.ok()
    assert shop.names() == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("INSERT INTO nowhere VALUES (1)", "no such table: nowhere"),
        ("SELECT ?", "binding"),
        ("CREATE TABLE twice (x, x)", "duplicate column name: x"),
        ("INSERT OR ROLLBACK INTO k VALUES (1)", "UNIQUE constraint failed: k.x"),
        ("VACUUM", "cannot VACUUM from within a transaction"),
        ("SELECT load_extension('x')", "not authorized"),
    ],
)
def test_every_kind_of_failure_rolls_back_and_names_the_statement(shop: Workshop, statement: str, told: str) -> None:
    shop.write("0001_k", f"CREATE TABLE k (x UNIQUE);\nINSERT INTO k VALUES (1);\n{statement};\n")
    error = shop.refused()
    assert "migrations/0001_k.sql:3: statement 3 of 3 failed: " in error
    assert told in error
    assert shop.names() == set()


def test_a_script_that_tampers_with_the_journal_is_undone(shop: Workshop) -> None:
    shop.tables("a")
    shop.write("0002_b", "CREATE TABLE b (x);\nDROP TABLE schema_migration;\n")
    error = shop.refused()
    assert "migrations/0002_b.sql:2: after statement 2 of 2: the journal cannot be written" in error
    assert shop.names() == {"a"}
    assert shop.journal() == {"0001_a": ("applied", 2)}


@pytest.mark.parametrize("options", ["", "-- custctl: transaction=off\n"])
def test_a_trigger_that_drops_rows_of_the_journal_undoes_the_script(shop: Workshop, options: str) -> None:
    shop.tables("a")
    shop.write(
        "0002_trigger",
        "CREATE TRIGGER kept BEFORE INSERT ON schema_migration WHEN new.name LIKE '%0003%'"
        " BEGIN SELECT RAISE(IGNORE); END;\n",
    )
    shop.write("0003_b", f"{options}CREATE TABLE b (x);\n")
    error = shop.refused()
    assert "a trigger drops the row on its way into `schema_migration`" in error
    assert "drop the trigger: `schema_migration` belongs to custctl" in error
    assert shop.names() == {"a"}
    assert shop.journal().keys() == {"0001_a", "0002_trigger"}


def test_a_script_that_attaches_its_own_database(shop: Workshop) -> None:
    file = shop.project.path / "dev.db"
    shop.write("0001_a", f"-- custctl: transaction=off\nATTACH '{file}' AS again;\nCREATE TABLE again.b (x);\n")
    assert "statement 1 of 2 failed: it attaches this database's own file" in shop.refused()


def test_a_secret_is_substituted_and_appears_nowhere_else(shop: Workshop) -> None:
    shop.project.environ["LOGIN_SECRET"] = "hunter2-über-geheim"
    shop.write(
        "0001_a", "-- custctl: substitute\nCREATE TABLE a (x, y);\nINSERT INTO a VALUES ('${LOGIN_SECRET}', '$${x}');\n"
    )
    outcome = shop.ok("-vv")
    assert shop.query("SELECT x, y FROM a") == [("hunter2-über-geheim", "${x}")]
    assert "hunter2" not in outcome.err + outcome.out
    assert "hunter2" not in str(shop.query("SELECT * FROM schema_migration"))
    # A quote in it makes the engine stumble over a part of it.
    shop.project.environ["LOGIN_SECRET"] = "ab'hunter2'hunter3"
    for name, header in (("0002_b", ""), ("0002_b", "-- custctl: transaction=off\n")):
        shop.write(name, f"-- custctl: substitute\n{header}INSERT INTO a VALUES ('${{LOGIN_SECRET}}', 1);\n")
        for extra in ((), ("--debug", "-vv"), ("-o", "json")):
            error = shop.refused(*extra) if "--debug" not in extra else shop.migrate(*extra).err
            assert "syntax error" in error
            assert "hunter" not in error
        assert "hunter" not in str(shop.query("SELECT * FROM schema_migration"))
        assert "hunter" not in shop.ok("status", "-o", "json").out


def test_a_variable_that_is_not_set_fails_with_its_place(shop: Workshop) -> None:
    shop.write("0001_a", "-- custctl: substitute\nCREATE TABLE a (x);\nINSERT INTO a VALUES ('${NOT_SET}');\n")
    assert "migrations/0001_a.sql:3: the variable `NOT_SET` is not set" in shop.refused()
    assert shop.names() == set()


# -- sessions and foreign keys ---------------------------------------------------------------------


def test_settings_of_one_script_do_not_reach_the_next(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        "-- custctl: transaction=off\nPRAGMA foreign_keys = ON;\nPRAGMA case_sensitive_like = ON;\n"
        "ATTACH ':memory:' AS other;\nCREATE TEMP TABLE t (x);\nCREATE TABLE other.o (x);\nCREATE TABLE a (x);\n"
        "INSERT INTO a SELECT 'a' LIKE 'A';\n",
    )
    shop.write(
        "0002_b",
        "CREATE TABLE b AS SELECT 'a' LIKE 'A' AS alike, (SELECT foreign_keys FROM pragma_foreign_keys) AS fk;\n",
    )
    shop.write("0003_t", "CREATE TABLE t (x);\n")
    shop.write("0004_gone", "INSERT INTO other.o VALUES (1);\n")
    assert "no such table: other.o" in shop.refused()
    assert shop.query("SELECT x FROM a") == [(0,)], "within the script they count"
    assert shop.query("SELECT alike, fk FROM b") == [(1, 0)]
    assert "t" in shop.names()


def test_a_script_that_breaks_a_foreign_key_is_undone(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        "CREATE TABLE p (id INTEGER PRIMARY KEY);\nCREATE TABLE c (p REFERENCES p (id));\n"
        "INSERT INTO p VALUES (1), (2), (3);\nINSERT INTO c VALUES (1), (2), (3);\n",
    )
    shop.ok()
    shop.write("0002_b", "DELETE FROM p WHERE id > 1;\n")
    error = shop.refused()
    assert "migrations/0002_b.sql:1: after statement 1 of 1: 2 rows of `c` would refer to a missing row of `p`" in error
    assert shop.query("SELECT count(*) FROM p") == [(3,)]
    # The same without a transaction of the runner's, and inside one of the script's own.
    shop.write("0002_b", "-- custctl: transaction=off\nDELETE FROM p WHERE id = 3;\n")
    assert "statement 1 of 1 failed: a row of `c` would refer" in shop.refused()
    shop.write("0002_b", "-- custctl: transaction=off\nBEGIN;\nDELETE FROM p WHERE id = 3;\nCOMMIT;\n")
    assert "statement 3 of 3 failed: a row of `c` would refer" in shop.refused()
    assert shop.query("SELECT count(*) FROM p") == [(3,)]


def test_what_was_broken_before_stands_in_no_scripts_way(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        "CREATE TABLE p (id INTEGER PRIMARY KEY);\nCREATE TABLE c (p REFERENCES p (id));\nINSERT INTO p VALUES (1);\n",
    )
    shop.ok()
    shop.change("INSERT INTO c VALUES (77);")
    shop.write("0002_b", "INSERT INTO c VALUES (1);\n")
    shop.ok()
    shop.write("0003_c", "INSERT INTO c VALUES (78);\n")
    assert "a row of `c` would refer to a missing row of `p`" in shop.refused()


def test_a_table_is_rebuilt_under_its_children(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        "CREATE TABLE p (id INTEGER PRIMARY KEY, old TEXT);\n"
        "CREATE TABLE c (p INTEGER NOT NULL REFERENCES p (id) ON DELETE CASCADE);\n"
        "INSERT INTO p VALUES (1, 'x'), (2, 'y');\nINSERT INTO c VALUES (1), (2), (2);\n",
    )
    shop.write(
        "0002_rebuild",
        "-- custctl: allow=drop-table rebuilt\nCREATE TABLE p_new (id INTEGER PRIMARY KEY, new TEXT NOT NULL);\n"
        "INSERT INTO p_new SELECT id, old FROM p;\nDROP TABLE p;\nALTER TABLE p_new RENAME TO p;\n",
    )
    shop.ok()
    assert shop.query("SELECT count(*) FROM c") == [(3,)]
    assert shop.query("SELECT new FROM p ORDER BY id") == [("x",), ("y",)]
    assert "REFERENCES p (id)" in str(shop.query("SELECT sql FROM sqlite_master WHERE name = 'c'"))
    assert shop.query("PRAGMA foreign_key_check") == []


# -- unusual scripts and folders -------------------------------------------------------------------


def test_a_folder_without_scripts_is_an_error(shop: Workshop) -> None:
    assert "has no scripts" in shop.refused()
    assert not (shop.project.path / "dev.db").exists()
    (shop.folder / "migrations").rmdir()
    shop.folder.rmdir()
    assert "has no folder `sqlite`" in shop.refused()


@pytest.mark.parametrize("name", ["0001 a", "a", "0001", "0001_ä", "0001_a b"])
def test_a_name_that_is_none_is_refused_and_not_skipped(shop: Workshop, name: str) -> None:
    shop.tables("a")
    (shop.folder / "migrations" / f"{name}.sql").write_text("SELECT 1;\n")
    assert "is not named like a migration" in shop.refused()


@pytest.mark.parametrize("text", ["", "-- nothing here\n", ";\n", "/* a */ ; -- b\n;\n", "\n\n"])
@pytest.mark.parametrize("name", ["0001_a", "repeatable/a"])
def test_an_empty_script_is_refused_unless_it_says_why(shop: Workshop, name: str, text: str) -> None:
    path = shop.write(name, text)
    shown = f"{path.parent.name}/{path.name}"
    for arguments in ((), ("--dry-run",)):
        assert f"{shown}:1: the script has no statements" in shop.refused(*arguments)
    assert "the script has no statements" in shop.migrate("validate").out
    shop.write(name, f"-- custctl: none the column was added by hand\n{text}")
    assert shop.ok("-o", "json").json["applied"][0]["statements"] == 0
    shop.write("0009_b", "-- custctl: none\n")
    assert "migrations/0009_b.sql:1: `none` gives no reason" in shop.refused()
    shop.write("0009_b", "-- custctl: none at all\nSELECT 1;\n")
    assert "migrations/0009_b.sql:2: the script has statements" in shop.refused()


def test_a_missing_script_fails_the_check(shop: Workshop) -> None:
    shop.tables("a", "b")
    shop.ok()
    (shop.folder / "migrations/0001_a.sql").unlink()
    shop.write("0003_c", "SELECT 1;\n")
    assert "in the journal but not on disk: `migrations/0001_a.sql`" in shop.refused("status", "--check")
    shop.ok("status")


def test_a_script_of_ten_megabytes_runs_and_its_drift_is_shown(shop: Workshop) -> None:
    line = "INSERT INTO a VALUES ('{:0100d}');\n"
    rows = [line.format(n) for n in range(75_000)]
    shop.write("0001_a", "CREATE TABLE a (x);\n" + "".join(rows))
    shop.ok()
    assert shop.query("SELECT count(*) FROM a") == [(75_000,)]
    rows[40_000] = line.format(7)
    rows[0:0] = [line.format(9)]
    shop.write("0001_a", "CREATE TABLE a (x);\n" + "".join(rows))
    error = shop.refused()
    assert len(error.splitlines()) < 60
    assert f"+{line.format(9).strip()}" in error


def test_another_journal_mode_is_the_databases_own(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        "-- custctl: transaction=off\nCREATE TABLE a (x);\nPRAGMA journal_mode = DELETE;\nINSERT INTO a VALUES (1);\n",
    )
    shop.write("0002_b", "CREATE TABLE b (x);\n")
    shop.ok()
    assert shop.query("PRAGMA journal_mode") == [("delete",)]
    assert shop.names() == {"a", "b"}


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_lock_on_the_whole_file_ends_with_its_script(shop: Workshop, mode: str) -> None:
    shop.write(
        "0001_a",
        f"-- custctl: transaction=off\nPRAGMA journal_mode = {mode};\nPRAGMA locking_mode = EXCLUSIVE;\n"
        "CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\n",
    )
    shop.write("0002_b", "CREATE TABLE b (x);\n")
    begun = time.monotonic()
    shop.ok()
    assert time.monotonic() - begun < 15, "there is nobody to wait for"
    assert shop.names() == {"a", "b"}


def test_a_database_made_by_custctl_is_in_wal_mode_and_its_owners(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok()
    assert shop.query("PRAGMA journal_mode") == [("wal",)]
    assert (shop.project.path / "dev.db").stat().st_mode & 0o077 == 0
