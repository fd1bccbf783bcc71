"""PgBouncer between the program and the server: what is asked for holds, or is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from tests.conftest import ADA, Project
from tests.inside import Inside
from tests.servers.fixtures import PostgresqlServers
from tests.servers.pgbouncer import PgBouncer
from tests.servers.projects import EngineProject, nodes, on_engine, postgresql_place

PACKAGED = {"pool_mode": "session"}
IGNORING = {"pool_mode": "session", "ignore_startup_parameters": "extra_float_digits,options"}
TRANSACTION = {"pool_mode": "transaction"}
DROPPING = {"pool_mode": "transaction", "ignore_startup_parameters": "extra_float_digits,options"}
ROUND: dict[str, str | int] = {**DROPPING, "server_round_robin": 1}
SESSIONS: dict[str, Mapping[str, str | int]] = {"packaged": PACKAGED, "ignoring": IGNORING}
TRANSACTIONS: dict[str, Mapping[str, str | int]] = {"transaction": TRANSACTION, "dropping": DROPPING, "round": ROUND}
SCHEMA = "crm"


class Pooled:
    """A project whose database is reached past a pooler, and through one."""

    def __init__(self, project: EngineProject, servers: PostgresqlServers) -> None:
        self.project = project
        self.inside = Inside(project.path, project.environ)
        self.servers = servers
        self.server = servers.shared("postgresql18")

    def direct(self) -> None:
        """Reach the server itself from now on."""
        self._reach(self.server.port)

    def _reach(self, port: int) -> None:
        self.project.profile(
            "dev", "development", nodes=nodes("127.0.0.1", port), schema=SCHEMA, statement_timeout="7s"
        )

    @contextmanager
    def through(self, settings: Mapping[str, str | int]) -> Iterator[PgBouncer]:
        """Reach it through a pooler during the block."""
        with PgBouncer.start(self.servers.workplace, self.server, **settings) as pooler:
            self._reach(pooler.port)
            yield pooler
        self.direct()


@pytest.fixture
def pooled(project: Project, postgresql_servers: PostgresqlServers) -> Iterator[Pooled]:
    """An empty database, reached directly until a pooler is started."""
    made = on_engine(project, postgresql_place(postgresql_servers.shared("postgresql18")))
    pooled = Pooled(made, postgresql_servers)
    pooled.direct()
    yield pooled
    made.drop()


def _work(inside: Inside, email: str) -> None:
    """Do what people do with customers, each command with what it must find."""
    inside.ok("customer", "add", "--email", email, "--first-name", "Céline", "--last-name", "Dupont")
    assert inside.ok("customer", "get", email, "-o", "json").json["email"] == email
    inside.ok("customer", "update", email, "--city", "Lyon")
    for text in ("cé", "dup"):
        found = inside.ok("customer", "search", text, "-o", "json").json["items"]
        assert email in [item["email"] for item in found]
    assert inside.ok("customer", "search", "--contains", "upon", "-o", "json").json["items"]
    inside.ok("customer", "set-password", email, "--stdin", stdin="Sesame opens a mountain 7\n")
    inside.ok("customer", "verify-password", email, "--stdin", stdin="Sesame opens a mountain 7\n")
    rows = "email,first_name,last_name\n" + "".join(f"{n}.{email},A,B\n" for n in range(30))
    inside.ok("customer", "import", "-", stdin=rows)
    exported = inside.ok("customer", "export", "-o", "jsonl").out
    assert exported.count(email) == 31
    assert len(inside.ok("customer", "list", "--limit", "0", "-o", "json").json["items"]) >= 31
    times = inside.ok("customer", "history", email, "-o", "json").json["items"]
    assert all(entry["happened_at"].endswith("Z") for entry in times)
    assert inside.ok("audit", "verify").code == 0
    inside.ok("customer", "delete", email, "--yes")


@pytest.mark.parametrize("mode", [*SESSIONS, *TRANSACTIONS])
def test_customers_are_worked_with_through_every_pooler(pooled: Pooled, mode: str) -> None:
    pooled.inside.ok("migrate")
    with pooled.through({**SESSIONS, **TRANSACTIONS}[mode]):
        _work(pooled.inside, "celine@example.com")


@pytest.mark.parametrize("mode", SESSIONS)
def test_a_pooler_that_keeps_sessions_serves_migrations(pooled: Pooled, mode: str) -> None:
    with pooled.through(SESSIONS[mode]):
        pooled.inside.ok("migrate")
        assert pooled.inside.ok("migrate", "status", "--check")
        _work(pooled.inside, "celine@example.com")
        checks = {check["check"]: check for check in pooled.inside.ok("doctor", "-o", "json").json["items"]}
        assert "in session mode" in checks["pooler"]["value"]
    assert pooled.project.sql(f"SELECT count(*) FROM {SCHEMA}.schema_migration WHERE state = 'applied'") != [(0,)]


@pytest.mark.parametrize("mode", TRANSACTIONS)
@pytest.mark.parametrize("idle", [0, 3])
def test_a_pooler_that_hands_sessions_on_is_refused_for_migrations(pooled: Pooled, mode: str, idle: int) -> None:
    with pooled.through(TRANSACTIONS[mode]) as pooler:
        # Sessions that wait in the pool: which of them comes next is the pooler's affair.
        with ExitStack() as stack:
            for _ in range(idle):
                name = pooled.project.names["dev"]
                other = pooled.server.connect(dbname=name, user="custctl", host="127.0.0.1", port=pooler.port)
                stack.enter_context(other)
                other.autocommit = False
                other.execute("SELECT 1")
        result = pooled.inside.run("migrate", "-o", "json")
        assert result.code == 7, result.err
        assert "a pooler before node `a`" in result.error["message"]
        assert "in session mode" in result.error["hint"]
        assert "session changes" in pooled.inside.run("doctor").out
    held = pooled.server.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    assert held == [(0,)], "a lock was left in the pool"
    assert pooled.project.sql("SELECT count(*) FROM pg_class WHERE relname = 'schema_migration'") == [(0,)]


def test_a_pooler_that_allows_no_transactions_is_refused(pooled: Pooled) -> None:
    pooled.inside.ok("migrate")
    with pooled.through({**IGNORING, "pool_mode": "statement"}):
        for command in ("customer list", "customer update 1 --city Paris", "migrate"):
            result = pooled.inside.run(*command.split(), "-o", "json")
            assert result.code == 7, result.err
            assert "the pooler before node `a`" in result.error["message"]
            assert "in session mode" in result.error["hint"]
        assert pooled.inside.run("doctor").code == 7


@pytest.mark.parametrize("mode", TRANSACTIONS)
def test_no_setting_is_lost_and_none_is_left_to_others(pooled: Pooled, mode: str) -> None:
    pooled.inside.ok("migrate")
    name = pooled.project.names["dev"]
    seen = f"{SCHEMA}.seen"
    pooled.project.sql(
        f"CREATE TABLE {seen} AS SELECT current_setting('statement_timeout') AS timeout, ''::text AS path, ''::text AS zone,"
        f" ''::text AS name, ''::text AS encoding LIMIT 0; GRANT ALL ON {seen} TO PUBLIC;"
        f" CREATE FUNCTION {SCHEMA}.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO {seen} VALUES ("
        " current_setting('statement_timeout'), current_setting('search_path'), current_setting('TimeZone'),"
        " current_setting('application_name'), current_setting('client_encoding')); RETURN new; END $$;"
        f" CREATE TRIGGER note AFTER INSERT ON {SCHEMA}.customer FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.note()"
    )
    with pooled.through({**TRANSACTIONS[mode], "default_pool_size": 1}) as pooler:
        pooled.inside.ok("customer", "add", *ADA)
        [(timeout, path, zone, named, encoding)] = pooled.project.sql(f"SELECT * FROM {seen}")
        assert (timeout, path, zone, encoding) == ("7s", f'"{SCHEMA}", public', "UTC", "UTF8")
        assert named.startswith("custctl ")
        with pooled.server.connect(dbname=name, user="custctl", host="127.0.0.1", port=pooler.port) as other:
            row = other.execute(
                "SELECT current_setting('statement_timeout'), current_setting('search_path')"
            ).fetchone()
            assert row == ("0", '"$user", public')
            assert other.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").fetchone() == (0,)


def test_a_direct_connection_is_no_pooler(pooled: Pooled) -> None:
    pooled.inside.ok("migrate")
    checks = {check["check"]: check for check in pooled.inside.ok("doctor", "-o", "json").json["items"]}
    assert checks["pooler"]["value"] == "none"


def test_a_wrong_password_at_a_pooler_is_told(pooled: Pooled) -> None:
    pooled.inside.ok("migrate")
    pooled.project.environ["CUSTCTL_DB_PASSWORD"] = "wrong"
    with pooled.through(PACKAGED):
        result = pooled.inside.run("customer", "list", "-o", "json")
        assert result.code in (3, 4), result.err
        assert "custctl credential check" in result.error["hint"]
