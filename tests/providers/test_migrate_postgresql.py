"""`identity migrate` on PostgreSQL: a killed run is resumed, and each hash goes with its own success."""

from __future__ import annotations

from argon2 import PasswordHasher

from tests.conftest import Project
from tests.providers.test_migrate import _kill_at, use_auth0
from tests.servers.auth0 import Auth0StandIn
from tests.servers.fixtures import PostgresqlServers
from tests.servers.projects import on_engine, postgresql_place

_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def test_killed_runs_are_resumed_on_postgresql(
    project: Project, postgresql_servers: PostgresqlServers, auth0_standin: Auth0StandIn
) -> None:
    made = on_engine(project, postgresql_place(postgresql_servers.shared("postgresql18")))
    try:
        made.ok("migrate")
        rows = "".join(f"c{number}@example.com,C{number},D\n" for number in range(1, 7))
        made.ok("customer", "import", "-", "--format", "csv", stdin=f"email,first_name,last_name\n{rows}")
        for number, email in made.sql("SELECT id, email FROM customer ORDER BY id"):
            hashed = _HASHER.hash(f"password of {email}")
            made.sql(
                f"INSERT INTO customer_password (customer_id, hash, updated_at) VALUES ({number}, '{hashed}', now())"
            )
        use_auth0(made, auth0_standin)
        auth0_standin.pending_looks = 0
        for part, after in (("users-imports", True), ("jobs/job_", False), ("/errors", True)):
            _kill_at(made, auth0_standin, part, after=after)
        made.ok("identity", "migrate", "--yes")
        assert made.sql("SELECT count(*) FROM customer_password") == [(0,)]
        users = {user.shown["email"]: user for user in auth0_standin.users.values()}
        assert len(users) == len(auth0_standin.users) == 6
        for email, user in users.items():
            assert user.hash is not None
            assert _HASHER.verify(user.hash, f"password of {email}")
        links = made.sql("SELECT c.email, a.subject FROM customer c JOIN customer_account a ON a.customer_id = c.id")
        assert dict(links) == {email: user.shown["user_id"] for email, user in users.items()}
        assert made.ok("identity", "verify", "-o", "json").json["items"] == []
    finally:
        made.drop()
