"""`identity migrate` on PostgreSQL: a killed run is resumed, and each hash goes with its own success."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from tests.conftest import Project
from tests.providers.test_migrate import _kill_at, use_auth0, use_cognito
from tests.servers.auth0 import Auth0StandIn
from tests.servers.fixtures import PostgresqlServers
from tests.servers.pools import PoolStandIn, User
from tests.servers.projects import EngineProject, on_engine, postgresql_place

_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def moving(project: Project, postgresql_servers: PostgresqlServers) -> Iterator[EngineProject]:
    """A database with six customers, each with a password."""
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
        yield made
    finally:
        made.drop()


def _left(made: EngineProject) -> list[str]:
    """Return the emails of the customers whose passwords are in the database."""
    asked = "SELECT c.email FROM customer c JOIN customer_password p ON p.customer_id = c.id ORDER BY c.id"
    return [email for (email,) in made.sql(asked)]


def test_killed_runs_are_resumed_on_postgresql(moving: EngineProject, auth0_standin: Auth0StandIn) -> None:
    use_auth0(moving, auth0_standin)
    auth0_standin.pending_looks = 0
    for part, after in (("users-imports", True), ("jobs/job_", False), ("/errors", True)):
        _kill_at(moving, auth0_standin, part, after=after)
    moving.ok("identity", "migrate", "--yes")
    assert _left(moving) == []
    users = {user.shown["email"]: user for user in auth0_standin.users.values()}
    assert len(users) == len(auth0_standin.users) == 6
    for email, user in users.items():
        assert user.hash is not None
        assert _HASHER.verify(user.hash, f"password of {email}")
    links = moving.sql("SELECT c.email, a.subject FROM customer c JOIN customer_account a ON a.customer_id = c.id")
    assert dict(links) == {email: user.shown["user_id"] for email, user in users.items()}
    assert moving.ok("identity", "verify", "-o", "json").json["items"] == []


def test_cognito_on_postgresql_with_a_limit_and_rejects(moving: EngineProject, pool: PoolStandIn) -> None:
    moving.ok("customer", "update", "c6@example.com", "--status", "suspended")
    use_cognito(moving, pool)
    theirs = {"sub": "other", "email": "c3@example.com", "email_verified": "true"}
    pool.pool.users["other"] = User("other", theirs, "CONFIRMED")
    plan = moving.ok("identity", "migrate", "--dry-run", "-o", "json").json
    assert (plan["hashes"], plan["imports"], plan["resets"], plan["without_reset"]) == (6, 0, 5, 1)
    assert len(pool.pool.users) == 1

    done = moving.ok("identity", "migrate", "--limit", "2", "--yes", "-o", "json").json
    assert (done["resets"], done["rejected"], done["left"]) == (2, 0, 4)
    assert _left(moving) == [f"c{number}@example.com" for number in (3, 4, 5, 6)]

    # The next one meets the reject, which does not count.
    result = moving.run("identity", "migrate", "--limit", "2", "--yes", "-o", "json")
    assert (result.code, result.json["resets"], result.json["left"]) == (10, 2, 2)
    assert ["`other`" in reject["reason"] for reject in result.json["rejects"]] == [True]
    assert _left(moving) == ["c3@example.com", "c6@example.com"]

    result = moving.run("identity", "migrate", "--yes", "-o", "json")
    assert (result.code, result.json["without_reset"], result.json["rejected"]) == (10, 1, 1)
    assert _left(moving) == ["c3@example.com"]
    assert sorted(pool.pool.resets) == [f"c{number}@example.com" for number in (1, 2, 4, 5)]

    # Once a person has said whose account it is, the rest is moved too.
    moving.ok("identity", "link", "c3@example.com", "other")
    moving.ok("identity", "migrate", "--yes")
    assert _left(moving) == []
    assert "c3@example.com" in pool.pool.resets
