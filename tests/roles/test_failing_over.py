"""Who may fail over: what the scripts give `custctl_admin` where a superuser migrates, and nobody else."""

from __future__ import annotations

import re
import shutil
from typing import Any

import psycopg
import pytest

from tests.conftest import REPOSITORY, Project
from tests.inside import Inside
from tests.servers.cluster import OPERATOR_USER, REPLICATION_MARK, SUPPORT_USER, Cluster
from tests.servers.postgresql import SUPERUSER, SUPERUSER_PASSWORD, USER, PostgresqlServer
from tests.servers.projects import on_engine, postgresql_place

VERSIONS = ["postgresql17", "postgresql18"]
PARAMETERS = ("default_transaction_read_only", "primary_conninfo", "primary_slot_name", "synchronous_standby_names")


def refused(connection: psycopg.Connection[Any], statement: str) -> bool:
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


@pytest.mark.parametrize("cluster", VERSIONS, indirect=True)
def test_an_administrator_fails_over_and_nobody_else(cluster: Cluster) -> None:
    standby = cluster.nodes["b"]
    failover = [
        "SHOW primary_conninfo",
        "SELECT setting FROM pg_settings WHERE name = 'primary_conninfo' UNION ALL SELECT pg_reload_conf()::text",
        *(f"ALTER SYSTEM SET {name} = DEFAULT" for name in PARAMETERS[:1] + PARAMETERS[2:]),
        "SELECT pg_promote()",
    ]
    for user in (SUPPORT_USER, OPERATOR_USER):
        with standby.connect(user=user, dbname="customers") as connection:
            for statement in failover:
                assert refused(connection, statement), (user, statement)
            shown = connection.execute(
                "SELECT coalesce(string_agg(conninfo, ' '), '') FROM pg_stat_wal_receiver"
                " UNION ALL SELECT coalesce(string_agg(setting, ' '), '') FROM pg_settings WHERE name ~ '^primary_'"
            )
            assert REPLICATION_MARK not in str(shown.fetchall())
            assert refused(connection, "SELECT * FROM pg_file_settings")
    with standby.connect(user=USER, dbname="customers") as connection:
        for statement in failover:
            assert not refused(connection, statement), statement
    assert cluster.roles()["b"] == "primary"


@pytest.mark.parametrize("cluster", VERSIONS, indirect=True)
def test_an_administrator_gets_no_more_of_the_server_than_that(cluster: Cluster) -> None:
    with (
        cluster.nodes["a"].connect(user=USER, dbname="customers") as connection,
        cluster.nodes["a"].connect(user=SUPPORT_USER, dbname="customers") as client,
        cluster.nodes["a"].connect() as superuser,
    ):
        for statement in (
            "ALTER SYSTEM SET archive_command = 'true'",
            "ALTER SYSTEM SET restore_command = 'true'",
            "ALTER SYSTEM RESET ALL",
            "SELECT pg_read_file('postgresql.auto.conf')",
            "SELECT pg_switch_wal()",
            "CREATE ROLE another",
            f"SELECT pg_terminate_backend({superuser.info.backend_pid})",
        ):
            assert refused(connection, statement), statement
        connection.execute(f"SELECT pg_terminate_backend({client.info.backend_pid}, 5000)")
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")


@pytest.mark.parametrize("own_postgresql", VERSIONS, indirect=True)
def test_a_superuser_s_migration_gives_the_rights_however_often_it_runs(
    project: Project, own_postgresql: PostgresqlServer
) -> None:
    made = on_engine(project, postgresql_place(own_postgresql))
    run = Inside(made.path, made.environ)
    own_postgresql.create_role("owner", createrole=True, in_role=USER)
    made.profile("dev", "development", user="owner")
    # Who may not give them is not bothered with it.
    assert "warning" not in run.ok("migrate").err
    assert missing(made.sql) != set()
    made.profile("dev", "development", user=SUPERUSER)
    run.environ["CUSTCTL_DB_PASSWORD"] = SUPERUSER_PASSWORD
    folder = made.path / "scripts"
    shutil.copytree(REPOSITORY / "sql", folder)
    script = folder / "postgresql" / "repeatable" / "roles.sql"
    for _ in range(2):
        script.write_text(script.read_text() + "-- Once more.\n")
        assert "warning" not in run.ok("migrate", "--sql-dir", folder).err
        assert missing(made.sql) == set()
    made.drop()


def missing(sql: Any) -> set[str]:
    """Return which rights that the script lists `custctl_admin` does not have."""
    text = (REPOSITORY / "sql/postgresql/repeatable/roles.sql").read_text()
    listed = re.findall(r"^    '(pg_\w+|EXECUTE ON [^']+|ALTER SYSTEM ON [^']+)'", text, re.MULTILINE)
    assert len(listed) == 6
    wanted = {
        right: f"pg_has_role('custctl_admin', '{right}', 'USAGE')"
        if right.startswith("pg_")
        else f"has_function_privilege('custctl_admin', '{right.removeprefix('EXECUTE ON FUNCTION ')}', 'EXECUTE')"
        if right.startswith("EXECUTE")
        else " AND ".join(
            f"has_parameter_privilege('custctl_admin', '{name}', 'ALTER SYSTEM')"
            for name in right.removeprefix("ALTER SYSTEM ON PARAMETER ").split(", ")
        )
        for right in listed
    }
    return {right for right, question in wanted.items() if sql(f"SELECT {question}") != [(True,)]}
