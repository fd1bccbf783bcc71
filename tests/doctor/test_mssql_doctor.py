"""What is made of a SQL Server's answers, by a stand-in for its connection: of one that tells all, and of lesser ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from custctl.engines.base import EngineSettings
from custctl.engines.model import Check, Node
from custctl.engines.mssql.database import MssqlDatabase
from custctl.engines.mssql.diagnosis import _installed_path, _Look
from custctl.engines.mssql.driver import Driver
from custctl.engines.reached import Link
from custctl.engines.rights import all_rights
from custctl.engines.roles import ADMIN, OPERATOR, SUPPORT
from tests.doctor.standins import ConnectionStandIn
from tests.servers import ports

Rows = list[tuple[Any, ...]]
Answer = Rows | Callable[[str], Rows]

ALL: dict[str, Answer] = {
    "ProductVersion": [("16.0.4135.4",)],
    "'Edition'": [("Developer Edition (64-bit)",)],
    "'Collation'": [("Finnish_Swedish_CI_AS",)],
    "BabelfishVersion": [(None,)],
    "Updateability": [("READ_WRITE",)],
    "encrypt_option": [("TRUE",)],
    "SUSER_SNAME": [("clerk",)],
    "USER_NAME": [("clerk",)],
    "auth_scheme": [("SQL",)],
    "OBJECT_ID": [(12345,)],
    "IS_SRVROLEMEMBER": [(0,)],
    "IS_ROLEMEMBER.*custctl_operator": [(1,)],
    "IS_ROLEMEMBER": [(0,)],
    "SCHEMA_NAME": [("dbo",)],
    "snapshot_isolation_state": [(1, True)],
    "VIEW SERVER STATE": [(1,)],
    "@@MAX_CONNECTIONS": [(32767,)],
    "dm_exec_sessions": [(12,)],
}


def rights(*refused: tuple[str, str]) -> Rows:
    """Return what HAS_PERMS_BY_NAME answers to each right."""
    return [(at, 0 if right[:2] in refused else 1) for at, right in enumerate(all_rights())]


def told(answers: Mapping[str, Answer], nodes: int = 1) -> dict[str, Check]:
    """Look at a stand-in, and return the checks by name."""
    with ports.refused() as port:
        node = Node("a", "127.0.0.1", port)
        settings = EngineSettings("mssql x", nodes=[node] * nodes, name="x", schema="dbo", user="clerk", tls="require")
        database = MssqlDatabase(settings)
        database._link = Link(node, None, writable=True, fenced=False)
        checks = list(_Look(database, cast("Any", ConnectionStandIn(dict(answers)))).all(Path("sql/mssql")))
    assert all(check.hint for check in checks if not check.ok)
    return {check.name: check for check in checks}


def test_a_server_that_tells_all() -> None:
    checks = told({"HAS_PERMS.*UNION": rights(), **ALL})
    assert {name: check.value for name, check in checks.items()} == {
        "driver version": "libmsodbcsql-18.6.so.2.2 18.06.0002, driver manager 3.5",
        "node": checks["node"].value,
        "server": "SQL Server 16.0.4135.4, Developer Edition (64-bit), collation Finnish_Swedish_CI_AS",
        "writes": "taken",
        "tls": "the certificate is not verified (`tls: require`)",
        "certificate": "not shown: [Errno 111] Connection refused",
        "login": "clerk, in the database as clerk, by password",
        "roles": OPERATOR,
        "rights": f"all that `{OPERATOR}` needs",
        "default schema": "dbo",
        "snapshots": "an export reads one consistent state; readers do not wait for writers",
        "sessions": "12 of 32767",
        "substring search": "full scan",
        "case in search": "by LOWER of the server; compared by the collation `Latin1_General_BIN2`",
    }
    assert all(check.ok for check in checks.values())
    assert checks["node"].value.startswith("`a` (127.0.0.1:")


def test_a_server_that_tells_nothing_is_said_to() -> None:
    checks = told({"OBJECT_ID": [(12345,)]})
    assert all(check.ok for check in checks.values()), checks
    assert checks["rights"].value == "the server does not report it"
    assert checks["snapshots"].value.startswith("the server does not report it")
    assert checks["tls"].value.endswith("the driver encrypts; the server does not report it of it")
    assert checks["sessions"].value == "the server does not report it this login"
    assert checks["login"].value == "clerk, by `auth: integrated`"


def test_a_compatible_server_is_named() -> None:
    checks = told({"BabelfishVersion": [("4.4.0",)], "ProductVersion": [("12.0.2000.8",)]})
    assert checks["server"].ok
    assert checks["server"].value == "Babelfish 4.4.0, compatible with SQL Server 12.0.2000.8"
    assert not told({"ProductVersion": [("13.0.5026.0",)]})["server"].ok


def test_rights_that_are_missing() -> None:
    lacking = rights(("customer", "DELETE"), ("customer_audit", "UPDATE"))
    checks = told({"HAS_PERMS.*UNION": lacking, **ALL})
    assert not checks["rights"].ok
    assert checks["rights"].exit_code == 4
    assert checks["rights"].value == "lacks DELETE on `customer`, UPDATE on `customer_audit` (held_values, salt)"
    # One of no role: support's columns are granted, and no more.
    nobody = {**ALL, "IS_ROLEMEMBER.*custctl_operator": [(0,)]}
    checks = told({"HAS_PERMS.*UNION": lacking, **nobody})
    assert (checks["roles"].value, checks["rights"].value) == ("none of custctl's", f"all that `{SUPPORT}` needs")


def test_an_administrator_lacks_what_altering_takes() -> None:
    refused = {"HAS_PERMS.*CREATE TABLE": [(0,)], "HAS_PERMS.*ALTER": [(0,)]}
    member = {"IS_ROLEMEMBER.*custctl_admin": [(1,)]}
    checks = told({"HAS_PERMS.*UNION": rights(), **refused, **member, **ALL})
    assert checks["roles"].value == f"{OPERATOR}, {ADMIN}"
    assert checks["rights"].value == "lacks CREATE TABLE in the database, ALTER on the schema `dbo`"
    checks = told({"HAS_PERMS.*UNION": rights(), **member, **ALL})
    assert checks["rights"].value == f"all that `{ADMIN}` needs"
    owner = {"IS_ROLEMEMBER.*db_owner": [(1,)]}
    checks = told({"HAS_PERMS.*UNION": rights(), **refused, **owner, **ALL})
    assert (checks["roles"].value, checks["rights"].value) == ("db_owner", f"all that `{ADMIN}` needs")


def test_where_all_rights_at_once_are_too_much_they_are_asked_for_one_by_one() -> None:
    asked: list[str] = []

    def one(query: str) -> Rows:
        if "UNION" in query:
            return ConnectionStandIn({}).run(query)
        asked.append(query)
        return [(int(query.split()[1].rstrip(",")), 1)]

    checks = told({r"HAS_PERMS.*\bOBJECT\b": one, **ALL})
    assert len(asked) == len(all_rights())
    assert checks["rights"].value == f"all that `{OPERATOR}` needs"


@pytest.mark.parametrize(
    ("name", "answers", "code"),
    [
        ("writes", {"Updateability": [("READ_ONLY",)]}, 7),
        ("tls", {"encrypt_option": [("FALSE",)]}, 3),
        ("default schema", {"SCHEMA_NAME": [("sales",)]}, 7),
        ("sessions", {"@@MAX": [(13,)], "VIEW SERVER STATE": [(1,)], "dm_exec_sessions": [(12,)]}, 3),
        ("rights", {"OBJECT_ID": [(None,)], "CREATE TABLE": [(0,)]}, 4),
    ],
)
def test_faults(name: str, answers: dict[str, Rows], code: int) -> None:
    check = told(answers)[name]
    assert (check.ok, check.exit_code) == (False, code)


def test_snapshots_that_are_off_are_told_with_how_to_turn_them_on() -> None:
    check = told({"snapshot_isolation_state": [(0, False)]})["snapshots"]
    assert check.ok
    assert check.value == "an export may include rows written while it runs; readers wait for writers"
    assert str(check.hint).startswith("`ALTER DATABASE [x] SET ALLOW_SNAPSHOT_ISOLATION ON`; ")


@pytest.mark.parametrize(
    ("answers", "value", "hint"),
    [
        ({}, "the server does not report it of any", None),
        ({"IsHadrEnabled": [(0,)]}, "none: they are turned off on the server", None),
        ({"IsHadrEnabled": [(1,)]}, "the database is not in one", None),
        (
            {"IsHadrEnabled": [(1,)], "VIEW ANY DEFINITION": [(0,)], "SUSER_SNAME": [("cl]erk",)]},
            "this login is not allowed to see it",
            "for `replica`: `GRANT VIEW ANY DEFINITION TO [cl]]erk]`",
        ),
        (
            {"IsHadrEnabled": [(1,)], "is_distributed": [("g", "ag", "NONE", 1, "sql1", "PRIMARY", "CONNECTED")]},
            "ag, primary here, CLUSTER_TYPE = NONE; commits wait for at least 1 secondaries",
            None,
        ),
    ],
)
def test_what_is_told_of_an_availability_group(answers: dict[str, Rows], value: str, hint: str | None) -> None:
    check = told(answers, nodes=2)["availability group"]
    assert (check.ok, check.value, check.hint) == (True, value, hint)
    assert "availability group" not in told(answers)


def test_an_installed_driver_is_told_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver("ODBC Driver 18 for SQL Server", "installed")
    monkeypatch.setenv("ODBCSYSINI", str(tmp_path))
    (tmp_path / "odbcinst.ini").write_text(f"[{driver.name}]\nDescription=100 %\nDriver=/opt/lib/libmsodbcsql.so\n")
    assert _installed_path(driver) == "/opt/lib/libmsodbcsql.so"
    assert _installed_path(Driver("ODBC Driver 99 for SQL Server", "installed")) is None
