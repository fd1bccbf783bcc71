"""`identity migrate`: local hashes go to a stand-in for Auth0 or Cognito, the program being a real process."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from tests.conftest import Project, make_project
from tests.servers.auth0 import CLIENT, CONNECTION, DOMAIN, SECRET, Auth0StandIn
from tests.servers.pools import ACCESS, POOL, TOKEN, PoolStandIn, User
from tests.servers.pools import SECRET as AWS_SECRET
from tests.servers.standins import Answer, Request, StandIn, broken, busy, garbage, lost

_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of six customers with passwords, one of them suspended; made once."""
    made = make_project(tmp_path_factory.mktemp("moving"))
    made.ok("migrate")
    rows = "".join(f"c{number}@example.com,C{number},D\n" for number in range(1, 7))
    made.ok("customer", "import", "-", "--format", "csv", stdin=f"email,first_name,last_name\n{rows}")
    made.ok("customer", "update", "6", "--status", "suspended")
    database = made.database()
    for number in range(1, 7):
        database.execute(
            "INSERT INTO customer_password (customer_id, hash, updated_at) VALUES (?, ?, '2026-11-01T00:00:00.000Z')",
            (number, _HASHER.hash(f"password {number}")),
        )
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return made.path / "dev.db"


@pytest.fixture
def moving(project: Project, filled: Path) -> Project:
    """A project with such a database."""
    shutil.copy(filled, project.path / "dev.db")
    return project


def _hashes(project: Project) -> list[int]:
    database = project.database()
    found = [row[0] for row in database.execute("SELECT customer_id FROM customer_password ORDER BY customer_id")]
    database.close()
    return found


def _links(project: Project) -> dict[int, str]:
    database = project.database()
    found = dict(database.execute("SELECT customer_id, subject FROM customer_account").fetchall())
    database.close()
    return found


def _use(project: Project, identity: str, **environ: str) -> None:
    path = project.path / "profiles" / "dev.yaml"
    path.write_text(f"{path.read_text()}identity: {{{identity}}}\n")
    project.environ.update(environ)


def use_auth0(project: Project, standin: Auth0StandIn) -> None:
    identity = (
        f"provider: auth0, domain: {DOMAIN}, connection: {CONNECTION}, client_id: {CLIENT}, endpoint: '{standin.url}'"
    )
    _use(project, identity, CUSTCTL_IDENTITY_SECRET=SECRET)


def use_cognito(project: Project, standin: PoolStandIn) -> None:
    _use(
        project,
        f"provider: cognito, pool: {POOL}, endpoint: '{standin.url}'",
        AWS_ACCESS_KEY_ID=ACCESS,
        AWS_SECRET_ACCESS_KEY=AWS_SECRET,
        AWS_SESSION_TOKEN=TOKEN,
        AWS_EC2_METADATA_DISABLED="true",
    )


def _check_at_auth0(project: Project, standin: Auth0StandIn) -> None:
    """Each customer has exactly one account, which takes the password that it had here."""
    assert _hashes(project) == []
    by_email = {user.shown["email"]: user for user in standin.users.values()}
    assert len(by_email) == len(standin.users) == 6
    for number in range(1, 7):
        user = by_email[f"c{number}@example.com"]
        assert user.hash is not None
        assert _HASHER.verify(user.hash, f"password {number}")
        assert user.shown["blocked"] is (number == 6)
        assert _links(project)[number] == user.shown["user_id"]


def test_auth0_takes_the_hashes_and_customers_notice_nothing(moving: Project, auth0_standin: Auth0StandIn) -> None:
    use_auth0(moving, auth0_standin)
    plan = moving.ok("identity", "migrate", "--dry-run", "-o", "json").json
    assert plan == {
        "provider": f"auth0 {DOMAIN}",
        "hashes": 6,
        "imports": 6,
        "resets": 0,
        "without_reset": 0,
    }
    assert auth0_standin.users == {}
    refused = moving.run("identity", "migrate", "--no-input")
    assert refused.code == 7
    assert "move 6 passwords to auth0" in refused.err or "--yes" in refused.err

    done = moving.ok("identity", "migrate", "--limit", "2", "--yes", "-o", "json")
    assert (done.json["imports"], done.json["left"]) == (2, 4)
    assert _hashes(moving) == [3, 4, 5, 6]
    done = moving.ok("identity", "migrate", "--yes", "-o", "json")
    assert (done.json["imports"], done.json["left"], done.json["rejects"]) == (4, 0, [])
    _check_at_auth0(moving, auth0_standin)
    assert auth0_standin.tenant.resets == []
    # What is written down later finds the account that was linked.
    moving.ok("customer", "update", "1", "--email", "ada@example.com")
    assert auth0_standin.users[_links(moving)[1]].shown["email"] == "ada@example.com"
    assert moving.ok("identity", "verify", "-o", "json").json["items"] == []
    again = moving.ok("identity", "migrate", "--yes", "-o", "json")
    assert again.json["imports"] == 0
    assert "nothing to do" in again.err


