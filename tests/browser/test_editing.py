"""Changing customers in the browser: the same checks, conflicts, confirmations and audit as the commands'."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.browser.support import Seat, seated, sit
from tests.conftest import Project


def row(project: Project, who: int = 1, env: str = "dev") -> dict[str, Any]:
    found: dict[str, Any] = project.ok("customer", "get", str(who), "-o", "json", "--env", env).json
    return found


def kept(project: Project) -> list[Path]:
    return sorted((Path(project.environ["HOME"]) / ".local/state/custctl/edits").glob("edit-*.yaml"))


def change(project: Project, sql: str) -> None:
    with closing(sqlite3.connect(project.path / "dev.db")) as other, other:
        other.execute(sql)


async def put(seat: Seat, name: str, text: str) -> None:
    """Type a text into a field of the form."""
    field = seat.field(name)
    field.focus()
    field.value = text
    await seat.pilot.pause()


def test_an_edit_is_written_audited_and_shown(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("edit customer 1", "^s save")
            await put(seat, "city", "Paris")
            await put(seat, "phone", "")
            await seat.shows("2 fields changed")
            [path] = kept(people)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert "ada@example.com" not in path.read_text()  # what was typed alone
            await seat.press("ctrl+s")
            await seat.shows("customer 1 was changed")
            await seat.press("enter")
            await seat.shows("city", "Paris", "e1-2")
            await seat.press("h")
            await seat.shows("update by ada", "city: (empty) → Paris", "phone: +44 20 7946 0000 → (empty)")

    sit(work)
    assert kept(people) == []
    found = row(people)
    assert (found["city"], found["phone"], found["version"]) == ("Paris", None, "e1-2")


def test_what_is_not_valid_is_said_and_can_be_mended(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("edit customer 1")
            await put(seat, "email", "nonsense")
            await put(seat, "status", "dead")
            await seat.press("ctrl+s")
            await seat.shows("! 2 fields are not valid: `email`")
            await put(seat, "email", "grace@example.com")
            await put(seat, "status", "closed")
            await seat.press("ctrl+s")
            await seat.shows("is already taken by customer 2")
            await put(seat, "email", "lovelace@example.com")
            await seat.press("ctrl+s")
            await seat.shows("customer 1 was changed", "lovelace@example.com", "closed")

    sit(work)


def test_fields_that_another_changed_are_merged_or_decided(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("edit customer 1")
            await put(seat, "city", "Rome")
            await put(seat, "company", "Mine")
            await put(seat, "phone", "+1")
            change(people, "UPDATE customer SET city = 'Oslo', company = 'Theirs', region = 'North' WHERE id = 1")
            await seat.press("ctrl+s")
            await seat.shows(
                "nothing was written", "city: undecided", "was    (empty)", "now    Oslo", "asked  Rome", "asked  Mine"
            )
            await seat.press("ctrl+s")
            await seat.shows("decide each field first")
            await seat.press("m", "t", "ctrl+s")
            await seat.until(lambda: not kept(people))

    sit(work)
    found = row(people)
    # The conflicts come in the order of the fields: mine for the company, theirs for the city.
    assert (found["company"], found["city"], found["region"], found["phone"]) == ("Mine", "Oslo", "North", "+1")
    assert found["version"] == "e1-3"


def test_what_was_typed_outlives_the_browser_and_is_offered_again(people: Project) -> None:
    async def killed() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("edit customer 1")
            await put(seat, "city", 'No "quotes": #1 ')
            await put(seat, "phone", "")

    sit(killed)
    assert len(kept(people)) == 1
    assert stat.S_IMODE(kept(people)[0].stat().st_mode) == 0o600
    change(people, "UPDATE customer SET city = 'Oslo' WHERE id = 1")

    async def again() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("what you typed at", "is back", 'No "quotes": #1')
            await seat.press("ctrl+s")
            await seat.shows("city: undecided", "was    (not recorded)", "now    Oslo", 'asked  No "quotes": #1')
            await seat.press("m", "m", "ctrl+s")
            await seat.shows("customer 1 was changed")

    sit(again)
    assert kept(people) == []
    assert row(people)["city"] == 'No "quotes": #1'
    assert row(people)["phone"] is None


def test_a_text_is_discarded_by_a_key_and_left_by_another(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("edit customer 1")
            await put(seat, "city", "Rome")
            await seat.press("escape")
            await seat.shows("1 of 4")
            assert len(kept(people)) == 1
            await seat.press("e")
            await seat.shows("is back", "Rome")
            await seat.press("ctrl+r")
            await seat.shows("discarded")
            assert kept(people) == []
            await seat.press("ctrl+s")
            await seat.shows("nothing was changed")

    sit(work)
    assert row(people)["version"] == "e1-1"


def test_a_customer_is_added_and_deleted(migrated: Project) -> None:
    async def work() -> None:
        async with seated(migrated) as seat:
            await seat.shows("no customer found")
            await seat.press("a")
            await seat.shows("add a customer")
            await put(seat, "email", "ada@example.com")
            await seat.press("ctrl+s")
            await seat.shows("`first_name` is required")
            await put(seat, "first_name", "Ada")
            await put(seat, "last_name", "Lovelace")
            await seat.press("ctrl+s")
            await seat.shows("customer 1", "e1-1", "active")
            await seat.press("d")
            await seat.shows("delete customer 1 (ada@example.com) from")
            await seat.press("n", "enter")
            await seat.shows("e1-1")
            await seat.press("d")
            await seat.shows("delete customer 1")
            await seat.press("y", "enter")
            await seat.shows("no customer found")

    sit(work)
    history = migrated.ok("customer", "history", "1", "-o", "json").json["items"]
    assert [event["action"] for event in history] == ["add", "delete"]
    assert kept(migrated) == []


def test_a_deletion_in_production_wants_the_profile_s_name(project: Project) -> None:
    project.ok("migrate", "--env", "prod")
    project.ok("customer", "add", "--env", "prod", "--email", "a@example.com", "--first-name", "A", "--last-name", "B")

    async def work() -> None:
        async with seated(project, env="prod") as seat:
            await seat.shows("prod (PRODUCTION)")
            await seat.press("d")
            await seat.shows("type the profile's name, prod, to continue")
            await seat.press("y", "enter")
            await seat.shows("the name does not match; nothing was changed")
            await seat.press("backspace", "'prod", "enter")
            await seat.shows("no customer found")

    sit(work)


def test_read_only_changes_nothing_and_says_why(people: Project) -> None:
    async def work() -> None:
        async with seated(people, read_only="`--read-only` was given", size=(100, 30)) as seat:
            await seat.shows("dev (development, read-only)")
            await seat.hides("e edit")
            for key in "ead":
                await seat.press(key)
                await seat.shows("read-only: `--read-only` was given")
            await seat.press("enter")
            await seat.shows("customer 1")
            await seat.press("e")
            await seat.shows("read-only: `--read-only` was given")

    sit(work)


def test_what_is_typed_for_a_customer_who_was_deleted_does_not_stay(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("edit customer 1")
            await put(seat, "city", "Rome")
            people.ok("customer", "delete", "1", "--yes")
            await put(seat, "city", "Roma")
            await seat.press("ctrl+s")
            await seat.shows("! there is no customer 1")
            assert kept(people) == []
            await put(seat, "city", "Romae")
            assert kept(people) == []

    sit(work)


def test_own_fields_and_odd_characters_are_edited_as_what_they_are(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.press("j", "j", "j", "e")
            await seat.shows("edit customer 4", r"\x1b[31m\u202eMallory")
            # A mark of direction stays one; the escape sequence is taken out.
            await put(seat, "last_name", r"\u202eMallory")
            await seat.press("ctrl+s")
            await seat.shows("customer 4 was changed")

    sit(work)
    assert row(people, 4)["last_name"] == "\u202eMallory"


def test_enter_goes_to_the_next_field_and_writes_nothing(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("edit customer 1")
            await put(seat, "city", "Rome")
            await seat.press("enter")
            await seat.settled()
            assert seat.field("region").has_focus
            await seat.shows("edit customer 1", "1 field changed")

    sit(work)
    assert row(people)["city"] is None


def test_a_form_that_is_left_while_it_is_saved(people: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            held, update = threading.Event(), seat.desk.customers.update
            monkeypatch.setattr(
                seat.desk.customers, "update", lambda *args, **named: held.wait(60) and update(*args, **named)
            )
            await seat.press("e")
            await seat.shows("edit customer 1")
            await put(seat, "city", "Rome")
            await seat.press("ctrl+s")
            await seat.shows("saving")
            await seat.press("escape")
            await seat.shows("1 of 4")
            held.set()
            await seat.until(lambda: kept(people) == [], "the end of the kept edit")
            await seat.settled()
            await seat.press("question_mark")
            await seat.shows("In the list")

    sit(work)
    assert row(people)["city"] == "Rome"


def test_a_conflict_that_is_left_undecided_is_asked_again(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.press("e")
            await seat.shows("edit customer 1")
            await put(seat, "city", "Rome")
            change(people, "UPDATE customer SET city = 'Oslo' WHERE id = 1")
            for _ in range(2):
                await seat.press("ctrl+s")
                await seat.shows("city: undecided", "now    Oslo", "asked  Rome")
                await seat.press("escape")
                await seat.shows("edit customer 1")
            await seat.press("escape")
            await seat.shows("1 of 4")
            await seat.press("e")
            await seat.shows("is back")
            await seat.press("ctrl+s")
            await seat.shows("city: undecided", "now    Oslo", "asked  Rome")

    sit(work)
    assert row(people)["city"] == "Oslo"
