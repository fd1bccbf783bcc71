"""Accounts follow customers, whatever happens on the way; and end up as one account a customer, in the right state."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import peer as peers
from tests.accounts.conftest import BOTH_SERVERS, ON_CANAILLE, give_provider
from tests.accounts.peer import Answer, Asked, whole
from tests.accounts.scim import TOKEN, Directory, Front
from tests.architecture.test_imports import loaded
from tests.behaviours.support import Place
from tests.conftest import REPOSITORY

KILLS = int(os.environ.get("CUSTCTL_TEST_KILLS", "6"))
ADA = {"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"}
SYNC = "`custctl identity sync`"


def account_of(place: Place, who: object) -> dict[str, Any]:
    found = place.json("customer", "get", str(who), "--with-account")
    return {name.removeprefix("account_"): found[name] for name in found if name.startswith("account")}


def is_up(_: Asked) -> None:
    return None


# The way it should be


@BOTH_SERVERS
def test_an_account_follows_its_customer(customers: Place, directory: Directory) -> None:
    made = customers.add(**ADA)
    [account] = directory.accounts()
    assert (account["userName"], account["active"]) == (ADA["email"], True)
    if directory.keeps_references:
        assert account["externalId"].endswith(f":{made['id']}")
    shown = account_of(customers, made["id"])
    assert shown == {"account": account["id"], "email": ADA["email"], "enabled": True, "pending": False}
    customers.ok("customer", "update", made["id"], "--email", "ada@new.example", "--phone", "1")
    assert directory.states() == {"ada@new.example": True}
    for status, active in (("suspended", False), ("active", True), ("closed", False)):
        customers.ok("customer", "update", made["id"], "--status", status)
        assert directory.states() == {"ada@new.example": active}
    assert directory.accounts()[0]["id"] == account["id"]
    customers.ok("customer", "delete", made["id"], "--yes")
    assert directory.states() == {}
    assert customers.count("customer_account") == customers.count("customer_account_outbox") == 0


@BOTH_SERVERS
def test_an_account_can_outlive_its_customer_disabled(local: Place, facade: Front, directory: Directory) -> None:
    give_provider(local, facade.url, on_delete="disable")
    made = local.add(**ADA)
    local.ok("customer", "delete", made["id"], "--yes")
    assert directory.states() == {ADA["email"]: False}
    assert local.items("identity", "verify") == []


def test_what_an_account_does_not_follow_asks_nothing(local: Place, facade: Front) -> None:
    made = local.add(**ADA)
    before = len(facade.peer.asked)
    local.ok("customer", "update", made["id"], "--phone", "1", "--first-name", "A")
    assert len(facade.peer.asked) == before


def test_an_import_carries_over(customers: Place, directory: Directory) -> None:
    rows = "\n".join(f"c{number}@example.com,F,L" for number in range(30))
    result = customers.ok("customer", "import", "-", stdin=f"email,first_name,last_name\n{rows}\n")
    assert "30" in result.out
    assert directory.states() == {f"c{number}@example.com": True for number in range(30)}
    text = "email,status\n" + "".join(f"c{number}@example.com,suspended\n" for number in range(0, 30, 7))
    customers.ok("customer", "import", "-", "--on-conflict", "update", stdin=text)
    assert [name for name, active in directory.states().items() if not active] == [
        f"c{number}@example.com" for number in (0, 14, 21, 28, 7)
    ]


def test_a_batch_is_enqueued_in_two_statements(local: Place, facade: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    from custctl.engines.connection import Connection

    sent: list[str] = []
    send = Connection.send

    def watched(self: Connection, text: str, *rest: Any) -> Any:
        sent.append(text)
        return send(self, text, *rest)

    monkeypatch.setattr(Connection, "send", watched)
    facade.fault = lambda _: whole("503 No")
    rows = "\n".join(f"c{number}@example.com,F,L" for number in range(3000))
    result = local.run("customer", "import", "-", stdin=f"email,first_name,last_name\n{rows}\n")
    assert result.code == 12
    assert "3000 accounts do not follow yet" in result.err
    assert SYNC in result.err
    assert len([text for text in sent if text.startswith("INSERT INTO customer_account_outbox")]) == 1


# What may go wrong


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (peers.frozen, "does not answer in time"),
        (peers.cut, "cannot be reached"),
        (peers.garbage, "cannot be reached"),
        (whole("500 Oops", b"it broke"), "has a fault of its own (status 500)"),
        (whole("429 Slow down", b"", "Retry-After: 3600"), "asks for fewer requests"),
        (whole("200 OK", b"<html>"), "not SCIM"),
        (whole("200 OK", b"[" * 100_000), "not SCIM"),
        (whole("200 OK", b"[]"), "not SCIM"),
        (whole("200 OK", b'{"Resources": 1}'), "not SCIM"),
        (whole("401 No"), "does not accept the secret"),
        (whole("403 No"), "does not allow"),
        (whole("302 Found", b"", "Location: https://elsewhere.example/"), "refuses the request (status 302)"),
    ],
)
def test_the_customer_stands_where_the_provider_does_not(
    local: Place, facade: Front, directory: Directory, fault: Answer, told: str
) -> None:
    if fault is peers.frozen:
        give_provider(local, facade.url, timeout="1s")
    facade.fault = lambda _: fault
    error = local.refused(12, "customer", "add", "--email", "ada@example.com", "--first-name", "A", "--last-name", "L")
    assert told in error["message"]
    assert "customer 1 is written, but its account does not follow yet" in error["message"]
    assert SYNC in error["hint"]
    assert local.emails() == ["ada@example.com"]
    assert directory.states() == {}
    status = local.run("identity", "status", "-o", "json")
    assert status.code in (3, 4, 12)
    assert (status.json["pending"], status.json["failed"], status.json["linked"]) == (1, 1, 0)
    assert told in status.json["last_error"]
    facade.fault = is_up
    give_provider(local, facade.url)
    make_due(local)
    assert local.json("identity", "sync") == {"done": 1, "failed": 0, "pending": 0}
    assert directory.states() == {"ada@example.com": True}


def make_due(place: Place) -> None:
    """Let time pass until every row is due."""
    place.sql(f"UPDATE customer_account_outbox SET next_attempt_at = {place.time('2020-01-01T00:00:00.000')}")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_an_answer_that_is_lost_is_made_good(
    customers: Place, facade: Front, directory: Directory, method: str
) -> None:
    lost: list[Asked] = []

    def lose(asked: Asked) -> bool:
        if asked.method != method or lost:
            return False
        lost.append(asked)
        return True

    facade.lose = lose
    codes = [
        customers.run("customer", "add", "--email", "ada@example.com", "--first-name", "A", "--last-name", "L").code,
        customers.run("customer", "update", "ada@example.com", "--email", "ada@new.example").code,
    ]
    assert directory.states() == {"ada@new.example": True}
    codes.append(customers.run("customer", "delete", "ada@new.example", "--yes").code)
    make_due(customers)
    customers.ok("identity", "sync")
    assert directory.states() == {}
    assert codes.count(12) == 1
    assert lost


def test_a_provider_that_asks_to_wait_is_waited_for(local: Place, facade: Front, directory: Directory) -> None:
    facade.fault = lambda _: whole("503 No")
    local.run("customer", "add", "--email", "ada@example.com", "--first-name", "A", "--last-name", "L")
    make_due(local)
    times = [2]

    def busy(asked: Asked) -> Answer | None:
        times[0] -= 1
        return whole("429 Slow down", b"", "Retry-After: 1") if times[0] >= 0 else None

    facade.fault = busy
    result = local.ok("identity", "sync")
    assert "asks to wait 1 s" in result.err
    assert directory.states() == {"ada@example.com": True}


def test_one_that_fails_does_not_block_the_others(local: Place, facade: Front, directory: Directory) -> None:
    facade.fault = lambda _: whole("503 No")
    rows = "\n".join(f"c{number}@example.com,F,L" for number in range(12))
    local.run("customer", "import", "-", stdin=f"email,first_name,last_name\n{rows}\n")
    make_due(local)

    def poisoned(asked: Asked) -> Answer | None:
        about = asked.target + asked.body.decode()
        if "c3@" in about or "c3%40" in about:
            return whole("500 Oops")
        return whole("400 Bad", b'{"scimType": "invalidValue"}') if '"c4@example.com"' in about else None

    facade.fault = poisoned
    error = local.refused(12, "identity", "sync")
    assert error["details"] == {"done": 10, "failed": 2, "pending": 2}
    assert len(directory.states()) == 10
    facade.fault = is_up
    make_due(local)
    local.ok("identity", "sync")
    assert len(directory.states()) == 12


def test_a_provider_that_is_down_is_not_asked_for_each_of_many(local: Place, facade: Front) -> None:
    facade.fault = lambda _: whole("503 No")
    rows = "\n".join(f"c{number}@example.com,F,L" for number in range(50))
    local.run("customer", "import", "-", stdin=f"email,first_name,last_name\n{rows}\n")
    make_due(local)
    before = len(facade.peer.asked)
    local.refused(12, "identity", "sync")
    assert len(facade.peer.asked) - before <= 3


@BOTH_SERVERS
def test_what_was_done_by_hand_or_twice_is_no_failure(local: Place, facade: Front, directory: Directory) -> None:
    made = local.add(**ADA)
    [account] = directory.accounts()
    directory.ask("DELETE", f"Users/{account['id']}")
    local.ok("customer", "delete", made["id"], "--yes")
    again = local.add(**ADA)
    [account] = directory.accounts()
    directory.ask("DELETE", f"Users/{account['id']}")
    local.ok("customer", "update", again["id"], "--status", "suspended")
    assert directory.states() == {ADA["email"]: False}


@BOTH_SERVERS
def test_a_request_given_again_is_made_good_too(local: Place, facade: Front, directory: Directory) -> None:
    facade.fault = lambda _: whole("503 No")
    named = ("--email", "ada@example.com", "--first-name", "A", "--last-name", "L")
    command = ("customer", "add", *named, "--operation-id", "1f0e9a52-6b0c-4b8e-9d3e-0d8a51d7a001")
    assert local.run(*command).code == 12
    facade.fault = is_up
    local.ok(*command)
    assert directory.states() == {"ada@example.com": True}


def test_two_syncs_at_once_make_each_account_once(customers: Place, facade: Front, directory: Directory) -> None:
    facade.fault = lambda _: whole("503 No")
    rows = "\n".join(f"c{number}@example.com,F,L" for number in range(25))
    customers.run("customer", "import", "-", stdin=f"email,first_name,last_name\n{rows}\n")
    make_due(customers)
    facade.fault = is_up
    facade.peer.asked.clear()
    processes = [customers.start("identity", "sync") for _ in range(2)]
    ended = [(process.communicate(timeout=300), process.returncode) for process in processes]
    # The one that ends first may leave what the other one works on.
    assert {code for _, code in ended} <= {0, 12}, ended
    assert 0 in {code for _, code in ended}, ended
    assert len(directory.states()) == facade.sent("POST") == 25
    assert customers.count("customer_account_outbox") == 0


@BOTH_SERVERS
def test_an_erasure_takes_the_account_along(local: Place, facade: Front, directory: Directory) -> None:
    made = local.add(**ADA)
    facade.fault = lambda _: whole("503 No")
    command = ("customer", "erase", str(made["id"]), "--request", "DSR-1", "--yes")
    error = local.refused(12, *command)
    assert "not everywhere: `account`" in error["message"]
    facade.fault = is_up
    again = (*command, "--operation-id", error["details"]["operation_id"])
    assert local.json(*again)["complete"]
    assert directory.states() == {}


# Whose account it is


@BOTH_SERVERS
@pytest.mark.parametrize("is_first", [True, False])
def test_somebody_else_s_account_is_not_taken_for_its_email(
    local: Place, facade: Front, directory: Directory, is_first: bool
) -> None:
    customers = local
    if not is_first:
        # From here on it is known that the server keeps references.
        customers.ok("customer", "delete", customers.add(email="x@example.com")["id"], "--yes")
        customers.add(email="z@example.com", status="closed")
    subject = directory.create("ada@example.com")
    error = customers.refused(
        12, "customer", "add", "--email", "ada@example.com", "--first-name", "A", "--last-name", "L"
    )
    number = error["details"]["customer_id"]
    assert f"`custctl identity link {number} {subject}`" in error["hint"]
    assert customers.count("customer_account", f"customer_id = {number}") == 0
    assert directory.states()["ada@example.com"] is True
    customers.ok("identity", "link", number, subject)
    assert account_of(customers, number)["account"] == subject
    assert customers.count("customer_account_outbox") == 0
    customers.ok("customer", "update", number, "--status", "suspended")
    assert directory.states()["ada@example.com"] is False
    actions = [entry["action"] for entry in customers.items("audit", "list")]
    assert actions[:2] == ["update", "link-account"]


@BOTH_SERVERS
def test_an_account_is_one_customer_s(local: Place, directory: Directory) -> None:
    ada, bob = local.add(**ADA), local.add(email="bob@example.com")
    subject = account_of(local, ada["id"])["account"]
    error = local.refused(5, "identity", "link", str(bob["id"]), subject)
    assert f"belongs to customer {ada['id']}" in error["message"]
    local.refused(6, "identity", "link", str(bob["id"]), "nobody")
    local.refused(6, "identity", "link", "nobody@example.com", subject)
    local.ok("identity", "unlink", ada["id"])
    local.refused(6, "identity", "unlink", str(ada["id"]))
    assert len(directory.accounts()) == 2


@ON_CANAILLE
def test_a_server_that_ignores_filters_and_drops_references_fools_nobody(
    customers: Place, facade: Front, directory: Directory
) -> None:
    """Asked for one account, canaille shows all of them."""
    other = directory.create("other@example.com")
    made = customers.add(**ADA)
    assert account_of(customers, made["id"])["account"] not in (None, other)
    assert directory.states() == {"ada@example.com": True, "other@example.com": True}
    # The answer is lost: the account is found again, as it was written down that it would be made.
    lost: list[Asked] = []

    def lose(asked: Asked) -> bool:
        # canaille refuses the first form of a request, which has `primary`.
        if asked.method != "POST" or b"primary" in asked.body or lost:
            return False
        lost.append(asked)
        return True

    facade.lose = lose
    bob = customers.refused(
        12, "customer", "add", "--email", "bob@example.com", "--first-name", "B", "--last-name", "K"
    )
    number = bob["details"]["customer_id"]
    assert set(directory.states()) == {"ada@example.com", "bob@example.com", "other@example.com"}
    # Even where the customer has another email by now.
    customers.ok("customer", "update", number, "--email", "robert@example.com")
    assert set(directory.states()) == {"ada@example.com", "robert@example.com", "other@example.com"}
    # But one that was there before is nobody's.
    error = customers.refused(
        12, "customer", "add", "--email", "other@example.com", "--first-name", "O", "--last-name", "K"
    )
    assert f"identity link {error['details']['customer_id']} {other}" in error["hint"]
    customers.ok("customer", "delete", "robert@example.com", "--yes")
    assert set(directory.states()) == {"ada@example.com", "other@example.com"}


def test_a_list_without_an_end_is_given_up(local: Place, facade: Front) -> None:
    page = {"totalResults": 500, "Resources": [{"id": str(number), "userName": f"u{number}"} for number in range(100)]}

    def same_page(asked: Asked) -> Answer | None:
        return whole("200 OK", json.dumps(page).encode()) if "startIndex" in asked.target else None

    facade.fault = same_page
    error = local.refused(12, "identity", "verify")
    assert "does not paginate its list" in error["message"]
    assert len(facade.peer.asked) < 5


# Kills


def mix_faults(facade: Front, seed: int) -> None:
    """Let about a third of the requests fail in some way, and a third of the new accounts' answers be lost."""
    dice = random.Random(seed)
    faults = (
        peers.frozen, peers.cut, peers.garbage, whole("500 Oops"), whole("503 No", b"", "Retry-After: 0"),
        whole("429 Slow", b"", "Retry-After: 0"), whole("200 OK", b"<html>"),
    )  # fmt: skip
    facade.fault = lambda _: dice.choice(faults) if dice.random() < 1 / 3 else None
    facade.lose = lambda asked: asked.method == "POST" and dice.random() < 1 / 3


