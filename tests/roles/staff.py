"""A migrated database and people who log in to it, each a member of one of the roles."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from custctl.engines.roles import ADMIN, OPERATOR, SUPPORT
from tests.conftest import REPOSITORY, Project, Result
from tests.inside import Inside
from tests.servers.mssql import MssqlServer
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import EngineProject, Place, mssql_place, on_engine, postgresql_place

ROLES = {"support": SUPPORT, "operator": OPERATOR, "admin": ADMIN}
"""Profile to the role of who logs in by it."""


@dataclass(slots=True)
class Office:
    """A server with a login for each role.

    Attributes:
        server: a PostgreSQL server of the tests' own, as roles belong to all its databases, or the SQL Server named.
        place: how the login that migrates reaches it.
        logins: profile to login.
    """

    server: PostgresqlServer | MssqlServer
    place: Place
    logins: dict[str, str]

    @classmethod
    def on_postgresql(cls, server: PostgresqlServer) -> Office:
        """Open an office: who migrates may make roles, and is no superuser."""
        server.create_role("owner", createrole=True)
        logins = {name: name for name in ROLES}
        for login in logins.values():
            server.create_role(login)
        place = replace(
            postgresql_place(server),
            user="owner",
            create=lambda name: server.create_database(name, owner="owner"),
        )
        return cls(server, place, logins)

    @classmethod
    def on_mssql(cls, server: MssqlServer) -> Office:
        """Open an office: logins belong to the whole server, and are given names of their own."""
        token = secrets.token_hex(4)
        logins = {name: f"custctl_t_{name}_{token}" for name in ROLES}
        password = server.password.replace("'", "''")
        for login in logins.values():
            server.sql(f"CREATE LOGIN [{login}] WITH PASSWORD = N'{password}'")
        return cls(server, mssql_place(server), logins)

    def close(self) -> None:
        """End the server, or drop the logins."""
        if isinstance(self.server, PostgresqlServer):
            self.server.close()
            return
        for login in self.logins.values():
            self.server.sql(f"DROP LOGIN [{login}]")

    def staff(self, project: Project) -> Staff:
        """Return a migrated database whose people have their roles."""
        made = on_engine(project, self.place)
        for profile, login in self.logins.items():
            made.names[profile] = made.names["dev"]
            made.profile(profile, "development", user=login, seed=["reference", "demo"])
        staff = Staff(self, made, Inside(made.path, made.environ))
        staff.inside.ok("migrate")
        for profile, login in self.logins.items():
            if isinstance(self.server, PostgresqlServer):
                made.sql(f"GRANT {ROLES[profile]} TO {login}")
            else:
                made.sql(f"CREATE USER [{login}] FOR LOGIN [{login}]")
                made.sql(f"ALTER ROLE {ROLES[profile]} ADD MEMBER [{login}]")
        return staff


@dataclass(slots=True)
class Staff:
    """A migrated database with a profile for each role: `support`, `operator`, `admin`; `dev` is who migrates."""

    office: Office
    project: EngineProject
    inside: Inside

    @property
    def path(self) -> Path:
        """The folder that commands run in."""
        return self.project.path

    def run(self, role: str, *arguments: str | Path, stdin: str | None = None) -> Result:
        """Run a command as a member of a role."""
        return self.inside.run(*arguments, "--env", role, stdin=stdin)

    def ok(self, role: str, *arguments: str | Path, stdin: str | None = None) -> Result:
        """Run a command as a member of a role, and expect exit code 0."""
        return self.inside.ok(*arguments, "--env", role, stdin=stdin)

    def denied(self, role: str, *arguments: str | Path, stdin: str | None = None) -> dict[str, Any]:
        """Run a command as a member of a role that lacks a privilege for it, and return the error."""
        result = self.run(role, *arguments, "-o", "json", stdin=stdin)
        assert result.code == 4, f"{role}: {arguments}: exit {result.code}\n{result.err}"
        assert "Traceback" not in result.err
        assert f"`{self.office.logins[role]}` lacks " in result.error["message"], result.err
        return result.error

    def sql(self, role: str, statement: str) -> str | None:
        """Run a statement behind custctl's back as a member of a role, and return why it was refused."""
        server, login, database = self.office.server, self.office.logins[role], self.project.names["dev"]
        if isinstance(server, PostgresqlServer):
            import psycopg

            with server.connect(dbname=database, user=login) as connection:
                try:
                    connection.execute(statement)
                except psycopg.errors.InsufficientPrivilege as error:
                    return str(error)
            return None
        import pyodbc

        with contextlib.closing(replace(server, user=login, _administration=None).connect(database)) as connection:
            try:
                connection.execute(statement)
            except pyodbc.Error as error:
                assert "permission" in str(error) or "must be owner" in str(error), error
                return str(error)
        return None

    def scripts(self) -> Path:
        """Return a copy of the scripts' folder, to be changed."""
        folder = self.path / "scripts"
        shutil.copytree(REPOSITORY / "sql", folder)
        return folder
