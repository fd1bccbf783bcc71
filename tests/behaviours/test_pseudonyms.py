"""`migrate repair --pseudonymise`: a copy of production without what is about people."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import pairwise

import pytest

from custctl.cli.context import Context
from custctl.migrations import pseudonymising
from tests.behaviours.support import Place

REPAIR = ("migrate", "repair", "--environment", "test", "--pseudonymise", "--yes")
PERSON = {
    "email": "ada@real.example",
    "first_name": "Augusta",
    "last_name": "Lovelace",
    "phone": "+44 1",
    "city": "Rome",
}
# A personal field of each type, and its value.
OWN = {
    "vat_no": ("text(20)", "ATU12345678"), "born": ("date", "1815-12-10"), "vip": ("boolean", "true"),
    "seen": ("timestamp", "2026-01-01T00:00:00.000Z"), "token": ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "extra": ("json", '{"a": 1}'), "rank": ("smallint", "77"), "credit": ("decimal(7,2)", "1.50"),
    "score": ("float", "0.5"), "empty": ("text(9)", None),
}  # fmt: skip


def seed(place: Place, count: int) -> None:
    place.insert({"email": f"c{n}@real.example", "first_name": f"F{n}", "last_name": "Real"} for n in range(count))


def test_everything_about_people_is_replaced(empty: Place) -> None:
    place = empty
    place.copy_scripts()
    for name, (type_, _) in OWN.items():
        place.ok("migrate", "new", "--add-field", name, "--type", type_, "--personal")
    place.ok("migrate", "new", "--add-field", "tier", "--type", "text(9)")
    place.ok("migrate")
    sets = [part for name, (_, value) in OWN.items() if value for part in ("--set", f"{name}={value}")]
    fields = [part for name, value in PERSON.items() for part in (f"--{name.replace('_', '-')}", value)]
    before = place.json("customer", "add", *fields, *sets, "--set", "tier=gold")
    place.add(email="b@real.example", first_name="B", last_name="Real")
    place.ok("customer", "set-password", "ada@real.example", "--stdin", stdin="correct horse battery staple 9!\n")
    place.alias("dev", "test")

    assert "needs `--environment`" in place.refused(2, "migrate", "repair", "--pseudonymise")["message"]
    done = place.json(*REPAIR)["items"]
    assert done[-1]["change"] == "pseudonymise"
    assert done[-1]["detail"].startswith("2 customers, 1 password hashes and the values of ")
    items = place.items("customer", "list", "--limit", "0")
    after = items[0]
    assert "real.example" not in json.dumps(items)
    assert all(after[name] not in (None, before[name]) for name in PERSON)
    assert all(after[name] not in (None, before[name]) for name in OWN if name not in ("empty", "vip"))
    assert (after["empty"], after["tier"], after["company"], after["vip"] is None) == (None, "gold", None, False)
    assert len({item["email"] for item in items}) == 2
    assert after["version"] != before["version"]
    assert place.count("customer_password") == 0
    assert place.count("customer_audit", "held_values IS NOT NULL") == 0
    assert place.count("custctl_metadata", "name = 'pseudonyms'") == 0
    place.ok("audit", "verify")
    # What it made is valid: a customer can be written back as he is.
    exported = place.ok("customer", "export", "-o", "jsonl", "--raw").out
    place.ok("customer", "import", "-", "--format", "jsonl", "--on-conflict", "update", stdin=exported)


def test_production_keeps_its_customers(empty: Place) -> None:
    empty.ok("migrate")
    empty.alias("prod", "production")
    error = empty.refused(
        7, "migrate", "repair", "--environment", "production", "--pseudonymise", "--env", "prod", "--confirm", "prod"
    )
    assert "personal data in production is never replaced" in error["message"]


def test_a_run_that_is_killed_goes_on_with_its_key_and_replaces_every_row_once(
    empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = empty
    place.ok("migrate")
    seed(place, 500)
    place.alias("dev", "test")
    monkeypatch.setattr(pseudonymising, "_BATCH", 50)
    # A process of its own for each kill, with small batches.
    code = (
        "import sys, time\n"
        "from custctl.migrations import pseudonymising as p\n"
        "p._BATCH = 50\n"
        "keep = p._keep\n"
        "def slow(connection, done):\n"
        "    keep(connection, done)\n"
        "    print(done.customers, flush=True, file=sys.stderr)\n"
        "    time.sleep(0.3)\n"
        "p._keep = slow\n"
        "from custctl.__main__ import main\n"
        "main()\n"
    )
    seen: list[int] = []
    for _ in range(3):
        command = [sys.executable, "-c", code, *REPAIR]
        with subprocess.Popen(
            command, cwd=place.path, env=place.environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as started:
            assert started.stderr is not None
            for line in started.stderr:
                if line.strip().isdigit() and int(line) >= 100 * (len(seen) + 1):
                    break
            started.send_signal(signal.SIGKILL)
        state = json.loads(place.sql("SELECT value FROM custctl_metadata WHERE name = 'pseudonyms'")[0][0])
        seen.append(state["customers"])
        keys = {state["key"]}
    assert all(0 < first < second < 500 for first, second in pairwise(seen)), seen
    [unfinished] = [
        each for each in place.run("doctor", "-o", "json").json["items"] if each["check"] == "personal data"
    ]
    assert "migrate repair" in unfinished["hint"]
    assert "--pseudonymise" in unfinished["hint"]
    assert place.json(*REPAIR)["items"][-1]["detail"].startswith("500 customers")
    assert "personal data" not in place.run("doctor").out
    emails = place.emails()
    assert len(set(emails)) == 500
    assert {email.split(".")[0][1:] for email in emails} == keys
    if place.engine != "mssql":
        assert place.count("customer", "version <> 2") == 0, "every row once"


def test_what_clients_add_meanwhile_is_replaced_too(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place = empty
    place.ok("migrate")
    seed(place, 120)
    place.alias("dev", "test")
    monkeypatch.setattr(pseudonymising, "_BATCH", 50)
    added: list[int] = []

    def add_one(count: int) -> None:
        if len(added) < 3:
            added.append(count)
            place.insert([{"email": f"new{len(added)}@real.example", "first_name": "N", "last_name": "Real"}])

    context = Context({"env": ["dev"]}, place.environ, place.path)
    try:
        migrations = context.client.migrations
        done = migrations.repair(migrations.plan_repair("test"), pseudonymise=True, on_progress=add_one)
    finally:
        context.close()
    assert done is not None
    assert done.customers == 123
    assert place.count("customer", "email LIKE '%real.example'") == 0


def test_a_constraint_that_refuses_is_told(empty: Place) -> None:
    place = empty
    place.copy_scripts()
    place.write("1000_vat", "ALTER TABLE customer ADD vat VARCHAR(20) CHECK (vat LIKE 'AT%')")
    script = place.path / "sql" / place.engine / "migrations" / "1000_vat.sql"
    script.write_text("-- custctl: personal\n" + script.read_text())
    place.ok("migrate")
    place.add(email="a@real.example")
    place.sql("UPDATE customer SET vat = 'AT1'")
    place.alias("dev", "test")
    error = place.refused(11, *REPAIR)
    assert "refuses a pseudonym" in error["message"]
