"""The program as a library: the rules of the commands hold, and nothing is printed, asked or imported before its time."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import custctl
from custctl.api.client import Client
from custctl.support import errors
from tests.conftest import REPOSITORY, Project

ADA = {"email": "Ada@Example.com", "first_name": "Ada", "last_name": "Lovelace"}


@pytest.fixture
def client(migrated: Project) -> Iterator[Client]:
    """The `dev` profile of a project whose database has the schema."""
    with opened(migrated) as made:
        yield made


def opened(project: Project, name: str = "dev", actor: str | None = None) -> Client:
    return custctl.open(
        name,
        profiles_dir=project.path / "profiles",
        sql_dir=REPOSITORY / "sql",
        environ=project.environ,
        actor=actor,
    )


@pytest.fixture(autouse=True)
def nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing here may reach stdout or stderr."""
    yield
    assert capfd.readouterr() == ("", "")


def loaded(code: str) -> set[str]:
    """Return the modules that are loaded after a piece of code."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sys.modules))"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_of_the_package_loads_no_more_than_the_version() -> None:
    own = {name for name in loaded("import custctl") if name.startswith("custctl")}
    assert own == {"custctl", "custctl.support", "custctl.support.version"}
    assert not loaded("import custctl") & {"typing", "enum", "dataclasses", "logging"} - loaded("")


def test_what_is_opened_and_not_used_is_not_loaded(project: Project) -> None:
    (project.path / "profiles" / "lazy.yaml").write_text((project.path / "profiles" / "dev.yaml").read_text())
    modules = loaded(f"import custctl; custctl.open('lazy', profiles_dir={str(project.path / 'profiles')!r}).close()")
    assert "custctl.profiles" in modules
    assert not modules & {"custctl.engines.sqlite.database", "sqlalchemy", "typer", "rich", "logging"}
    assert not any(name.startswith(("custctl.cli", "custctl.terminal")) for name in modules)


def test_the_errors_are_those_of_the_tree() -> None:
    names = [name for name in custctl.__all__ if name.endswith("Error")]
    assert len(names) > 10
    for name in names:
        assert getattr(custctl, name) is getattr(errors, name)
    with pytest.raises(AttributeError):
        _ = custctl.nothing  # type: ignore[attr-defined]


def test_a_customer_is_kept_under_the_rules_of_the_commands(client: Client, migrated: Project) -> None:
    added = client.customers.add(ADA)
    assert migrated.ok("customer", "get", str(added.customer_id), "-o", "json").json["email"] == "ada@example.com"
    with pytest.raises(custctl.InvalidError) as invalid:
        client.customers.add({**ADA, "email": "bob@example.com", "status": "asleep", "phone": "1\x002"})
    assert set(invalid.value.details["fields"]) == {"status", "phone"}
    with pytest.raises(custctl.InvalidError):
        client.customers.update(added.customer_id, {"first_name": ""})
    with pytest.raises(custctl.UsageError):
        client.customers.update(added.customer_id, {"version": "e1-9"})
    with pytest.raises(custctl.ConflictError):
        client.customers.add(ADA)
    with pytest.raises(custctl.UsageError):
        client.customers.add({**ADA, "email": "bob@example.com"}, operation_id="once")
    with pytest.raises(custctl.InvalidError):
        client.customers.set_password(added.customer_id, "password")
    assert [each.id for each in client.customers.iterate()] == [added.customer_id]


def test_a_database_of_another_environment_is_not_written_to(migrated: Project) -> None:
    migrated.profile("other", "production", path="dev.db")
    with opened(migrated, "other") as client:
        attempts = (
            lambda: client.customers.add(ADA),
            lambda: client.customers.import_file(io.BytesIO(b"email,first_name,last_name\na@b.example,A,B\n")),
            client.migrations.apply,
            client.migrations.seed,
            lambda: client.migrations.seed_customers(3),
        )
        for attempt in attempts:
            with pytest.raises(custctl.RefusedError):
                attempt()
    with opened(migrated) as client:
        assert list(client.customers.iterate()) == []


def test_a_schema_that_is_not_there_is_said(project: Project) -> None:
    with opened(project) as client:
        with pytest.raises(custctl.PendingError) as pending:
            client.customers.add(ADA)
        assert pending.value.exit_code == custctl.ExitCode.PENDING
        run = client.migrations.plan()
        assert run.planned
        assert not run.applied
        assert not (project.path / "dev.db").exists()
        assert [done.script for done in client.migrations.apply().applied] == [step.script for step in run.planned]
        client.customers.add(ADA)


def test_what_is_wrong_with_a_profile_or_actor_is_said_at_once(project: Project) -> None:
    with pytest.raises(custctl.UsageError):
        opened(project, "nowhere")
    for actor in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(custctl.UsageError):
            opened(project, actor=actor)


def test_the_actor_is_recorded(migrated: Project) -> None:
    with opened(migrated, actor="shop 7") as client:
        added = client.customers.add(ADA)
        assert [entry.actor for entry in client.audit.list(customer=added.customer_id).items] == ["shop 7"]


def test_a_client_that_was_closed_connects_again(client: Client) -> None:
    added = client.customers.add(ADA)
    client.close()
    assert client.customers.read(added.customer_id).row.first_name == "Ada"


def test_files_go_in_and_out(client: Client, tmp_path: Path) -> None:
    rows = "".join(f"c{number}@example.com,C,{number}\n" for number in range(2500))
    file = tmp_path / "some.csv"
    file.write_text("email,first_name,last_name\n" + rows + "broken,No,Body\n")
    seen: list[int] = []
    rejects = tmp_path / "rejects.csv"
    result = client.customers.import_file(file, rejects=rejects, on_progress=seen.append)
    assert (result.counts.inserted, result.counts.rejected, seen[-1]) == (2500, 1, 2501)
    assert "broken" in rejects.read_text()
    assert list(client.customers.export()) == list(client.customers.iterate())
    rehearsed = client.customers.import_file(
        io.BytesIO(file.read_bytes()), format="csv", on_conflict="update", dry_run=True
    )
    assert rehearsed.counts.unchanged == 2500
    with pytest.raises(custctl.UsageError):
        client.customers.import_file(file, on_conflict="perhaps")  # type: ignore[arg-type]
    with pytest.raises(custctl.UsageError):
        client.customers.import_file(tmp_path / "missing.csv")


def test_pages_follow_each_other(client: Client) -> None:
    client.migrations.seed_customers(30)
    ids = []
    page = client.customers.list(sort="-last_name", limit=7)
    while True:
        ids += [each.id for each in page.items]
        if page.next is None:
            break
        page = client.customers.list(after=page.next, limit=7)
    assert ids == [each.id for each in client.customers.iterate(sort="-last_name")]
    first = client.customers.search("a", contains=True, limit=2)
    assert first.next is not None
    assert client.customers.search(after=first.next, limit=2).items != first.items
    with pytest.raises(custctl.UsageError):
        client.customers.search()
    with pytest.raises(custctl.UsageError):
        client.customers.list(after=first.next)


def test_where_there_are_no_replicas_and_no_cache_it_is_said(client: Client) -> None:
    for attempt in (
        client.replicas.status,
        lambda: client.replicas.plan_switchover("b"),
        client.replicas.plan_failover,
        client.cache.status,
        client.cache.warm,
        client.cache.clear,
    ):
        with pytest.raises(custctl.RefusedError):
            attempt()
    assert client.replicas.history().items == ()


def test_warnings_go_to_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    from custctl.api.reporting import Log

    told = Log()
    with caplog.at_level(logging.DEBUG, logger="custctl"):
        told.note("a 100 % note")
        told.detail("a detail")
        told.warn("a warning", "a way out")
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("INFO", "a 100 % note"),
        ("DEBUG", "a detail"),
        ("WARNING", "a warning (hint: a way out)"),
    ]


def test_warnings_are_not_printed_where_nobody_has_asked_for_them() -> None:
    code = "from custctl.api.reporting import Log\nLog().warn('a warning')"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
