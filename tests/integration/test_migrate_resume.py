"""Scripts that run statement by statement (`transaction=off`), and what `migrate repair` and `baseline` do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from custctl.schema.standing import REQUIRED_SCHEMA
from tests.conftest import ADA, REPOSITORY
from tests.integration.conftest import Workshop

OFF = "-- custctl: transaction=off\n"


def test_a_rerun_goes_on_after_the_last_good_statement(shop: Workshop) -> None:
    good = f"{OFF}CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\n"
    shop.write("0001_a", f"{good}INSERT INTO nowhere VALUES (1);\nINSERT INTO a VALUES (2);\n")
    shop.write("0002_b", "CREATE TABLE b (x);\n")
    error = shop.refused()
    assert "migrations/0001_a.sql:4: statement 3 of 4 failed: no such table: nowhere" in error
    assert "2 of its 4 statements are applied, and a rerun continues after them" in error
    assert shop.journal() == {"0001_a": ("failed", 2)}
    row = shop.ok("status", "-o", "json").json["items"][0]
    assert (row["state"], row["error"]) == ("failed", "no such table: nowhere")
    # The same again: it fails again, and nothing is applied twice.
    shop.refused()
    shop.write("0001_a", f"{good}INSERT INTO a VALUES (3);\nINSERT INTO a VALUES (2);\n")
    shop.ok()
    assert shop.query("SELECT x FROM a ORDER BY rowid") == [(1,), (3,), (2,)]
    assert shop.journal() == {"0001_a": ("applied", 4), "0002_b": ("applied", 1)}
    assert shop.ok("status", "-o", "json").json["items"][0]["error"] is None


def test_an_applied_part_that_was_changed_is_refused(shop: Workshop) -> None:
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\nbad;\n")
    shop.refused()
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nINSERT INTO a VALUES (9);\nSELECT 1;\n")
    error = shop.refused()
    assert "`migrations/0001_a.sql` stopped after statement 2, and its applied statements have changed since" in error
    assert shop.query("SELECT x FROM a") == [(1,)]
    # A shorter one, and one that wants a transaction now, would apply something twice or never.
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\n")
    shop.refused()
    shop.write("0001_a", "CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\nSELECT 1;\n")
    assert "put `-- custctl: transaction=off` back" in shop.refused()
    # Comments do not matter.
    shop.write("0001_a", f"{OFF}-- mended\nCREATE TABLE a (x);\n\nINSERT INTO a VALUES (1);\nSELECT 1;\n")
    shop.ok()
    assert shop.query("SELECT x FROM a") == [(1,)]


def test_a_repeatable_script_that_was_changed_begins_anew(shop: Workshop) -> None:
    shop.write(
        "repeatable/r", f"{OFF}CREATE TABLE IF NOT EXISTS a (x);\nDELETE FROM a;\nINSERT INTO a VALUES (1);\nbad;\n"
    )
    shop.refused()
    shop.write(
        "repeatable/r", f"{OFF}CREATE TABLE IF NOT EXISTS a (x);\nDELETE FROM a WHERE 1;\nINSERT INTO a VALUES (2);\n"
    )
    shop.ok()
    assert shop.query("SELECT x FROM a") == [(2,)]


def test_what_cannot_run_in_a_transaction_runs(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        f"{OFF}CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\nVACUUM;\nPRAGMA user_version = 7;\n"
        "PRAGMA foreign_keys = ON;\nPRAGMA wal_checkpoint(TRUNCATE);\nATTACH ':memory:' AS m;\nDETACH m;\nANALYZE;\n",
    )
    shop.ok()
    assert shop.query("PRAGMA user_version") == [(7,)]
    assert shop.journal() == {"0001_a": ("applied", 9)}


def test_a_script_may_have_transactions_of_its_own(shop: Workshop) -> None:
    shop.write(
        "0001_a",
        f"{OFF}CREATE TABLE a (x UNIQUE);\nBEGIN IMMEDIATE;\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\nCOMMIT;\n"
        "BEGIN;\nINSERT INTO a VALUES (3);\nROLLBACK;\n"
        "BEGIN;\nINSERT INTO a VALUES (4);\nSAVEPOINT s;\nINSERT INTO a VALUES (5);\nROLLBACK TO s;\n"
        "INSERT INTO a VALUES (1);\nEND;\n",
    )
    error = shop.refused()
    assert "migrations/0001_a.sql:15: statement 14 of 15 failed: UNIQUE constraint failed: a.x" in error
    assert "8 of its 15 statements are applied" in error, "its own transaction is undone as a whole"
    assert shop.query("SELECT x FROM a") == [(1,), (2,)]
    path = shop.folder / "migrations/0001_a.sql"
    head, _, tail = path.read_text().rpartition("VALUES (1);\n")
    shop.write("0001_a", f"{head}VALUES (6);\n{tail}")
    shop.ok()
    assert shop.query("SELECT x FROM a ORDER BY x") == [(1,), (2,), (4,), (6,)]


def test_a_transaction_that_is_never_committed_is_an_error(shop: Workshop) -> None:
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nBEGIN;\nINSERT INTO a VALUES (1);\n")
    error = shop.refused()
    assert (
        "migrations/0001_a.sql:3: statement 2 of 3 failed: the transaction that starts here is never committed" in error
    )
    assert shop.journal() == {"0001_a": ("failed", 1)}
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nBEGIN;\nINSERT INTO a VALUES (1);\nCOMMIT;\n")
    shop.ok()
    assert shop.query("SELECT x FROM a") == [(1,)]


def test_a_rerun_puts_back_what_the_script_had_set_for_its_session(shop: Workshop) -> None:
    other = shop.project.path / "other.db"
    text = (
        f"{OFF}ATTACH '{other}' AS other;\nPRAGMA case_sensitive_like = ON;\nCREATE TABLE other.o (x);\nbad;\n"
        "INSERT INTO other.o SELECT 'a' LIKE 'A';\n"
    )
    shop.write("0001_a", text)
    shop.refused()
    shop.write("0001_a", text.replace("bad;", "SELECT 1;"))
    shop.ok()
    connection = shop.project.database("other")
    assert connection.execute("SELECT x FROM o").fetchall() == [(0,)]
    connection.close()


def _fails_and_is_fixed(shop: Workshop, text: str) -> None:
    """Run a script that stops at `bad;`, and write it again without that."""
    shop.write("0001_a", f"{OFF}{text}")
    shop.refused()
    shop.write("0001_a", f"{OFF}{text.replace('bad;', 'SELECT 1;')}")


def test_a_rerun_without_an_attached_file_is_refused(shop: Workshop) -> None:
    other = shop.project.path / "other.db"
    _fails_and_is_fixed(
        shop,
        f"CREATE TABLE o (x);\nATTACH '{other}' AS other;\nCREATE TABLE other.p (x);\nbad;\nINSERT INTO p VALUES (1);\n",
    )
    kept = other.rename(shop.project.path / "kept.db")
    error = shop.refused()
    assert f"needs the attached file `{other}`, which is missing" in error
    assert not other.exists()
    other.mkdir()
    error = shop.refused()
    assert "migrations/0001_a.sql:3: statement 2 of 5 failed: unable to open database" in error
    assert "it resumes after statement 3, once this setting can be restored" in error
    other.rmdir()
    kept.rename(other)
    shop.ok()
    with shop.project.database("other") as connection:
        assert connection.execute("SELECT x FROM p").fetchall() == [(1,)]


def test_a_rerun_leaves_out_what_was_detached(shop: Workshop) -> None:
    other = shop.project.path / "other.db"
    _fails_and_is_fixed(
        shop,
        f"ATTACH '{other}' AS other;\nPRAGMA other.cache_size = 10;\nCREATE TABLE other.p (x);\nDETACH other;\nbad;\n"
        "CREATE TABLE q (x);\n",
    )
    other.unlink()
    shop.ok()
    assert not other.exists()


def test_a_rerun_sets_no_pragma_that_did_nothing_in_a_transaction(shop: Workshop) -> None:
    _fails_and_is_fixed(
        shop,
        "CREATE TABLE p (x INTEGER PRIMARY KEY);\nCREATE TABLE c (x REFERENCES p ON DELETE CASCADE);\n"
        "INSERT INTO p VALUES (1);\nINSERT INTO c VALUES (1);\nBEGIN;\nPRAGMA foreign_keys = ON;\nCOMMIT;\n"
        "PRAGMA user_version = 7;\nbad;\nDELETE FROM c;\nDELETE FROM p;\nINSERT INTO c SELECT 2 WHERE (SELECT * FROM"
        " pragma_foreign_keys);\n",
    )
    shop.change("PRAGMA user_version = 8")
    shop.ok()
    assert shop.query("SELECT x FROM c") == []
    # What is kept in the file is not turned back.
    assert shop.query("PRAGMA user_version") == [(8,)]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("CREATE TEMP TABLE t (x);", "INSERT INTO main.k SELECT x FROM t;", "table `t`"),
        ("CREATE TABLE temp.t (x);", "DROP TABLE T;", "table `temp.t`"),
        ("CREATE TEMPORARY VIEW t AS SELECT 1 AS x;", "INSERT INTO k SELECT x FROM t;", "view `t`"),
        ("CREATE TEMP TABLE u (x);\nALTER TABLE u RENAME TO t;", "DELETE FROM t;", "table `t`"),
        ("ATTACH ':memory:' AS m;\nCREATE TABLE m.t (x);", "INSERT INTO t VALUES (1);", "table `m.t`"),
        (
            "CREATE TEMP TRIGGER g AFTER INSERT ON k BEGIN DELETE FROM k; END;",
            "INSERT INTO k VALUES (1);",
            "trigger `g`",
        ),
        ("INSERT INTO k VALUES (1);", "INSERT INTO k VALUES (last_insert_rowid());", "value of `last_insert_rowid()`"),
    ],
)
def test_a_rerun_that_lacks_what_was_temporary_is_refused(shop: Workshop, before: str, after: str, told: str) -> None:
    # A table of the same name would serve in its place.
    text = f"CREATE TABLE t (x);\nCREATE TABLE k (x);\n{before}\nbad;\n{after}\n"
    _fails_and_is_fixed(shop, text)
    error = shop.refused()
    assert "needs the " in error
    assert told in error
    assert "hint: " in error
    assert f"migrations/0001_a.sql:{text.count(chr(10)) + 1}:" in error


def test_a_rerun_that_makes_what_was_temporary_again_resumes(shop: Workshop) -> None:
    _fails_and_is_fixed(
        shop,
        "CREATE TABLE k (x);\nCREATE TEMP TABLE t (x);\nCREATE TEMP TABLE gone (x);\nDROP TABLE gone;\nbad;\n"
        "CREATE TEMP TABLE t (x);\nINSERT INTO t VALUES (3);\nINSERT INTO k SELECT x FROM t;\n"
        "CREATE TABLE gone (x);\n",
    )
    shop.ok()
    assert shop.query("SELECT x FROM k") == [(3,)]


def test_a_rerun_takes_no_second_copy(shop: Workshop) -> None:
    copy = shop.project.path / "copy.db"
    text = f"{OFF}CREATE TABLE a (x);\nVACUUM INTO '{copy}';\nINSERT INTO a VALUES (1);\nbad;\n"
    shop.write("0001_a", text)
    shop.refused()
    copy.unlink()  # its reader has taken it away
    shop.write("0001_a", text.replace("bad;", "SELECT 1;"))
    shop.ok()
    assert not copy.exists()
    assert shop.query("SELECT x FROM a") == [(1,)]


def test_journal_tables_are_safe_outside_a_transaction_too(shop: Workshop) -> None:
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nDROP TABLE schema_migration;\n")
    assert "the journal cannot be written" in shop.refused()
    assert shop.journal() == {"0001_a": ("running", 1)}
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\n")
    shop.ok()


def test_query_only_reaches_the_script_alone(shop: Workshop) -> None:
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nPRAGMA query_only = 1;\nINSERT INTO a VALUES (1);\n")
    for _ in range(2):
        # The rerun sets it again.
        assert "migrations/0001_a.sql:4: statement 3 of 3 failed: attempt to write" in shop.refused()
        assert shop.journal() == {"0001_a": ("failed", 2)}
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nPRAGMA query_only = 1;\nPRAGMA query_only = 0;\nDROP TABLE a;\n")
    shop.write("0002_b", "CREATE TABLE b (x);\nPRAGMA query_only = 1;\n")
    shop.ok()


@pytest.mark.parametrize("header", ["", OFF])
def test_a_limit_of_pages_reaches_the_script_alone(shop: Workshop, header: str) -> None:
    shop.write("0001_a", f"{header}PRAGMA max_page_count = 1;\n")
    shop.write("0002_b", "CREATE TABLE b (x);\n")
    shop.ok()
    assert set(shop.journal()) == {"0001_a", "0002_b"}


def test_a_limit_of_pages_that_the_script_itself_reaches_is_its_fault(shop: Workshop) -> None:
    shop.write("0001_a", "CREATE TABLE a (x);\nPRAGMA max_page_count = 1;\nINSERT INTO a VALUES (zeroblob(100000));\n")
    assert "statement 3 of 3 failed: database or disk is full" in shop.refused()


@pytest.mark.parametrize("header", ["", OFF])
def test_a_limit_of_memory_is_refused(shop: Workshop, header: str) -> None:
    """It holds for the whole process: not even the journal could be written any more."""
    shop.write("0001_a", f"{header}PRAGMA hard_heap_limit;\nPRAGMA hard_heap_limit = 1;\n")
    told = shop.refused()
    assert "statement 2 of 2 failed: `hard_heap_limit` limits the memory of the whole process" in told


def test_a_lock_of_the_script_itself_is_no_other_process(shop: Workshop) -> None:
    shop.write("0001_a", "CREATE TABLE a (x);\nPRAGMA wal_checkpoint;\n")
    told = shop.refused()
    assert "statement 2 of 2 failed: database table is locked" in told
    assert "another" not in told


@pytest.mark.parametrize("header", ["", OFF])
@pytest.mark.parametrize(
    "temporary",
    [
        "CREATE TEMP TABLE Schema_Migration AS SELECT * FROM main.schema_migration",
        "CREATE TEMP TRIGGER swallow BEFORE INSERT ON custctl_metadata BEGIN SELECT RAISE(IGNORE); END",
    ],
)
def test_something_temporary_does_not_receive_the_journal_entry(shop: Workshop, header: str, temporary: str) -> None:
    shop.write("0001_a", f"{header}{temporary};\nCREATE TABLE a (x);\n")
    told = shop.refused()
    assert "migrations/0001_a.sql:" in told
    assert "is in the way of a table that belongs to custctl" in told
    shop.write("0001_a", "CREATE TABLE a (x);\n")
    shop.ok()


# -- repair ----------------------------------------------------------------------------------------


def test_repair_settles_a_script_that_was_interrupted(shop: Workshop) -> None:
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nPRAGMA user_version = 7;\nINSERT INTO a VALUES (1);\n")
    shop.ok()
    # As a kill in the midst of the pragma leaves it.
    shop.change(
        "UPDATE schema_migration SET state = 'running', statements_applied = 1, in_flight = 1, finished_at = NULL;"
        "DELETE FROM a;"
    )
    assert "running" in shop.ok("status").out
    assert "1 script is pending" in shop.refused("status", "--check", code=8)
    result = shop.ok("repair", "-o", "json")
    assert result.json["items"] == [
        {"change": "settle", "script": "migrations/0001_a.sql", "detail": "1 of 3 statements are applied"}
    ]
    assert "settle migrations/0001_a.sql" in result.err
    assert shop.journal() == {"0001_a": ("failed", 1)}
    assert shop.ok("repair", "-o", "json").json["items"] == []
    shop.ok()
    assert shop.journal() == {"0001_a": ("applied", 3)}
    assert shop.query("SELECT x FROM a") == [(1,)]


def test_repair_settles_a_seed_script(shop: Workshop) -> None:
    for path in (REPOSITORY / "sql" / "sqlite" / "migrations").glob("*.sql"):
        shop.write(path.stem, path.read_bytes())
    shop.ok()
    shop.write("seed/reference/a", f"{OFF}CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\n")
    shop.project.ok("seed", "--set", "reference")
    # As a kill in the midst of an insert leaves it, whose outcome no database shows.
    shop.change(
        "UPDATE schema_migration SET state = 'running', statements_applied = 1, in_flight = 1 WHERE kind = 'seed';"
        "DELETE FROM a;"
    )
    told = shop.project.run("seed", "--set", "reference")
    assert told.code == 13
    assert "`custctl migrate repair`" in told.err
    result = shop.ok("repair", "-o", "json")
    assert [(row["change"], row["script"]) for row in result.json["items"]] == [("settle", "seed/reference/a.sql")]
    shop.project.ok("seed", "--set", "reference")
    assert shop.query("SELECT x FROM a ORDER BY x") == [(1,), (2,)]


def test_an_interrupted_script_needs_no_repair_here(shop: Workshop) -> None:
    shop.write("0001_a", f"{OFF}CREATE TABLE a (x);\nPRAGMA user_version = 7;\nINSERT INTO a VALUES (1);\n")
    shop.ok()
    shop.change("UPDATE schema_migration SET state = 'running', statements_applied = 1, in_flight = 1; DELETE FROM a;")
    shop.ok()
    assert shop.query("SELECT x FROM a") == [(1,)]


def test_repair_accepts_drift_having_shown_it(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok()
    shop.write("0001_a", "CREATE TABLE a (x INTEGER); -- reworded\nINSERT INTO a VALUES (1);\n")
    shop.refused()
    result = shop.ok("repair", "-o", "json")
    assert [row["change"] for row in result.json["items"]] == ["accept"]
    assert '"+CREATE TABLE a (x INTEGER); -- reworded"' in result.err
    assert "nothing to do" in shop.ok().err
    assert "reworded" in str(shop.query("SELECT script FROM schema_migration"))
    assert "nothing to repair" in shop.ok("repair").err


def test_repair_in_production_asks_by_name(shop: Workshop) -> None:
    shop.tables("a")
    shop.ok(env="prod")
    shop.write("0001_a", "SELECT 2;\n")
    before = shop.query("SELECT checksum FROM schema_migration", name="prod")
    assert "give `--confirm prod`" in shop.refused("repair", env="prod", code=7)
    assert "give `--confirm prod`" in shop.refused("repair", "--yes", env="prod", code=7)
    assert "does not name the profile `prod`" in shop.refused("repair", "--confirm", "dev", env="prod", code=7)
    assert shop.query("SELECT checksum FROM schema_migration", name="prod") == before
    shop.ok("repair", "--confirm", "prod", env="prod")
    assert shop.query("SELECT checksum FROM schema_migration", name="prod") != before


def test_a_restored_database_is_restamped_when_confirmed(shop: Workshop) -> None:
    shop.project.environ["CUSTCTL_SQL_DIR"] = str(shop.folder.parent)
    shop.tables("a")
    shop.ok(env="prod")
    shop.ok(env="staging")
    # Production's backup, restored into development; staging's, restored there too.
    shop.project.profile("dev", "development", path="prod.db")
    shop.project.profile("test", "test", path="staging.db")
    assert "did you mean `production`" in shop.refused("repair", "--environment", "prodction", code=2)
    assert "does not match the environment of the profile" in shop.refused("repair", "--environment", "staging", code=2)
    # Where production is concerned on either side, the name is asked for.
    for flags in ((), ("--yes",)):
        assert "give `--confirm dev`" in shop.refused("repair", "--environment", "development", *flags, code=7)
    assert "give `--yes`" in shop.refused("repair", "--environment", "test", env="test", code=7)
    result = shop.ok("repair", "--environment", "development", "--confirm", "dev", "-o", "json")
    assert result.json["items"] == [{"change": "restamp", "script": "", "detail": "production -> development"}]
    shop.ok("repair", "--environment", "test", "--yes", env="test")
    assert shop.query("SELECT value FROM custctl_metadata WHERE name = 'environment'", name="prod") == [
        ("development",)
    ]
    shop.ok()


OPERATION = "0b7e2c1e-8a58-4c2b-9a55-0d7e4c8a1f10"


def metadata(shop: Workshop, name: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in shop.query("SELECT name, value FROM custctl_metadata", name=name)}


def audited(shop: Workshop, *, name: str = "dev") -> list[tuple[str, dict[str, Any]]]:
    rows = shop.query(f"SELECT action, detail FROM customer_audit WHERE operation_id = '{OPERATION}'", name=name)
    return [(str(action), json.loads(str(detail))) for action, detail in rows]


def test_a_restamped_copy_does_not_pass_for_its_source(shop: Workshop) -> None:
    project = shop.project
    project.environ["CUSTCTL_SQL_DIR"] = str(REPOSITORY / "sql")
    shop.ok(env="prod")
    project.ok("customer", "add", *ADA, "--env", "prod")
    version = project.ok("customer", "get", "1", "-o", "json", "--env", "prod").json["version"]
    checkpoint = project.path / "checkpoint.json"
    checkpoint.write_text(project.ok("audit", "verify", "-o", "json", "--env", "prod").out)
    source = metadata(shop, "prod")
    shop.query(f"VACUUM INTO '{project.path / 'dev.db'}'", name="prod")
    shop.ok("repair", "--environment", "development", "--confirm", "dev", "--operation-id", OPERATION)
    copy = metadata(shop, "dev")
    assert metadata(shop, "prod") == source
    assert copy["database_id"] != source["database_id"]
    assert (source["epoch"], copy["epoch"]) == ("1", "2")
    assert audited(shop) == [
        (
            "restamp",
            {
                "from": "production",
                "to": "development",
                "database_id": [source["database_id"], copy["database_id"]],
                "epoch": [1, 2],
            },
        )
    ]
    refused = project.run("audit", "verify", "--checkpoint", checkpoint)
    assert (refused.code, "the checkpoint belongs to another database" in refused.err) == (7, True)
    assert project.run("customer", "update", "1", "--city", "X", "--if-version", version).code == 5
    project.ok("audit", "verify")
    project.ok("audit", "verify", "--checkpoint", checkpoint, "--env", "prod")


def test_a_repair_is_audited(shop: Workshop) -> None:
    own = (REPOSITORY / "sql/sqlite/migrations").glob("*.sql")
    for path in own:
        shop.write(path.stem, path.read_bytes())
    shop.write("0106_a", "CREATE TABLE a (x);\n")
    shop.write("0107_b", f"{OFF}CREATE TABLE b (x);\nPRAGMA user_version = 7;\n")
    shop.ok()
    ((accepted,),) = shop.query("SELECT checksum FROM schema_migration WHERE version = 106")
    shop.write("0106_a", "CREATE TABLE a (x); -- reworded\n")
    shop.change(
        "UPDATE schema_migration SET state = 'running', statements_applied = 1, in_flight = 1 WHERE version = 107"
    )
    shop.ok("repair", "--operation-id", OPERATION)
    ((changed,),) = shop.query("SELECT checksum FROM schema_migration WHERE version = 106")
    entry = {
        "accepted": [{"script": "migrations/0106_a.sql", "from": accepted, "to": changed}],
        "settled": [
            {
                "script": "migrations/0107_b.sql",
                "was": "running",
                "applied": 1,
                "in_flight": 1,
                "took_effect": False,
            }
        ],
    }
    assert audited(shop) == [("repair", entry)]
    # Asked again there is nothing left; what has changed since needs a request of its own.
    assert "nothing to repair" in shop.ok("repair", "--operation-id", OPERATION).err
    shop.write("0106_a", "CREATE TABLE a (x); -- reworded again\n")
    assert f"operation {OPERATION} has already been applied as `repair`" in shop.refused(
        "repair", "--operation-id", OPERATION, code=5
    )
    assert audited(shop) == [("repair", entry)]
    shop.project.ok("audit", "verify")
    # Both at once are two entries of one operation.
    shop.project.profile("test", "test", path="dev.db")
    other = OPERATION.replace("0b", "0c")
    shop.ok("repair", "--environment", "test", "--yes", "--operation-id", other, env="test")
    assert shop.query(f"SELECT part, action FROM customer_audit WHERE operation_id = '{other}' ORDER BY part") == [
        (0, "repair"),
        (1, "restamp"),
    ]


def test_repair_without_a_journal_is_an_error(shop: Workshop) -> None:
    shop.tables("a")
    assert "has no journal to repair" in shop.refused("repair")
    assert not (shop.project.path / "dev.db").exists()


# -- baseline --------------------------------------------------------------------------------------


def test_baseline_adopts_what_is_there_already(shop: Workshop) -> None:
    shop.tables("a", "b", "c")
    shop.change("CREATE TABLE a (x); CREATE TABLE b (x);")
    assert "no script has number 9" in shop.refused("baseline", "9", code=2)
    result = shop.ok("baseline", "2", "-o", "json")
    assert [row["version"] for row in result.json["items"]] == [1, 2]
    assert "as `development`" in result.err
    # Nobody knows what they make: none of their statements is verified.
    assert shop.journal() == {"0001_a": ("baseline", 0), "0002_b": ("baseline", 0)}
    assert shop.query("SELECT count(*) FROM a") == [(0,)], "nothing was run"
    assert "already has a journal" in shop.refused("baseline", "2")
    assert [row["version"] for row in shop.ok("-o", "json").json["applied"]] == [3]
    states = [row["state"] for row in shop.ok("status", "-o", "json").json["items"]]
    assert states == ["baseline", "baseline", "applied"]


def test_a_baseline_is_audited_where_there_is_an_audit(shop: Workshop) -> None:
    for path in sorted((REPOSITORY / "sql/sqlite/migrations").glob("*.sql")):
        shop.write(path.stem, path.read_bytes())
        shop.change(path.read_text())
    shop.ok("baseline", str(REQUIRED_SCHEMA))
    ((action, detail),) = shop.query("SELECT action, detail FROM customer_audit")
    assert action == "baseline"
    found = json.loads(str(detail))
    assert found["environment"] == "development"
    assert found["scripts"] == [f"migrations/{path.name}" for path in sorted(shop.folder.glob("migrations/*.sql"))]
    shop.project.ok("audit", "verify")


def test_baseline_adopts_nothing_where_there_is_nothing(shop: Workshop) -> None:
    shop.tables("a")
    assert "has no tables to adopt" in shop.refused("baseline", "1")
    assert not (shop.project.path / "dev.db").exists()


def test_baseline_in_production_asks_by_name(shop: Workshop) -> None:
    shop.tables("a")
    shop.change("CREATE TABLE a (x);", name="prod")
    for flags in ((), ("--yes",)):
        assert "give `--confirm prod`" in shop.refused("baseline", "1", *flags, env="prod", code=7)
    assert shop.names(name="prod") == {"a"}
    shop.ok("baseline", "1", "--confirm", "prod", env="prod")
    assert shop.query("SELECT value FROM custctl_metadata WHERE name = 'environment'", name="prod") == [("production",)]


@pytest.mark.parametrize("kind", ["baseline", "repair"])
def test_what_changes_the_journal_says_what_it_is_about_to_change(shop: Workshop, kind: str) -> None:
    shop.tables("a")
    shop.change("CREATE TABLE a (x);")
    arguments = ("baseline", "1") if kind == "baseline" else ("repair",)
    if kind == "repair":
        shop.ok("baseline", "1")
    assert f"dev (development): sqlite {shop.project.path / 'dev.db'}" in shop.ok(*arguments).err
