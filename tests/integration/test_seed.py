"""`custctl seed`: what goes where, once, and never test data into staging or production."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import ADA, REPOSITORY, Project
from tests.inside import inside
from tests.integration.rows import (
    audit_rows,
    customers,
    emails,
    finish,
    query,
    small_batches,
    start,
    with_schema,
)

OPERATION = "11111111-2222-4333-8444-555555555555"
RESERVED = ("example.com", "example.net", "example.org", ".example", ".test", ".invalid")


@pytest.fixture
def ready(project: Project, migrated_file: Path) -> Project:
    return inside(with_schema(project, migrated_file), migrate=False)


def own_scripts(project: Project) -> Path:
    """Give the project a copy of the scripts and return its folder of seeds."""
    shutil.copytree(REPOSITORY / "sql", project.path / "own")
    project.environ["CUSTCTL_SQL_DIR"] = str(project.path / "own")
    return project.path / "own" / "sqlite" / "seed"


def is_untouched(project: Project, name: str) -> bool:
    """Tell whether no seed reached a database."""
    connection = project.database(name)
    try:
        counted = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("customer", "customer_status")
        ]
        seeds = connection.execute("SELECT count(*) FROM schema_migration WHERE kind = 'seed'").fetchone()[0]
    finally:
        connection.close()
    return counted == [0, 0] and seeds == 0 and audit_rows(project, "seed", name=name) == []


# -- what goes where -------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_test_data_never_reaches_staging_or_production(project: Project, environment: str) -> None:
    # Even where the profile itself asks for it.
    project.profile("here", environment, seed=("reference", "demo"))
    project.ok("migrate", "--env", "here")
    sure = ("--yes", "--confirm", "here")
    for what in ((), sure, ("--set", "reference", "--set", "demo", *sure), ("--customers", "5", *sure)):
        result = project.run("seed", *what, "--env", "here")
        assert (result.code, result.out) == (7, ""), (what, result.err)
        assert "test data" in result.err
    mixed = project.run("seed", "--set", "reference", "--customers", "5", "--env", "here", "--yes")
    assert mixed.code == 7
    assert is_untouched(project, "here")
    project.ok("seed", "--set", "reference", "--env", "here")
    assert query(project, "SELECT count(*) FROM customer_status", name="here") == [(3,)]
    assert emails(project, name="here") == []


@pytest.mark.parametrize("stamp", ["test", "staging", "production"])
@pytest.mark.parametrize("what", [(), ("--set", "demo"), ("--set", "reference"), ("--customers", "5")])
def test_the_stamp_is_asked_too(project: Project, migrated_file: Path, stamp: str, what: tuple[str, ...]) -> None:
    with_schema(project, migrated_file)
    connection = project.database()
    connection.execute("UPDATE custctl_metadata SET value = ? WHERE name = 'environment'", (stamp,))
    connection.close()
    result = project.run("seed", *what, "--yes", "--confirm", "dev")
    assert result.code == 7
    assert f"is stamped `{stamp}`" in result.err
    assert is_untouched(project, "dev")


@pytest.mark.parametrize("what", [(), ("--set", "reference"), ("--customers", "5")])
def test_without_a_stamp_or_a_schema_nothing_is_seeded(ready: Project, what: tuple[str, ...]) -> None:
    connection = ready.database()
    connection.execute("DELETE FROM custctl_metadata WHERE name = 'environment'")
    connection.close()
    assert ready.run("seed", *what, "--yes").code == 7
    assert is_untouched(ready, "dev")
    assert ready.run("seed", *what, "--env", "test").code == 8


def test_a_set_that_the_profile_does_not_name_is_refused(ready: Project) -> None:
    ready.profile("dev", "development", seed=("reference",))
    result = ready.run("seed", "--set", "demo")
    assert result.code == 7
    assert "does not allow the set `demo`" in result.err
    assert is_untouched(ready, "dev")


def test_a_set_that_is_not_there_is_told_with_the_nearest(ready: Project) -> None:
    result = ready.run("seed", "--set", "dmeo", "-o", "json")
    assert (result.code, result.error["hint"]) == (2, "did you mean `demo`?")


@pytest.mark.parametrize(
    "arguments",
    [("--random-seed", "7"), ("--customers", "0"), ("--customers", "-1"), ("--customers", "5", "--random-seed", "-1"),
     ("--customers", "5", "--random-seed", str(2**63)), ("--customers", "many")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(ready: Project, arguments: tuple[str, ...]) -> None:
    result = ready.run("seed", *arguments)
    assert result.code == 2, result.err
    assert "Traceback" not in result.err
    assert is_untouched(ready, "dev")


# -- scripts ---------------------------------------------------------------------------------------


def test_alone_it_takes_the_sets_of_the_profile_once(ready: Project) -> None:
    first = ready.ok("seed", "-o", "json")
    assert first.announced["environment"] == "development"
    assert first.json == {
        "environment": "development",
        "sets": ["reference", "demo"],
        "scripts": ["seed/reference/customer_status.sql", "seed/demo/customers.sql"],
        "customers": 6,
    }
    before = customers(ready, "*")
    assert len(before) == 6
    rows = audit_rows(ready, "seed")
    assert [row["detail"]["script"] for row in rows] == first.json["scripts"]
    again = ready.ok("seed", "-o", "json")
    assert (again.json["scripts"], again.json["customers"]) == ([], 0)
    assert "nothing to do: reference, demo are up to date" in again.err
    assert customers(ready, "*") == before
    assert len(audit_rows(ready, "seed")) == 2
    ready.ok("audit", "verify")


def test_a_script_that_changed_is_run_again_and_only_that(ready: Project) -> None:
    seeds = own_scripts(ready)
    ready.ok("seed")
    script = seeds / "reference" / "customer_status.sql"
    script.write_text(script.read_text().replace("may order and log in", "is a customer"))
    result = ready.ok("seed", "-o", "json")
    assert result.json["scripts"] == ["seed/reference/customer_status.sql"]
    assert query(ready, "SELECT description FROM customer_status WHERE status = 'active'") == [("is a customer",)]
    assert ready.ok("seed", "-o", "json").json["scripts"] == []
    rows = audit_rows(ready, "seed")
    assert len(rows) == 3
    assert len({row["detail"]["checksum"] for row in rows}) == 3


def test_a_script_that_fails_leaves_nothing_behind(ready: Project) -> None:
    seeds = own_scripts(ready)
    (seeds / "demo" / "zz_broken.sql").write_text("DELETE FROM customer;\nINSERT INTO missing VALUES (1);\n")
    result = ready.run("seed")
    assert result.code == 11
    assert "zz_broken.sql" in result.err
    assert len(emails(ready)) == 6
    assert len(audit_rows(ready, "seed")) == 2
    (seeds / "demo" / "zz_broken.sql").unlink()
    ready.ok("seed")


def test_a_script_may_name_the_environments_it_is_for(ready: Project) -> None:
    seeds = own_scripts(ready)
    (seeds / "demo" / "extra.sql").write_text(
        "-- custctl: environments=test\nINSERT INTO customer (email, first_name, last_name) VALUES ('x@example.com', 'X', 'Y');\n"
    )
    ready.ok("seed")
    assert "x@example.com" not in emails(ready)


def test_two_at_once_run_each_script_once(ready: Project) -> None:
    ended = [finish(process) for process in [start(ready, ready.command("seed", "-o", "json")) for _ in range(3)]]
    assert [code for code, _, _ in ended] == [0] * 3, ended
    assert sorted(len(json.loads(out)["scripts"]) for _, out, _ in ended) == [0, 0, 2]
    assert len(audit_rows(ready, "seed")) == 2


# -- synthetic customers ---------------------------------------------------------------------------


def test_the_same_number_makes_the_same_customers(ready: Project, migrated_file: Path) -> None:
    made = ready.ok("seed", "--customers", "50", "--random-seed", "7", "-o", "json")
    assert made.json == {"environment": "development", "sets": [], "scripts": [], "customers": 50}
    before = customers(ready)
    assert len(before) == 50
    for path in ready.path.glob("dev.db*"):
        path.unlink()
    with_schema(ready, migrated_file)
    ready.ok("seed", "--customers", "50", "--random-seed", "7")
    assert customers(ready) == before
    ready.ok("seed", "--customers", "50", "--random-seed", "8")
    assert len(emails(ready)) == 100


def test_twice_adds_nothing_and_more_adds_the_rest(ready: Project) -> None:
    ready.ok("seed", "--customers", "30")
    first = customers(ready, "*")
    again = ready.ok("seed", "--customers", "30", "--random-seed", "1", "-o", "json")
    assert again.json["customers"] == 0
    assert "nothing to do: the 30 customers already exist" in again.err
    assert customers(ready, "*") == first
    more = ready.ok("seed", "--customers", "80", "-o", "json")
    assert more.json["customers"] == 50
    assert set(first) < set(customers(ready, "*"))
    fewer = ready.ok("seed", "--customers", "10", "-o", "json")
    assert fewer.json["customers"] == 0
    assert len(emails(ready)) == 80


def test_no_mail_to_one_can_reach_anybody(ready: Project) -> None:
    ready.ok("seed", "--customers", "2000")
    found = emails(ready)
    assert len(found) == 2000
    assert all(email.endswith(RESERVED) for email in found)


def test_sets_and_customers_go_together(ready: Project) -> None:
    result = ready.ok("seed", "--set", "reference", "--customers", "5", "-o", "json")
    assert (len(result.json["scripts"]), result.json["customers"]) == (1, 5)


def test_each_batch_leaves_an_audit_row(ready: Project) -> None:
    arguments = ("seed", "--customers", "25", "--operation-id", OPERATION, "-o", "json")
    code, _, err = finish(start(ready, small_batches(ready, 10, *arguments)))
    assert code == 0, err
    rows = audit_rows(ready, "seed")
    assert [(row["operation_id"], row["part"], row["detail"]["inserted"]) for row in rows] == [
        (OPERATION, 1, 10), (OPERATION, 2, 10), (OPERATION, 3, 5),
    ]  # fmt: skip
    assert [row["detail"]["customers"] for row in rows] == ["1-10", "11-20", "21-25"]
    events = ready.ok("customer", "history", "1", "-o", "json").json["items"]
    assert [event["action"] for event in events] == ["seed"]
    ready.ok("audit", "verify")


def test_the_same_operation_answers_for_the_whole(ready: Project) -> None:
    arguments = ("seed", "--customers", "20", "--operation-id", OPERATION, "-o", "json")
    assert ready.ok(*arguments).json["customers"] == 20
    assert ready.ok(*arguments).json["customers"] == 20
    assert len(audit_rows(ready, "seed")) == 1
    for other in (("--customers", "21"), ("--customers", "20", "--random-seed", "2")):
        result = ready.run("seed", *other, "--operation-id", OPERATION)
        assert (result.code, "names one request" in result.err) == (5, True)
    assert len(emails(ready)) == 20


def test_an_operation_of_another_kind_is_not_taken(ready: Project) -> None:
    ready.ok("customer", "add", *ADA, "--operation-id", OPERATION)
    assert ready.run("seed", "--customers", "5", "--operation-id", OPERATION).code == 5
    assert emails(ready) == ["ada@example.com"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_interrupted_and_run_again_it_adds_the_rest(ready: Project, number: signal.Signals) -> None:
    arguments = ("seed", "--customers", "3000", "--operation-id", OPERATION, "-o", "json")
    process = start(ready, small_batches(ready, 20, *arguments))
    looking = ready.database()
    while looking.execute("SELECT count(*) FROM customer").fetchone()[0] < 100:
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(number)
    code, _, err = finish(process)
    (added,) = looking.execute("SELECT count(*) FROM customer").fetchone()
    assert 100 <= added < 3000
    if number is signal.SIGTERM:
        assert code == 143
        assert f"interrupted; {added} customers were added and committed" in err
    assert ready.ok(*arguments).json["customers"] == 3000
    assert len(emails(ready)) == 3000
    rows = audit_rows(ready, "seed")
    assert [row["part"] for row in rows] == list(range(1, len(rows) + 1))
    ready.ok("audit", "verify")
