"""`identity verify` finds every difference between customers and accounts, and `--fix` mends those that it may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from custctl.identity.accounts import drift, scim
from tests.accounts.conftest import ON_CANAILLE, give_provider
from tests.accounts.peer import Asked, whole
from tests.accounts.scim import Directory, Front
from tests.behaviours.support import Place

COUNT = 14


@pytest.fixture
def filled(customers: Place) -> Place:
    """A project whose customers have accounts."""
    rows = "\n".join(f"c{number:02}@example.com,F,L" for number in range(COUNT))
    customers.run("customer", "import", "-", stdin=f"email,first_name,last_name\n{rows}\n")
    customers.run("identity", "sync")
    assert customers.items("identity", "verify") == []
    return customers


def found(place: Place, *more: str) -> list[dict[str, Any]]:
    result = place.run("identity", "verify", "-o", "json", *more)
    assert result.code in (0, 9), result.err
    items: list[dict[str, Any]] = result.json["items"]
    assert (result.code == 9) == bool(items) or more
    return items


def test_drifts_are_found_and_mended(filled: Place, directory: Directory, facade: Front) -> None:
    accounts = {each["userName"]: each for each in directory.accounts()}
    numbers = {each["email"]: each["id"] for each in filled.items("customer", "list", "--limit", "0")}

    def subject(number: int) -> str:
        return str(accounts[f"c{number:02}@example.com"]["id"])

    def customer(number: int) -> int:
        return int(numbers[f"c{number:02}@example.com"])

    database_id = str(accounts["c00@example.com"]["externalId"]).partition(":")[0]
    directory.ask("DELETE", f"Users/{subject(0)}")
    directory.patch(subject(1), "active", False)
    directory.patch(subject(2), "emails", [{"value": "x@example.com", "type": "work", "primary": True}])
    double = directory.create("double@example.com", externalId=f"{database_id}:{customer(3)}")
    gone = directory.create("gone@example.com", externalId=f"{database_id}:999999")
    foreign = directory.create("admin@example.com", externalId="hr:7")
    filled.sql(f"DELETE FROM customer_account WHERE customer_id = {customer(4)}")
    filled.sql(f"DELETE FROM customer WHERE id = {customer(5)}")
    filled.insert([{"email": "new@example.com", "first_name": "F", "last_name": "L", "status": "suspended"}])
    seen = {(each["kind"], each["subject"]): each for each in found(filled)}
    new = next(each for each in filled.items("customer", "list", "--limit", "0") if each["email"] == "new@example.com")
    assert set(seen) == {
        ("missing", subject(0)),
        ("missing", None),
        ("state", subject(1)),
        ("email", subject(2)),
        ("double", double),
        ("stray", gone),
        ("stray", foreign),
        ("unlinked", None),
        ("stray", subject(5)),
    }
    assert seen["missing", None]["customer_id"] == new["id"]
    assert seen["email", subject(2)]["expected"] == "c02@example.com"
    assert seen["email", subject(2)]["found"] == "x@example.com"
    assert seen["double", double]["customer_id"] == customer(3)
    assert {each["repair"] for each in seen.values()} == {"follow", "remove", None}
    assert seen["stray", foreign]["repair"] is None
    # Nothing happens unless it is confirmed.
    assert filled.run("identity", "verify", "--fix").code == 7
    assert filled.count("customer_account_outbox") == 0
    found(filled, "--fix", "--yes")
    assert filled.count("customer_account_outbox") == 8
    assert {each["pending"] for each in found(filled) if each["kind"] in ("state", "email", "unlinked")} == {True}
    error = filled.refused(9, "identity", "verify", "--fix", "--yes")
    assert "queued already: run `custctl identity sync" in error["hint"]
    filled.ok("identity", "sync")
    [left] = found(filled)
    assert (left["kind"], left["subject"]) == ("stray", foreign)
    assert filled.items("audit", "list")[0]["action"] == "repair-accounts"
    states = directory.states()
    assert states["new@example.com"] is False
    assert states["c02@example.com"] is True
    assert "double@example.com" not in states


def add_customers(place: Place, count: int) -> None:
    rows = "\n".join(f"c{number}@example.com,F,L" for number in range(count))
    place.run("customer", "import", "-", stdin=f"email,first_name,last_name\n{rows}\n")
    place.run("identity", "sync")


@ON_CANAILLE
def test_drifts_are_found_and_mended_without_filters_and_references(local: Place, directory: Directory) -> None:
    # It is there first, so a server that ignores filters shows it whatever was asked.
    foreign = directory.create("admin@example.com")
    add_customers(local, 6)
    assert {(each["kind"], each["subject"]) for each in found(local)} == {("stray", foreign)}
    accounts = {each["userName"]: str(each["id"]) for each in directory.accounts()}
    gone, disabled, moved, unlinked, orphan, _ = (accounts[f"c{number}@example.com"] for number in range(6))
    directory.ask("DELETE", f"Users/{gone}")
    directory.patch(disabled, "active", False)
    directory.patch(moved, "emails", [{"value": "x@example.com"}])
    local.sql(f"DELETE FROM customer_account WHERE subject = '{unlinked}'")
    local.sql(f"DELETE FROM customer WHERE id = (SELECT customer_id FROM customer_account WHERE subject = '{orphan}')")
    assert {(each["kind"], each["subject"]) for each in found(local)} == {
        ("missing", gone),
        ("state", disabled),
        ("email", moved),
        # Nothing on the account says whose it is.
        ("missing", None),
        ("stray", unlinked),
        ("stray", orphan),
        ("stray", foreign),
    }
    found(local, "--fix", "--yes")
    # A person decides whose an account is, and which ones to remove.
    number = next(each["id"] for each in local.items("customer", "list") if each["email"] == "c3@example.com")
    assert (
        f"account `{unlinked}` has the email of customer {number}" in local.refused(12, "identity", "sync")["message"]
    )
    local.ok("identity", "link", number, unlinked)
    linked = local.items("customer", "history", str(number))[-1]
    assert linked["version"] == local.json("customer", "get", str(number))["version"]
    [entry] = local.items("audit", "list", "--operation", linked["operation_id"])
    assert (entry["action"], entry["detail"]["subject"]) == ("link-account", unlinked)
    local.ok("identity", "sync")
    assert {(each["kind"], each["subject"]) for each in found(local)} == {("stray", orphan), ("stray", foreign)}
    assert directory.states() == {
        "admin@example.com": True,
        **{f"c{number}@example.com": True for number in range(6)},
    }


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have custctl ask for four accounts at a time."""
    monkeypatch.setattr(scim, "_PAGE", 4)


