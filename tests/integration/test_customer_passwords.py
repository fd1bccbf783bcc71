"""Customers' passwords: set, checked, renewed, and shown nowhere."""

from __future__ import annotations

import sys
from typing import Any

import pexpect
import pytest

from custctl.customers.store import CustomerStore
from custctl.engines.base import EngineSettings
from custctl.engines.sqlite.database import SqliteDatabase
from tests.conftest import ADA, Project
from tests.inside import inside

GOOD = "copper lantern drifting"


@pytest.fixture
def ada(migrated: Project) -> Project:
    made = inside(migrated, migrate=False)
    made.ok("customer", "add", *ADA)
    return made


def stored(project: Project) -> list[str]:
    connection = project.database()
    try:
        return [row[0] for row in connection.execute("SELECT hash FROM customer_password")]
    finally:
        connection.close()


def spawn(project: Project, *arguments: str) -> Any:
    return pexpect.spawn(
        sys.executable,
        ["-m", "custctl", "customer", *arguments],
        cwd=str(project.path),
        env={**project.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=60,
    )


def finish(child: Any) -> int:
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus)


def test_set_and_verify_from_stdin(ada: Project) -> None:
    result = ada.ok("customer", "set-password", "1", "--stdin", "-o", "json", stdin=f"{GOOD}\nanother line\n")
    assert list(result.json) == ["id", "email", "password_set", "operation_id"]
    assert (result.json["id"], result.json["password_set"]) == (1, True)
    result = ada.ok("customer", "verify-password", "ada@example.com", "--stdin", "-o", "json", stdin=GOOD)
    assert result.json == {"id": 1, "email": "ada@example.com", "matches": True}
    result = ada.run("customer", "verify-password", "1", "--stdin", "-o", "json", stdin=f"{GOOD} \n")
    assert (result.code, result.error["code"], result.out) == (9, "invalid", "")
    assert ada.run("customer", "verify-password", "2", "--stdin", stdin=GOOD).code == 6
    # Another one takes its place; the customer's own version stays.
    ada.ok("customer", "set-password", "1", "--stdin", stdin="violet anchor whistling\n")
    assert ada.run("customer", "verify-password", "1", "--stdin", stdin=GOOD).code == 9
    ada.ok("customer", "verify-password", "1", "--stdin", stdin="violet anchor whistling")
    assert len(stored(ada)) == 1
    assert ada.ok("customer", "get", "1", "-o", "json").json["version"] == "e1-1"


def test_a_customer_without_a_password(ada: Project) -> None:
    result = ada.run("customer", "verify-password", "1", "--stdin", stdin=GOOD)
    assert (result.code, "no password is set" in result.err) == (9, True)


@pytest.mark.parametrize(
    ("password", "reason", "parts"),
    [
        ("shrt", "fewer than 8", ["shrt"]),
        ("x" * 257, "more than 256", ["xxx"]),
        ("password1", "most common", ["password1"]),
        ("Ada Lovelace", "the customer's name", ["Ada", "Lovelace"]),
        ("", "is empty", []),
        ("abc\x1bdefghij", "control character", ["abc", "defg", "x1b", "001b"]),
        (b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7", "invalid text", ["\ufffd", "xff", "udcff", "\xff", "255"]),
    ],
)
def test_a_bad_password_is_refused_and_not_shown(
    ada: Project, password: str | bytes, reason: str, parts: list[str]
) -> None:
    data = password if isinstance(password, bytes) else password.encode()
    result = ada.run("customer", "set-password", "1", "--stdin", "--debug", "-v", "-o", "json", stdin=data + b"\n")
    assert result.code == 9
    assert reason in result.error["message"]
    assert stored(ada) == []
    told = result.out + result.err
    assert [part for part in parts if part in told] == []


def test_neither_password_nor_hash_is_in_any_output(ada: Project) -> None:
    results = [
        ada.ok("customer", "set-password", "1", "--stdin", "-v", "-v", "--debug", "-o", chosen, stdin=GOOD)
        for chosen in ("json", "yaml", "table", "auto")
    ]
    results += [
        ada.ok("customer", "verify-password", "1", "--stdin", "-v", "--debug", stdin=GOOD),
        ada.run("customer", "verify-password", "1", "--stdin", "--debug", stdin="wrong but long"),
        *(
            ada.ok(*command, "-v", "--debug", "-o", chosen)
            for command in (
                ("customer", "get", "1"),
                ("customer", "history", "1"),
                ("customer", "list"),
                ("audit", "list"),
                ("audit", "verify"),
            )
            for chosen in ("json", "tsv")
        ),
        ada.ok("customer", "export"),
    ]
    told = "\n".join(result.out + result.err for result in results)
    (hashed,) = stored(ada)
    for secret in (GOOD, "wrong but long", "argon2", hashed.split("$")[4], hashed.split("$")[5]):
        assert secret not in told
    connection = ada.database()
    held = str(connection.execute("SELECT * FROM customer_audit").fetchall())
    connection.close()
    assert "set-password" in held
    assert "argon2" not in held
    assert GOOD not in held
    assert "hash" not in ada.run("customer", "get", "1", "--fields", "hash").out


def test_a_damaged_hash_is_told_without_being_shown(ada: Project) -> None:
    ada.ok("customer", "set-password", "1", "--stdin", stdin=GOOD)
    connection = ada.database()
    connection.execute("UPDATE customer_password SET hash = '$argon2id$v=19$broken'")
    connection.close()
    result = ada.run("customer", "verify-password", "1", "--stdin", "--debug", stdin=GOOD)
    assert result.code == 1
    assert "cannot be read" in result.err
    assert "$argon2id" not in result.err
    assert GOOD not in result.err


def test_a_hash_of_weaker_parameters_is_renewed_by_a_right_password(ada: Project) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD)
    ada.ok("customer", "set-password", "1", "--stdin", stdin="violet anchor whistling\n")
    connection = ada.database()
    connection.execute("UPDATE customer_password SET hash = ?", (weak,))
    connection.close()
    assert ada.run("customer", "verify-password", "1", "--stdin", stdin="wrong but long").code == 9
    assert stored(ada) == [weak]
    result = ada.ok("customer", "verify-password", "1", "--stdin", stdin=GOOD)
    # It writes, and says where.
    assert result.err.startswith("dev (development): ")
    (renewed,) = stored(ada)
    assert "m=65536,t=3,p=4" in renewed
    result = ada.ok("customer", "verify-password", "1", "--stdin", stdin=GOOD)
    assert (stored(ada), result.err) == ([renewed], "")
    actions = [event["action"] for event in ada.ok("customer", "history", "1", "-o", "json").json["items"]]
    assert actions == ["add", "set-password", "rehash-password"]
    ada.ok("audit", "verify")