def test_rejects_stay_and_have_reasons(moving: Project, auth0_standin: Auth0StandIn) -> None:
    database = moving.database()
    database.execute("UPDATE customer_password SET hash = '$argon2id$broken' WHERE customer_id = 2")
    database.close()
    use_auth0(moving, auth0_standin)
    auth0_standin._add({"email": "c3@example.com"})
    refused = moving.run("identity", "migrate", "--yes", "-o", "json")
    assert refused.code == 10
    assert refused.json["rejects"] == [
        {"customer_id": 2, "reason": "INVALID_FORMAT (custom_password_hash.hash.value)"},
        {"customer_id": 3, "reason": "another account has this email"},
    ]
    assert (refused.json["imports"], refused.json["rejected"], refused.json["left"]) == (4, 2, 2)
    assert _hashes(moving) == [2, 3]
    shown = moving.run("identity", "migrate", "--yes")
    assert shown.code == 10
    assert "the password of customer 3 was not moved: another account has this email" in shown.err
    # A limit is not used up by rejects.
    assert moving.run("identity", "migrate", "--yes", "--limit", "1").code == 10


def test_who_has_an_account_without_the_hash_gets_a_reset(moving: Project, auth0_standin: Auth0StandIn) -> None:
    use_auth0(moving, auth0_standin)
    moving.ok("customer", "update", "5", "--email", "five@example.com")
    assert len(auth0_standin.users) == 1
    plan = moving.ok("identity", "migrate", "--dry-run", "-o", "json").json
    assert (plan["imports"], plan["resets"]) == (5, 1)
    done = moving.ok("identity", "migrate", "--yes", "-o", "json").json
    assert (done["imports"], done["resets"], done["left"]) == (5, 1, 0)
    assert auth0_standin.tenant.resets == ["five@example.com"]


def test_cognito_gets_accounts_and_sends_resets(moving: Project, pool: PoolStandIn) -> None:
    use_cognito(moving, pool)
    pool.pool.users["other"] = User("other", {"sub": "other", "email": "c3@example.com"}, "CONFIRMED")
    plan = moving.ok("identity", "migrate", "--dry-run", "-o", "json").json
    assert (plan["imports"], plan["resets"], plan["without_reset"]) == (0, 5, 1)
    refused = moving.run("identity", "migrate", "--yes", "-o", "json")
    assert refused.code == 10, refused.err
    assert (refused.json["resets"], refused.json["without_reset"], refused.json["rejected"]) == (4, 1, 1)
    assert _hashes(moving) == [3]
    assert sorted(pool.pool.resets) == [f"c{number}@example.com" for number in (1, 2, 4, 5)]
    states = {user.attributes["email"]: (user.enabled, user.status) for user in pool.pool.users.values()}
    assert states["c1@example.com"] == (True, "RESET_REQUIRED")
    assert states["c6@example.com"] == (False, "CONFIRMED")


@pytest.mark.parametrize("faults", [(lost, garbage, busy), (broken, lost, lost)])
def test_a_provider_that_fails_is_asked_again(
    moving: Project, auth0_standin: Auth0StandIn, faults: tuple[Any, ...]
) -> None:
    use_auth0(moving, auth0_standin)
    auth0_standin.pending_looks = 0

    def soon(standin: StandIn, request: Request, fault: Any) -> Answer | None:
        answer: Answer | None = fault(standin, request)
        return replace(answer, headers={"Retry-After": "0"}) if answer is not None else None

    for part, fault in zip(("users-imports", "jobs/job_", "/errors"), faults, strict=True):
        auth0_standin.fail(partial(soon, fault=fault), lambda request, part=part: part in request.path)  # type: ignore[misc]
    moving.run("identity", "migrate", "--yes")
    if _hashes(moving):
        moving.ok("identity", "migrate", "--yes")
    _check_at_auth0(moving, auth0_standin)


