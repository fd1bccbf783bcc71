"""One customer at a time: what the commands write, answer and refuse is the same on every engine."""

from __future__ import annotations

import itertools
import re
import sys
import uuid
from typing import Any

import pytest

from custctl.customers import audit
from custctl.customers.model import FIELDS
from custctl.engines.connection import Connection
from tests.behaviours.support import Place, editable, options

PASSWORD = "copper lantern drifting"
FULL = {
    "email": "Luís.Gonçalves@Embraer.example.com",
    "first_name": "Luís",
    "last_name": "Gonçalves",
    "phone": "+55 (12) 3923-5555",
    "company": "Embraer – Empresa Brasileira de Aeronáutica S.A.",
    "address_line": "Av. Brigadeiro Faria Lima, 2170",
    "city": "São José dos Campos",
    "region": "SP",
    "postal_code": "12227-000",
    "country": "Brazil",
    "status": "suspended",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_numbers = itertools.count(1)


@pytest.fixture
def ada(shared: Place) -> dict[str, Any]:
    """A customer of the test's own."""
    return shared.add(email=f"ada{next(_numbers)}@example.com", first_name="Ada", last_name="Lovelace")


# -- add and get -----------------------------------------------------------------------------------


def test_a_customer_with_every_field(shared: Place) -> None:
    added = shared.ok("customer", "add", *options(FULL), "-o", "json")
    found = added.json
    assert tuple(found) == FIELDS
    assert editable(found) == {**FULL, "email": "luís.gonçalves@embraer.example.com"}
    assert type(found["id"]) is int
    assert re.fullmatch(r"e1-[0-9A-Za-z]+", found["version"])
    assert _TIME.fullmatch(found["created_at"])
    assert found["updated_at"] >= found["created_at"]
    assert (added.announced["profile"], added.announced["environment"]) == ("dev", "development")
    for who in (str(found["id"]), "luís.gonçalves@embraer.example.com", "LUÍS.GONÇALVES@EMBRAER.example.COM"):
        assert shared.json("customer", "get", who) == found
    csv = shared.ok("customer", "get", str(found["id"]), "-o", "csv").out.splitlines()
    assert csv[0] == ",".join(FIELDS)
    assert csv[1].split(",")[1:5] == [
        "luís.gonçalves@embraer.example.com", "Luís", "Gonçalves", "'+55 (12) 3923-5555"
    ]  # fmt: skip
    assert shared.ok("customer", "delete", str(found["id"]), "--yes").out.splitlines()[1].split("\t")[1] == "true"


def test_what_is_added_is_kept_in_one_form(shared: Place) -> None:
    values = {"email": "  Zoe\u0308@XN--MNCHEN-3YA.de ", "first_name": " Zoe\u0308 ", "last_name": "X", "phone": "  "}
    found = shared.json("customer", "add", *options(values))
    assert (found["email"], found["first_name"], found["phone"]) == ("zoë@münchen.de", "Zoë", None)
    assert found["status"] == "active"
    assert shared.json("customer", "get", "ZOE\u0308@xn--mnchen-3ya.DE") == found
    [added] = shared.items("customer", "history", str(found["id"]))
    assert set(added["fields"]) == {"email", "first_name", "last_name", "status"}


def test_every_bad_field_is_named_at_once(shared: Place, ada: dict[str, Any]) -> None:
    bad = {"email": "nope", "first_name": "", "postal_code": "1" * 21, "city": "a\nb", "status": "gone"}
    for command in (("add", "--last-name", "X"), ("update", str(ada["id"]))):
        error = shared.refused(9, "customer", *command, *options(bad))
        assert set(error["details"]["fields"]) == set(bad)
    assert shared.json("customer", "get", str(ada["id"])) == ada


def test_a_taken_email_is_refused_whatever_its_case(shared: Place, ada: dict[str, Any]) -> None:
    other = shared.add(email=f"other-{ada['email']}")
    for arguments in (
        ("add", "--email", ada["email"], "--first-name", "X", "--last-name", "Y"),
        ("add", "--email", ada["email"].upper(), "--first-name", "X", "--last-name", "Y"),
        ("update", str(other["id"]), "--email", ada["email"].title()),
    ):
        error = shared.refused(5, "customer", *arguments)
        assert error["details"] == {"field": "email", "customer_id": ada["id"]}
    # The database itself says so, too.
    for email in (ada["email"], ada["email"].upper()):
        with pytest.raises(shared.integrity_errors()):
            shared.insert([{"email": email, "first_name": "X", "last_name": "Y"}])
    assert shared.count("customer", f"email = {shared.literal(ada['email'])}") == 1
    assert shared.json("customer", "get", str(other["id"])) == other


@pytest.mark.parametrize(
    "row",
    [
        {"email": "a@example.com", "first_name": None, "last_name": "Y"},
        {"email": "a@example.com", "first_name": "X", "last_name": ""},
        {"email": "a@example.com", "first_name": "X", "last_name": "Y", "status": "gone"},
        {"email": "a@example.com", "first_name": "X", "last_name": "Y", "phone": ""},
    ],
)
def test_the_database_itself_keeps_the_rules(shared: Place, row: dict[str, str | None]) -> None:
    with pytest.raises(shared.integrity_errors()):
        shared.insert([row])


# -- update ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "more"), [("", "; a variable in your command may be unset"), ("3", "")])
def test_a_version_that_is_none_leads_to_the_right_one(
    shared: Place, ada: dict[str, Any], version: str, more: str
) -> None:
    who = str(ada["id"])
    for command in (("update", who, "--city", "Ulm"), ("delete", who, "--yes")):
        error = shared.refused(2, "customer", *command, "--if-version", version)
        assert error["hint"] == f"`custctl customer get {who} --fields version` prints the version{more}"
        assert shared.json("customer", "get", who) == ada


def test_an_update_sets_what_is_named_and_nothing_else(shared: Place, ada: dict[str, Any]) -> None:
    who = str(ada["id"])
    after = shared.json("customer", "update", ada["email"].upper(), "--phone", "+44 1", "--city", "Łódź")
    assert {**after, "version": None, "updated_at": None} == {
        **ada, "phone": "+44 1", "city": "Łódź", "version": None, "updated_at": None
    }  # fmt: skip
    assert after["version"] != ada["version"]
    assert after["updated_at"] >= ada["updated_at"]
    assert shared.json("customer", "get", who) == after
    same = shared.ok("customer", "update", who, "--city", " Łódź ", "--region", "", "-o", "json")
    assert same.json == after
    assert "nothing to change" in same.err
    cleared = shared.json("customer", "update", who, "--phone", "", "--if-version", after["version"])
    assert (cleared["phone"], cleared["city"]) == (None, "Łódź")
    renamed = shared.json("customer", "update", who, "--email", f"NEW-{ada['email']}")
    assert renamed["email"] == f"new-{ada['email']}"
    assert shared.refused(6, "customer", "get", ada["email"])["code"] == "not_found"


def test_a_stale_version_is_a_conflict_that_shows_all_sides(shared: Place, ada: dict[str, Any]) -> None:
    who = str(ada["id"])
    first = shared.json("customer", "update", who, "--phone", "1", "--city", "London")
    second = shared.json("customer", "update", who, "--phone", "2")
    stale = ("customer", "update", who, "--phone", "3", "--region", "X", "--if-version")
    error = shared.refused(5, *stale, first["version"])
    assert error["details"] == {
        "customer_id": ada["id"],
        "expected_version": first["version"],
        "current_version": second["version"],
        "was_known": True,
        "fields": [
            {"field": "phone", "was": "1", "now": "2", "asked": "3"},
            {"field": "region", "was": None, "now": None, "asked": "X"},
        ],
    }
    assert shared.refused(5, "customer", "delete", who, "--yes", "--if-version", first["version"])
    # A version of another database's kind is merely none that the row has.
    assert shared.refused(5, *stale, "e1-zz")["details"]["was_known"] is False
    assert shared.refused(2, *stale, "nonsense")["code"] == "usage"
    assert shared.refused(2, *stale, second["version"], "--retries", "3")["code"] == "usage"
    assert shared.json("customer", "get", who) == second
    assert shared.json(*stale, second["version"])["phone"] == "3"


def test_an_update_behind_custctls_back_moves_the_version(shared: Place, ada: dict[str, Any]) -> None:
    who = str(ada["id"])
    seen = shared.json("customer", "update", who, "--city", "London")
    shared.sql(f"UPDATE customer SET city = {shared.literal('Paris')} WHERE id = {who}")
    moved = shared.json("customer", "get", who)
    assert moved["city"] == "Paris"
    assert moved["version"] not in (ada["version"], seen["version"])
    error = shared.refused(5, "customer", "update", who, "--city", "Rome", "--if-version", seen["version"])
    assert error["details"]["fields"] == [{"field": "city", "was": "London", "now": "Paris", "asked": "Rome"}]
    assert error["details"]["current_version"] == moved["version"]


def test_nobody_can_turn_a_version_back(shared: Place, ada: dict[str, Any]) -> None:
    who = str(ada["id"])
    shared.json("customer", "update", who, "--city", "London")
    ((first,),) = shared.sql(f"SELECT version FROM customer WHERE id = {who}")
    shared.json("customer", "update", who, "--city", "Paris")
    spelled = f"0x{bytes(first).hex()}" if isinstance(first, bytes) else str(first)
    # Some engines refuse this, others go on counting.
    for assignment in (f"version = {spelled}", f"city = 'Rome', version = {spelled}"):
        try:
            shared.sql(f"UPDATE customer SET {assignment} WHERE id = {who}")
        except shared.errors():
            continue
    ((now,),) = shared.sql(f"SELECT version FROM customer WHERE id = {who}")
    assert now > first


def test_retries_are_for_versions_alone(shared: Place, ada: dict[str, Any]) -> None:
    other = shared.add(email=f"other-{ada['email']}")
    error = shared.refused(5, "customer", "update", str(other["id"]), "--email", ada["email"], "--retries", "1000000")
    assert error["details"]["field"] == "email"
    assert shared.json("customer", "update", str(other["id"]), "--city", "Rome", "--retries", "3")["city"] == "Rome"


# -- edit ------------------------------------------------------------------------------------------


def editor(place: Place, *lines: str) -> None:
    """Let the editor be a few lines of Python that may change `text`."""
    script = place.path / "editor.py"
    script.write_text(
        "import re, subprocess, sys\nfrom pathlib import Path\n"
        f"environ = {place.environ!r}\n"  # an editor is handed no password
        "path = Path(sys.argv[-1])\ntext = path.read_text()\n"
        "def put(name, value):\n"
        "    global text\n    text = re.sub(f'(?m)^{name}:.*$', f'{name}: {value}', text)\n"
        "def custctl(*arguments):\n"
        "    subprocess.run([sys.executable, '-m', 'custctl', *arguments], env=environ, check=True)\n"
        + "\n".join(lines)
        + "\npath.write_text(text)\n"
    )
    place.environ["EDITOR"] = f"{sys.executable} {script}"


def test_an_edit_merges_what_others_wrote_meanwhile(shared: Place, ada: dict[str, Any]) -> None:
    who = str(ada["id"])
    editor(shared, f"custctl('customer', 'update', '{who}', '--city', 'Łódź')", "put('phone', '\"+44 1\"')")
    edited = shared.json("customer", "edit", who)
    assert (edited["city"], edited["phone"]) == ("Łódź", "+44 1")
    editor(shared, f"custctl('customer', 'update', '{who}', '--city', 'Rome')", "put('city', 'Paris')")
    error = shared.refused(5, "customer", "edit", who)
    assert "not resolved" in error["message"]
    assert f"`custctl customer edit {who} --resume`" in error["hint"]
    assert shared.json("customer", "get", who)["city"] == "Rome"
    editor(shared, "assert 'city: Paris' in text", "put('city', 'Milan')")  # nothing typed is lost
    assert shared.json("customer", "edit", who, "--resume")["city"] == "Milan"


# -- delete and history ----------------------------------------------------------------------------


def test_a_deleted_customer_leaves_its_history_without_its_values(shared: Place, ada: dict[str, Any]) -> None:
    who = str(ada["id"])
    after = shared.json("customer", "update", who, "--phone", "+44 1", "--city", "London")
    shared.ok("customer", "set-password", who, "--stdin", stdin=f"{PASSWORD}\n")
    history = shared.items("customer", "history", ada["email"])
    assert [(event["action"], event["version"], set(event["fields"]), event["changes"]) for event in history] == [
        (
            "add",
            ada["version"],
            {"email", "first_name", "last_name", "status"},
            {
                "status": [None, "active"],
                "email": [None, ada["email"]],
                "first_name": [None, "Ada"],
                "last_name": [None, "Lovelace"],
            },
        ),
        ("update", after["version"], {"phone", "city"}, {"phone": [None, "+44 1"], "city": [None, "London"]}),
        ("set-password", after["version"], set(), None),
    ]
    assert all(_TIME.fullmatch(event["happened_at"]) for event in history)

    assert shared.refused(7, "customer", "delete", who)["code"] == "refused"
    operation = str(uuid.uuid4())
    done = shared.json("customer", "delete", who, "--yes", "--operation-id", operation)
    assert done == {"id": ada["id"], "deleted": True, "operation_id": operation}
    assert shared.refused(6, "customer", "get", who)["code"] == "not_found"
    assert shared.refused(6, "customer", "history", ada["email"])["code"] == "not_found"
    kept = shared.items("customer", "history", who)
    assert [(event["action"], event["version"]) for event in kept] == [
        *((event["action"], event["version"]) for event in history), ("delete", after["version"])
    ]  # fmt: skip
    assert all(event["changes"] is None for event in kept)
    own = f"customer_id = {who}"
    assert shared.count("customer_audit", f"{own} AND (held_values IS NOT NULL OR salt IS NOT NULL)") == 0
    assert shared.count("customer_password", own) == 0
    shared.ok("audit", "verify")
    # The email is free again, the id is not.
    assert shared.add(email=ada["email"])["id"] != ada["id"]


# -- passwords -------------------------------------------------------------------------------------


def test_a_password_is_set_verified_and_shown_nowhere(shared: Place, ada: dict[str, Any]) -> None:
    who = str(ada["id"])
    assert shared.refused(9, "customer", "verify-password", who, "--stdin", stdin=f"{PASSWORD}\n")["code"] == "invalid"
    assert shared.refused(9, "customer", "set-password", who, "--stdin", stdin="password\n")["code"] == "invalid"
    done = shared.ok("customer", "set-password", who, "--stdin", "-o", "json", stdin=f"{PASSWORD}\n")
    assert {name: done.json[name] for name in ("id", "email", "password_set")} == {
        "id": ada["id"], "email": ada["email"], "password_set": True
    }  # fmt: skip
    found = shared.json("customer", "verify-password", ada["email"], "--stdin", stdin=f"{PASSWORD}\n")
    assert found == {"id": ada["id"], "email": ada["email"], "matches": True}
    wrong = shared.run("customer", "verify-password", who, "--stdin", stdin="copper lantern drifted\n")
    assert (wrong.code, wrong.out) == (9, "")
    # The row itself is not written by it.
    assert shared.json("customer", "get", who) == ada
    ((stored,),) = shared.sql(f"SELECT hash FROM customer_password WHERE customer_id = {who}")
    assert stored.startswith("$argon2id$")
    shared.ok("customer", "set-password", who, "--stdin", stdin="another lantern drifting\n")
    assert shared.count("customer_password", f"customer_id = {who}") == 1
    assert shared.run("customer", "verify-password", who, "--stdin", stdin=f"{PASSWORD}\n").code == 9
    everything = done.out + done.err + shared.ok("audit", "list", "--limit", "0", "-o", "jsonl").out
    assert PASSWORD not in everything
    assert "argon2" not in everything


# -- operations ------------------------------------------------------------------------------------


def test_an_operation_is_applied_once_and_stands_for_one_request(shared: Place, ada: dict[str, Any]) -> None:
    who, email = str(ada["id"]), f"twin-{ada['email']}"
    for command in (
        ("customer", "add", "--email", email, "--first-name", "X", "--last-name", "Y"),
        ("customer", "update", who, "--city", "Łódź"),
        ("customer", "delete", email, "--yes"),
    ):
        operation = str(uuid.uuid4())
        first = shared.ok(*command, "--operation-id", operation, "-o", "json")
        again = shared.ok(*command, "--operation-id", operation.upper().replace("-", ""), "-o", "json")
        if command[1] == "delete":
            assert again.json == first.json
        assert ("already applied" in first.err, "already applied" in again.err) == (False, True)
        entries = shared.items("audit", "list", "--operation", operation)
        assert [entry["action"] for entry in entries] == [command[1]]
        for other in (
            ("customer", "update", who, "--city", "Rome"),
            ("customer", "add", "--email", f"x{email}", "--first-name", "X", "--last-name", "Y"),
        ):
            error = shared.refused(5, *other, "--operation-id", operation)
            assert operation in error["message"]
    assert shared.json("customer", "get", who)["city"] == "Łódź"
    assert shared.refused(6, "customer", "get", f"x{email}")["code"] == "not_found"


def test_an_update_that_was_applied_answers_as_it_did_then(shared: Place, ada: dict[str, Any]) -> None:
    operation = str(uuid.uuid4())
    command = ("customer", "update", str(ada["id"]), "--city", "Łódź", "--operation-id", operation)
    failed = shared.refused(5, *command, "--if-version", "e1-zz")
    assert failed["code"] == "conflict"
    first = shared.json(*command)
    later = shared.json("customer", "update", str(ada["id"]), "--city", "Rome")
    assert shared.json(*command) == first
    assert shared.json("customer", "get", str(ada["id"])) == later


def test_an_operation_that_was_applied_since_the_first_look_is_told(
    shared: Place, ada: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("customer", "update", str(ada["id"]), "--city", "Łódź", "--operation-id", str(uuid.uuid4()))
    first = shared.json(*command)
    find_operation, looks = audit.find_operation, itertools.count()

    def stand_in(connection: Connection, operation_id: str) -> list[Any]:
        """Look for the operation, the first time as if that were before its commit."""
        return find_operation(connection, operation_id) if next(looks) else []

    monkeypatch.setattr(audit, "find_operation", stand_in)
    again = shared.ok(*command, "-o", "json")
    assert again.json == first
    assert "already applied" in again.err


# -- nobody ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["0", "999999999", "9" * 30, "nobody@example.com"])
def test_nobody_of_this_name(shared: Place, who: str) -> None:
    for arguments in (("get",), ("update", "--city", "X"), ("delete", "--yes"), ("history",)):
        assert shared.refused(6, "customer", arguments[0], who, *arguments[1:])["code"] == "not_found"


def test_no_password_of_nobody(shared: Place) -> None:
    for command in ("set-password", "verify-password"):
        error = shared.refused(6, "customer", command, "999999999", "--stdin", stdin=f"{PASSWORD}\n")
        assert error["code"] == "not_found"
