"""What the tests of SQL Server share: a stand-in server, the statements that the program asks it, and a parser."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from custctl.engines.mssql.database import MssqlDatabase
from custctl.engines.mssql.supervised import Connection
from tests.conftest import REPOSITORY, clean_environment
from tests.inside import Inside
from tests.mssql.stand_in import Server

if TYPE_CHECKING:
    from sqlfluff.core import Linter

SCRIPTS = REPOSITORY / "sql" / "mssql"
PROFILE = """
environment: {environment}
database: {{engine: mssql, name: shop, user: clerk, nodes: [{{name: a, host: 127.0.0.1}}]}}
seed: [reference, demo]
"""


@cache
def _linter() -> Linter:
    from sqlfluff.core import FluffConfig, Linter

    return Linter(config=FluffConfig(overrides={"dialect": "tsql", "max_parse_depth": 3000}))


# Documented, and not known to the parser: permissions on columns, and the name of a language as a string.
_UNKNOWN = re.compile(r"(\bGRANT [A-Z, ]+ ON \w+) \([^)]*\)|(\bSET LANGUAGE) N'\w+'")


def unparsable(text: str) -> list[str]:
    """Return what of a script or statement is no T-SQL, as SQLFluff reads it."""
    numbers = iter(range(1, 10_000))
    text = re.sub(r"\?", lambda _: f"@P{next(numbers)}", text)
    text = _UNKNOWN.sub(lambda found: found[1] or f"{found[2]} us_english", text)
    # A call within a call takes many of Python's.
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(30_000)
    try:
        return [str(found) for found in _linter().parse_string(text).violations]
    finally:
        sys.setrecursionlimit(limit)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Inside, Server]]:
    """A project whose database is on a stand-in server, which starts out empty."""
    folder = tmp_path_factory.mktemp("stand-in")
    for name in ("profiles", "home"):
        (folder / name).mkdir()
    for name, environment in (("dev", "development"), ("test", "test")):
        (folder / "profiles" / f"{name}.yaml").write_text(PROFILE.format(environment=environment))
    environ = {"CUSTCTL_SQL_DIR": str(REPOSITORY / "sql"), "CUSTCTL_DB_PASSWORD": "secret"}
    server = Server()

    def dial(self: MssqlDatabase, node: object) -> Connection:
        connection = Connection(server.connect, 5)
        self._set_up(connection)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MssqlDatabase, "dial", dial)
        yield Inside(folder, clean_environment(folder / "home", environ)), server


def script_files() -> list[Path]:
    """Return the scripts for SQL Server."""
    return sorted(SCRIPTS.rglob("*.sql"))