def between_pages(facade: Front, act: Callable[[], object]) -> None:
    """Do something once, when the second page of the whole list is asked for."""
    done: list[bool] = []

    def fault(asked: Asked) -> None:
        if "startIndex=5" in asked.target and "filter" not in asked.target and not done:
            done.append(True)
            act()

    facade.fault = fault


@pytest.mark.usefixtures("small_pages")
def test_accounts_that_move_to_other_pages_are_not_missing(local: Place, facade: Front, directory: Directory) -> None:
    add_customers(local, 8)
    page = [each["id"] for each in directory.ask("GET", "Users?startIndex=1&count=4")["Resources"]]
    directory.ask("DELETE", f"Users/{page[3]}")
    [(missing,)] = local.sql(f"SELECT customer_id FROM customer_account WHERE subject = '{page[3]}'")
    # Two accounts of the second page move to the first one, which was read already, and are not on the list.
    between_pages(facade, lambda: [directory.ask("DELETE", f"Users/{subject}") for subject in page[:2]])
    assert [(each["kind"], each["customer_id"]) for each in found(local)] == [("missing", missing)]


@pytest.mark.usefixtures("small_pages")
def test_customers_that_come_and_change_meanwhile_are_no_drift(local: Place, facade: Front) -> None:
    add_customers(local, 5)

    def change() -> None:
        local.add(email="new@example.com")
        local.ok("customer", "update", "c4@example.com", "--email", "other@example.com", "--status", "suspended")
        local.ok("customer", "delete", "c0@example.com", "--yes")

    between_pages(facade, change)
    assert found(local) == []


def test_beyond_a_thousand_the_list_alone_speaks(local: Place, facade: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "_CONFIRMED", 2)
    local.insert([{"email": f"c{number}@example.com", "first_name": "F", "last_name": "L"} for number in range(5)])
    result = local.run("identity", "verify")
    assert (result.code, result.out.count("missing")) == (9, 5)
    assert "3 differences were not looked up again" in result.err


def test_a_look_up_waits_when_it_is_asked_to(local: Place, facade: Front, directory: Directory) -> None:
    local.add(email="a@example.com")
    [account] = directory.accounts()
    directory.ask("DELETE", f"Users/{account['id']}")
    busy = [whole("429 Slow", b"", "Retry-After: 0")]
    facade.fault = lambda asked: busy.pop() if busy and asked.target.endswith(account["id"]) else None
    assert [each["kind"] for each in found(local)] == ["missing"]
    assert busy == []


def test_in_production_the_profile_s_name_confirms(filled: Place, facade: Front, directory: Directory) -> None:
    directory.create("gone@example.com", externalId="hr:1")
    [account, *_] = directory.accounts()
    directory.patch(account["id"], "active", False)
    file = filled.path / "profiles" / "dev.yaml"
    file.write_text(file.read_text().replace("environment: development", "environment: production"))
    if "nodes" in file.read_text():
        return  # production asks for TLS to a server, too
    filled.sql("UPDATE custctl_metadata SET value = 'production' WHERE name = 'environment'")
    error = filled.refused(7, "identity", "verify", "--fix", "--yes")
    assert "--confirm dev" in error["hint"]
    assert filled.run("identity", "verify", "--fix", "--confirm", "dev").code == 9
    assert filled.count("customer_account_outbox") == 1


def test_links_of_another_provider_say_nothing(local: Place, facade: Front, directory: Directory) -> None:
    made = local.add(email="a@example.com")
    local.sql("UPDATE customer_account SET provider = 'scim elsewhere'")
    [drift] = found(local)
    assert (drift["kind"], drift["customer_id"]) == ("unlinked", made["id"])
    assert local.json("customer", "get", str(made["id"]), "--with-account")["account"] is None
    local.ok("customer", "update", made["id"], "--status", "suspended")
    assert found(local) == []
    assert directory.states() == {"a@example.com": False}


def test_doctor_tells_how_accounts_stand(local: Place, facade: Front) -> None:
    def check() -> dict[str, Any]:
        items = local.run("doctor", "-o", "json").json["items"]
        return {str(each["check"]): each for each in items}["identity"]

    assert check()["state"] == "ok"
    local.profile("dev", "development")
    made = local.add(email="a@example.com")
    local.ok("customer", "set-password", str(made["id"]), "--stdin", stdin="Unguessable-42-words\n")
    give_provider(local, facade.url)
    assert check()["state"] == "fault"
    assert "1 password hash" in check()["value"]
    local.sql("DELETE FROM customer_password")
    facade.fault = lambda _: whole("503 No")
    assert "status 503" in check()["value"]
    local.run("customer", "add", "--email", "b@example.com", "--first-name", "A", "--last-name", "L")
    facade.fault = lambda _: None
    assert "1 pending, 1 failed" in check()["value"]
    assert "identity sync" in check()["hint"]