@pytest.mark.parametrize(
    ("directory", "faulty"),
    [("scim2-server", False), ("scim2-server", True), ("canaille", True)],
    ids=["up", "faulty", "faulty canaille"],
    indirect=["directory"],
)
def test_a_kill_at_any_moment_leaves_one_account(
    local: Place, facade: Front, directory: Directory, faulty: bool
) -> None:
    """Before and after each HTTP call and each transaction, in turn; `make soak` does it 200 times."""
    script = str(Path(__file__).with_name("killed.py"))
    environ = {**local.environ, "PYTHONPATH": str(REPOSITORY)}
    moments = {"add": 1, "update": 1, "delete": 1}
    killed = 0
    for run in range(KILLS):
        email = f"c{run}@example.com"
        kind = ("add", "update", "delete")[run % 3]
        if kind != "add":
            local.add(email=email)
        if faulty:
            give_provider(local, facade.url, timeout="2s")
            mix_faults(facade, run)
        arguments = {
            "add": ["customer", "add", "--email", email, "--first-name", "F", "--last-name", "L"],
            "update": ["customer", "update", email, "--status", "suspended", "--email", f"n{email}"],
            "delete": ["customer", "delete", email, "--yes"],
        }[kind]
        done = subprocess.run(
            [sys.executable, script, str(moments[kind]), *arguments],
            cwd=local.path, env=environ, capture_output=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode in ((-signal.SIGKILL, 0, 12) if faulty else (-signal.SIGKILL, 0)), done.stderr
        killed += done.returncode == -signal.SIGKILL
        if faulty:
            facade.fault, facade.lose = is_up, lambda _: False
            give_provider(local, facade.url)
        # A fifth of the moments at a time is enough in the suite, and each of them in a long run.
        step = 1 if KILLS > 50 else 5
        moments[kind] = moments[kind] + step if done.returncode == -signal.SIGKILL else 1
    assert killed
    expire(local)
    make_due(local)
    local.ok("identity", "sync")
    wanted = {each["email"]: each["status"] == "active" for each in local.items("customer", "list", "--limit", "0")}
    assert directory.states() == wanted
    assert local.items("identity", "verify") == []


def expire(place: Place) -> None:
    """Let time pass until every claim has ended."""
    past = place.time("2020-01-01T00:00:00.000")
    place.sql(f"UPDATE customer_account_outbox SET claimed_until = {past} WHERE claimed_until IS NOT NULL")


def test_a_claim_keeps_others_out_until_it_ends(local: Place, facade: Front, directory: Directory) -> None:
    facade.fault = lambda _: whole("503 No")
    local.run("customer", "add", "--email", "ada@example.com", "--first-name", "A", "--last-name", "L")
    make_due(local)
    facade.fault = is_up
    future = local.time("2999-01-01T00:00:00.000")
    local.sql(f"UPDATE customer_account_outbox SET claimed_by = 'another', claimed_until = {future}")
    assert local.refused(12, "identity", "sync")["details"]["done"] == 0
    assert directory.states() == {}
    expire(local)
    local.ok("identity", "sync")
    assert directory.states() == {"ada@example.com": True}


# Passwords and secrets


def test_passwords_are_the_provider_s(customers: Place, facade: Front, directory: Directory) -> None:
    made = customers.add(**ADA)
    password = "Unguessable-42-words"
    result = customers.run(
        "customer", "set-password", str(made["id"]), "--stdin", "-v", "--debug", stdin=f"{password}\n"
    )
    assert result.code == 0
    assert any(password in asked.body.decode() for asked in facade.peer.asked)
    assert customers.count("customer_password") == 0
    told = result.out + result.err + json.dumps(customers.items("audit", "list"))
    assert password not in told
    assert TOKEN not in told
    error = customers.refused(7, "customer", "verify-password", str(made["id"]), "--stdin", stdin="x\n")
    assert "(scim) checks passwords" in error["message"]
    error = customers.refused(7, "customer", "reset-password", str(made["id"]))
    assert "sends no resets" in error["message"]
    assert [entry["action"] for entry in customers.items("audit", "list")] == ["set-password", "add"]


def test_a_refused_password_is_not_quoted(local: Place, facade: Front) -> None:
    made = local.add(**ADA)
    password = "Unguessable-42-words"
    body = json.dumps({"scimType": "invalidValue", "detail": f"{password} is too weak"}).encode()
    facade.fault = lambda asked: whole("400 Bad", body) if asked.method == "PATCH" else None
    result = local.run("customer", "set-password", str(made["id"]), "--stdin", "--debug", stdin=f"{password}\n")
    assert result.code == 9
    assert password not in result.out + result.err
    held = b"".join(file.read_bytes() for file in local.path.glob("dev.db*"))
    assert password.encode() not in held
    assert TOKEN.encode() not in held


@pytest.mark.parametrize("fault", [whole("401 No"), peers.garbage, whole("500 Oops", TOKEN.encode())])
def test_the_secret_is_in_no_output(local: Place, facade: Front, fault: Answer) -> None:
    facade.fault = lambda _: fault
    for command in (
        ("customer", "add", "--email", "a@example.com", "--first-name", "A", "--last-name", "L"),
        ("identity", "sync"),
        ("identity", "verify"),
        ("identity", "status"),
    ):
        result = local.run(*command, "--debug", "-vv")
        assert result.code != 0
        assert TOKEN not in result.out + result.err


# Without a provider, and without the tables


def test_local_answers_plainly(local: Place) -> None:
    local.profile("dev", "development")
    local.ok("customer", "add", "--email", "a@example.com", "--first-name", "A", "--last-name", "L")
    status = local.json("identity", "status")
    assert (status["provider"], status["pending"], status["hashes"]) == ("local", 0, 0)
    assert local.json("identity", "sync") == {"done": 0, "failed": 0, "pending": 0}
    for command in (("verify",), ("link", "1", "x"), ("unlink", "1")):
        assert "has no identity provider" in local.refused(7, "identity", *command)["message"]
    assert "has no identity provider" in local.refused(7, "customer", "reset-password", "1")["message"]
    local.ok("customer", "set-password", "1", "--stdin", stdin="Unguessable-42-words\n")
    assert local.json("identity", "status")["hashes"] == 1
    assert local.count("customer_account_outbox") == 0


def test_an_older_database_gets_the_tables_and_then_the_accounts(
    empty_on_five: Place, facade: Front, directory: Directory
) -> None:
    place = empty_on_five
    place.insert([{"email": f"c{number}@example.com", "first_name": "F", "last_name": "L"} for number in range(3)])
    give_provider(place, facade.url)
    named = ("--email", "d@example.com", "--first-name", "A", "--last-name", "L")
    assert "custctl migrate" in place.refused(8, "customer", "add", *named)["hint"]
    for name in ("sync", "verify", "status"):
        assert "custctl migrate" in place.refused(8, "identity", name)["hint"]
    assert facade.peer.asked == []
    place.ok("migrate")
    assert {drift["kind"] for drift in place.run("identity", "verify", "-o", "json").json["items"]} == {"missing"}
    place.ok("identity", "verify", "--fix", "--yes")
    place.ok("identity", "sync")
    assert directory.states() == {f"c{number}@example.com": True for number in range(3)}


@pytest.fixture
def empty_on_five(empty: Place) -> Place:
    """A project whose database is at version 5 of the schema."""
    empty.ok("migrate", "--target", "5")
    return empty


def test_reading_a_customer_loads_nothing_of_the_provider(local: Place) -> None:
    local.add(**ADA)
    modules = loaded(local, "customer", "get", "1")
    assert "custctl.customers.reading" in modules
    assert (
        not {"httpx", "custctl.identity.accounts.scim", "custctl.identity.accounts.worker", "custctl.support.web"}
        & modules
    )