def test_a_hash_that_was_replaced_meanwhile_is_not_renewed(ada: Project) -> None:
    ada.ok("customer", "set-password", "1", "--stdin", stdin=GOOD)
    held = stored(ada)
    database = SqliteDatabase(EngineSettings("here", path=ada.path / "dev.db"))
    CustomerStore(database, "development", "tester").replace_hash(1, "the hash that was verified", "the same, renewed")
    database.close()
    assert stored(ada) == held
    actions = [event["action"] for event in ada.ok("customer", "history", "1", "-o", "json").json["items"]]
    assert actions == ["add", "set-password"]


def test_a_right_password_is_right_where_its_hash_cannot_be_renewed(ada: Project) -> None:
    from argon2 import PasswordHasher

    ada.ok("customer", "set-password", "1", "--stdin", stdin=GOOD)
    connection = ada.database()
    connection.execute("UPDATE customer_password SET hash = ?", (PasswordHasher(time_cost=1).hash(GOOD),))
    connection.execute("UPDATE custctl_metadata SET value = 'production' WHERE name = 'environment'")
    connection.close()
    assert ada.ok("customer", "verify-password", "1", "--stdin", "-o", "json", stdin=GOOD).json["matches"] is True


def test_a_hidden_prompt_asks_twice(ada: Project) -> None:
    child = spawn(ada, "set-password", "1")
    child.expect_exact("new password: ")
    child.sendline(GOOD)
    child.expect_exact("(again): ")
    assert GOOD not in child.before
    child.sendline(GOOD)
    assert finish(child) == 0
    assert GOOD not in child.before
    assert len(stored(ada)) == 1
    child = spawn(ada, "verify-password", "1")
    child.expect_exact("password: ")
    child.sendline(GOOD)
    assert finish(child) == 0
    assert GOOD not in child.before


def test_two_entries_that_differ(ada: Project) -> None:
    child = spawn(ada, "set-password", "1")
    child.expect_exact("new password: ")
    child.sendline(GOOD)
    child.expect_exact("(again): ")
    child.sendline(GOOD + "x")
    assert finish(child) == 9
    assert GOOD not in child.before
    assert stored(ada) == []


def test_ctrl_c_at_the_prompt(ada: Project) -> None:
    child = spawn(ada, "set-password", "1")
    child.expect_exact("new password: ")
    child.sendintr()
    assert finish(child) == 130
    assert stored(ada) == []


def test_nobody_to_ask(ada: Project) -> None:
    for command in ("set-password", "verify-password"):
        result = ada.run("customer", command, "1", "-o", "json", stdin=GOOD)
        assert (result.code, result.error["code"]) == (7, "refused")
        assert "--stdin" in result.error["hint"]
    child = spawn(ada, "set-password", "1", "--no-input")
    assert finish(child) == 7


def test_delete_asks_on_a_terminal(ada: Project) -> None:
    for answer, code in (("n", 7), ("", 7), ("y", 0)):
        child = spawn(ada, "delete", "1")
        child.expect_exact("delete customer 1 (ada@example.com)")
        child.expect_exact("[y/N] ")
        child.sendline(answer)
        assert finish(child) == code
    assert ada.run("customer", "get", "1").code == 6


def test_delete_in_production_wants_the_name_typed(migrated: Project) -> None:
    migrated.ok("migrate", "-e", "prod")
    migrated.ok("customer", "add", *ADA, "-e", "prod")
    for answer, code in (("y", 7), ("production", 7), ("prod", 0)):
        child = spawn(migrated, "delete", "1", "--yes", "-e", "prod")
        child.expect_exact("type the profile's name, `prod`, to continue: ")
        child.sendline(answer)
        assert finish(child) == code
    assert migrated.run("customer", "get", "1", "-e", "prod").code == 6


def test_what_was_confirmed_is_what_is_deleted(ada: Project) -> None:
    child = spawn(ada, "delete", "1")
    child.expect_exact("[y/N] ")
    ada.ok("customer", "update", "1", "--phone", "5")
    child.sendline("y")
    assert finish(child) == 5
    assert ada.ok("customer", "get", "1", "-o", "json").json["phone"] == "5"
