"""The token that a database checks expires during a long command: it is renewed, or the command says what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from custctl.api.client import Client
from custctl.customers import importing
from custctl.engines.connection import Connection
from custctl.engines.postgresql import connection as postgresql_connection
from custctl.engines.postgresql.session import PostgresqlScriptSession
from custctl.identity.login import session
from custctl.identity.login.keeping import Kept
from custctl.profiles.credentials import Secret
from custctl.support.errors import CredentialError, UnavailableError
from tests.conftest import Project
from tests.inside import Inside
from tests.servers import bearer
from tests.servers.postgresql import Database, PostgresqlServer

SECONDS = 6
"""How long a token is valid that expires during a command."""


class Shift(Inside):
    """A project whose operator is logged in at a database that checks tokens.

    Attributes:
        stored: the database.
        kept: the login in the keyring.
        renews: whether another process renews the login once it has expired.
        delay: how many seconds it takes to read the login then.
    """

    __slots__ = ("delay", "kept", "renews", "stored")

    stored: Database
    kept: Kept
    renews: bool
    delay: float

    def log_in(self, seconds: int = 600) -> None:
        """Let the keyring hold a new login."""
        until = int(time.time()) + seconds
        self.kept = Kept({"sub": "olga", "groups": ["dba"]}, until + 7200, Secret(f"olga.valid-{until}"), until)

    def read_kept(self, *_: object) -> Kept:
        """Stands in for the keyring."""
        if self.is_over and self.renews:
            time.sleep(self.delay)
            self.log_in()
        return self.kept

    @property
    def is_over(self) -> bool:
        """Whether the login has expired."""
        return time.time() >= self.kept.access_expires_at

    def lose(self) -> None:
        """Let the login expire, and end custctl's sessions."""
        while not self.is_over:
            time.sleep(0.1)
        self.stored.sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'custctl%'"
        )

    def write(self, name: str, text: str) -> None:
        """Write a script, into a folder that has no others."""
        folder = self.path / "sql" / "postgresql" / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.sql").write_text(text)
        self.environ.pop("CUSTCTL_SQL_DIR", None)


@pytest.fixture
def shift(project: Project, checking_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shift]:
    """The database is empty, and the login valid."""
    made = Shift(project.path, project.environ)
    made.stored = checking_server.create_database()
    made.renews, made.delay = False, 0.0
    made.log_in()
    bearer.write_profile(project, made.stored, connect_timeout="1s")
    monkeypatch.setattr(session, "read_kept", made.read_kept)
    # A token is used until its last second.
    monkeypatch.setattr(session, "_MARGIN", 0.0)
    yield made
    made.stored.drop()


def before(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, number: int, act: Callable[[], None]) -> None:
    """Do something before this call of a method."""
    method, calls = getattr(kind, name), iter(range(1, 1000))

    def acting(*arguments: Any, **named: Any) -> Any:
        if next(calls) == number:
            act()
        return method(*arguments, **named)

    monkeypatch.setattr(kind, name, acting)


def refused(shift: Shift, code: int, *arguments: str) -> str:
    """Run a command that fails, and return its error's message and hint."""
    result = shift.run(*arguments, "-o", "json")
    assert result.code == code, result.err
    return f"{result.error['message']} / {result.error['hint']}"


@pytest.mark.parametrize("renews", [True, False], ids=["renewed", "expired"])
def test_an_import_whose_commit_is_lost(shift: Shift, monkeypatch: pytest.MonkeyPatch, renews: bool) -> None:
    shift.ok("migrate")
    rows = "".join(f"c{number}@example.com,F,L\n" for number in range(40))
    (shift.path / "rows.csv").write_text(f"email,first_name,last_name\n{rows}")
    monkeypatch.setattr(importing, "BATCH", 10)
    before(monkeypatch, Connection, "commit", 3, shift.lose)
    shift.log_in(SECONDS)
    shift.renews = renews
    told = refused(shift, 3 if renews else 13, "customer", "import", "rows.csv")
    if renews:
        assert "nothing was written" in told
    else:
        assert "whether it was written is unknown: the login at `https://login.example.com` has expired" in told
        assert "run `custctl login`; then run the same command again with `--operation-id" in told
    shift.log_in()
    shift.ok("customer", "import", "rows.csv")
    assert shift.stored.sql("SELECT count(*), count(DISTINCT email) FROM customer") == [(40, 40)]


@pytest.mark.parametrize("renews", [True, False], ids=["renewed", "expired"])
def test_a_migration_whose_commit_is_lost(shift: Shift, monkeypatch: pytest.MonkeyPatch, renews: bool) -> None:
    shift.write("0001_a", "CREATE TABLE a (x INTEGER);\nINSERT INTO a VALUES (1);\n")
    shift.write("0002_b", "CREATE TABLE b (x INTEGER);\n")
    before(monkeypatch, PostgresqlScriptSession, "add_and_commit", 1, shift.lose)
    shift.log_in(SECONDS)
    shift.renews = renews
    told = refused(shift, 3 if renews else 13, "migrate")
    if renews:
        assert "none of it was kept" in told
    else:
        assert "whether it is applied is unknown: the login at `https://login.example.com` has expired" in told
        assert "run `custctl login`; then `custctl migrate status` shows the outcome" in told
    shift.log_in()
    shift.ok("migrate")
    assert shift.stored.sql("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)") == [(1, 0)]


def test_a_long_statement_is_not_ended_with_the_token(shift: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    # During a statement, custctl asks over another connection whether the server still answers.
    monkeypatch.setattr(postgresql_connection, "_SILENCE", 0.5)
    shift.write("0001_a", f"SELECT pg_sleep({SECONDS + 2});\nCREATE TABLE a (x INTEGER);\n")
    shift.log_in(SECONDS)
    shift.ok("migrate")
    assert shift.stored.sql("SELECT count(*) FROM a") == [(0,)]


@pytest.mark.parametrize("renews", [True, False], ids=["renewed", "expired"])
def test_pages_over_another_connection(shift: Shift, renews: bool) -> None:
    shift.ok("migrate")
    shift.stored.sql(
        "INSERT INTO customer (email, first_name, last_name)"
        " SELECT n || '@example.com', 'F', 'L' FROM generate_series(1, 5) AS n"
    )
    shift.log_in(SECONDS)
    # Longer than a connection may take.
    shift.renews, shift.delay = renews, 3.0
    with Client.of("dev", profiles_dir=shift.path / "profiles", environ=shift.environ) as client:
        page = client.customers.list(limit=3)
        shift.lose()
        with pytest.raises(UnavailableError):
            client.customers.list(limit=3, after=page.next)
        if renews:
            assert len(client.customers.list(limit=3, after=page.next).items) == 2
            return
        with pytest.raises(CredentialError, match="has expired") as expired:
            client.customers.list(limit=3, after=page.next)
        assert expired.value.hint == "run `custctl login`"