def test_a_provider_that_is_down_ends_the_run(moving: Project, auth0_standin: Auth0StandIn) -> None:
    use_auth0(moving, auth0_standin)
    auth0_standin.fail(broken, lambda request: request.path.endswith("users-imports"), times=99)
    down = moving.run("identity", "migrate", "--yes", "-o", "json")
    assert (down.code, down.json["imports"], down.json["left"]) == (3, 0, 6)
    assert _hashes(moving) == [1, 2, 3, 4, 5, 6]


def _kill_at(project: Project, standin: StandIn, part: str, *, after: bool) -> None:
    """Kill a run when it sends a certain request, before the provider acts or after that."""
    reached: list[subprocess.Popen[bytes]] = []
    process = project.start("identity", "migrate", "--yes")

    def kill(standin: StandIn, request: Request) -> Answer | None:
        if after:
            standin.handle(request)
        process.send_signal(signal.SIGKILL)
        process.wait()
        reached.append(process)
        return None

    standin.fail(kill, lambda request: part in request.path or part in request.headers.get("x-amz-target", ""))
    process.communicate(timeout=120)
    standin.wait_for(lambda: bool(reached))


@pytest.mark.parametrize(("part", "after"), [("users-imports", True), ("jobs/job_", False), ("/errors", True)])
def test_a_run_that_is_killed_at_auth0_is_resumed(
    moving: Project, auth0_standin: Auth0StandIn, part: str, after: bool
) -> None:
    use_auth0(moving, auth0_standin)
    auth0_standin.pending_looks = 0
    _kill_at(moving, auth0_standin, part, after=after)
    moving.ok("identity", "migrate", "--yes")
    _check_at_auth0(moving, auth0_standin)


@pytest.mark.parametrize("part", ["AdminCreateUser", "AdminResetUserPassword"])
def test_a_run_that_is_killed_at_cognito_is_resumed(moving: Project, pool: PoolStandIn, part: str) -> None:
    use_cognito(moving, pool)
    _kill_at(moving, pool, part, after=True)
    # What the killed run had claimed is taken over when its claim ends.
    database = moving.database()
    database.execute("UPDATE customer_account_outbox SET claimed_until = '2026-01-01T00:00:00.000Z'")
    database.close()
    moving.ok("identity", "migrate", "--yes")
    assert _hashes(moving) == []
    assert len(pool.pool.users) == 6
    assert {pool.pool.users[subject].attributes["email"] for subject in _links(moving).values()} == {
        f"c{number}@example.com" for number in range(1, 7)
    }
    assert set(pool.pool.resets) == {f"c{number}@example.com" for number in range(1, 6)}


def _wait_for_request(standin: StandIn, process: subprocess.Popen[bytes]) -> None:
    standin.wait_for(lambda: bool(standin.requests) or process.poll() is not None)


def test_a_run_that_is_killed_at_whatever_moment_is_resumed(moving: Project, auth0_standin: Auth0StandIn) -> None:
    use_auth0(moving, auth0_standin)
    auth0_standin.pending_looks = 0
    for number in range(3):
        auth0_standin.requests.clear()
        process = moving.start("identity", "migrate", "--yes")
        # From start-up on to the deletion of the hashes.
        _wait_for_request(auth0_standin, process)
        time.sleep(0.05 * number)
        process.kill()
        process.communicate()
    moving.ok("identity", "migrate", "--yes")
    _check_at_auth0(moving, auth0_standin)


def test_no_hash_and_no_secret_is_shown_or_written(
    moving: Project, auth0_standin: Auth0StandIn, tmp_path: Path
) -> None:
    database = moving.database()
    hashes = [row[0] for row in database.execute("SELECT hash FROM customer_password")]
    database.close()
    use_auth0(moving, auth0_standin)
    auth0_standin._add({"email": "c3@example.com"})
    for arguments in (["--dry-run"], ["--yes", "-v"], ["--yes", "-v", "-o", "json"]):
        done = moving.run("identity", "migrate", *arguments)
        for secret in (SECRET, *hashes):
            assert secret not in done.out + done.err
        assert not re.search(r"\$argon2", done.out + done.err)
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.name.startswith("dev.db"):
            data = path.read_bytes()
            assert b"$argon2" not in data, path
            assert SECRET.encode() not in data, path
    database = moving.database()
    told = str(database.execute("SELECT * FROM customer_audit").fetchall())
    told += str(database.execute("SELECT * FROM customer_account_outbox").fetchall())
    database.close()
    assert "$argon2" not in told
