"""Finding and reading customers in the browser, on a real SQLite database."""

from __future__ import annotations

import asyncio
import base64
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from custctl.cli.browser.desk import Notes
from custctl.cli.browser.widgets import Keys
from tests.browser.support import seated, sit
from tests.conftest import Project, make_project

PEOPLE = (
    ("ada@example.com", "Ada", "Lovelace", "active", "United Kingdom", "+44 20 7946 0000"),
    ("grace@example.com", "Grace", "Hopper", "suspended", "United States", None),
    ("nikos@example.com", "Νίκος", "Θεοδοσίου", "active", "Greece", None),
    ("evil@example.com", "[red]Eve[/red]", "\x1b[31m\u202eMallory", "closed", "United States", None),
)


def fill(project: Project, more: int = 0) -> None:
    """Add the people, and as many others as are wanted, behind custctl's back."""
    database = project.database()
    with database:
        insert = "INSERT INTO customer (email, first_name, last_name, status, country, phone) VALUES (?, ?, ?, ?, ?, ?)"
        database.executemany(insert, PEOPLE)
        rows = ((f"c{n:05}@example.org", "Some", f"Body {n:05}", "active", "Austria", None) for n in range(more))
        database.executemany(insert, rows)
    database.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Project:
    """A project with a thousand customers, which no test changes."""
    project = make_project(tmp_path_factory.mktemp("many"))
    shutil.copy(migrated_file, project.path / "dev.db")
    fill(project, 1000)
    return project


def test_the_list_names_the_database_and_moves_by_keys_and_wheel(many: Project) -> None:
    async def work() -> None:
        async with seated(many) as seat:
            assert seat.lines[0].startswith(f" dev (development): sqlite {many.path}"[:70])
            await seat.shows("ada@example.com", "1 of …", "q quit")
            await seat.press("j", "down", "k")
            await seat.shows("2 of …")
            await seat.press("pagedown")
            await seat.shows("20 of …")
            while "1,004 of 1,004" not in seat.text:
                await seat.press("end")
                await seat.settled()
            await seat.shows("1,004 of 1,004", "c00999@example.org")
            await seat.press("g")
            await seat.shows("1 of …", "ada@example.com")

    sit(work)


def test_a_search_is_done_while_it_is_typed_and_leaves_the_list_where_it_was(many: Project) -> None:
    async def work() -> None:
        async with seated(many) as seat:
            await seat.press("pagedown", "j")
            await seat.shows("20 of …")
            await seat.press("slash", "'hop")
            await seat.shows("1 of 1", "grace@example.com", "search: hop")
            await seat.hides("ada@example.com")
            await seat.press("x")
            await seat.shows("no customer found")
            await seat.press("escape", "escape")
            await seat.shows("20 of …", "sort: id")

    sit(work)


def test_a_search_without_results_says_what_may_have_been_meant(many: Project) -> None:
    async def work() -> None:
        async with seated(many) as seat:
            await seat.press("slash", "'hoppr")
            await seat.shows("search: hoppr", "no customer found, did you mean `Hopper`?")
            await seat.press("backspace", "'x")
            await seat.shows("search: hoppx", "no customer found")
            await seat.press("backspace", "backspace")
            await seat.shows("1 of 1", "grace@example.com")
            await seat.hides("did you mean")

    sit(work)


def test_a_search_that_ignores_a_title_says_so(many: Project) -> None:
    async def work() -> None:
        async with seated(many) as seat:
            await seat.press("slash", "'dr hop")
            await seat.shows("1 of 1", "grace@example.com", "search: dr hop   no exact match")
            await seat.press(*["backspace"] * 6, "'hop")
            await seat.shows("1 of 1", "search: hop")
            await seat.hides("no exact match")

    sit(work)


def test_a_list_is_sorted_and_filtered_as_by_the_command(many: Project) -> None:
    async def work() -> None:
        async with seated(many) as seat:
            await seat.press("s", "j", "enter")
            await seat.shows("email ↑", "sort: email")
            await seat.press("S")
            await seat.shows("sort: -email", "nikos@example.com")
            await seat.press("f", "'suspended", "enter")
            await seat.shows("1 of 1", "grace@example.com", "filter: status=suspended")
            await seat.press("f", *["backspace"] * 9, "tab", "'Greece", "tab", "'phone?", "enter")
            await seat.shows("no customer found", "country=Greece, phone?")
            await seat.press("f", "tab", "tab", "'nix=3", "enter")
            await seat.shows("! ")

    sit(work)


def test_a_record_and_its_history_are_shown_and_copied(many: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with seated(many) as seat:
            written: list[str] = []
            assert seat.app._driver is not None
            monkeypatch.setattr(seat.app._driver, "write", written.append)
            await seat.press("enter")
            await seat.shows("customer 1", "phone", "+44 20 7946 0000", "e1-1")
            await seat.press("j", "c")
            await seat.shows("copied `email`: 15 characters")
            assert f"\x1b]52;c;{base64.b64encode(b'ada@example.com').decode()}\x07" in written
            await seat.press("h")
            await seat.shows("history of customer 1")
            await seat.press("escape")
            await seat.press("escape")
            await seat.shows("1 of …")

    sit(work)


def test_nothing_in_the_database_steers_the_screen(many: Project) -> None:
    async def work() -> None:
        async with seated(many, size=(120, 24)) as seat:
            await seat.shows(r"\x1b[31m\u2", "[red]Eve")
            await seat.press("j", "j", "j", "enter")
            await seat.shows(r"\x1b[31m\u202eMallory", "[red]Eve[/red]")

    sit(work)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (200, 50)], ids=str)
def test_a_resize_keeps_the_place(many: Project, size: tuple[int, int]) -> None:
    async def work() -> None:
        async with seated(many) as seat:
            await seat.press(*["pagedown"] * 3, "j")
            await seat.shows("56 of …")
            await seat.pilot.resize_terminal(*size)
            await seat.until(lambda: len(seat.lines) == size[1])
            await seat.shows("56 of …", "c00051@example", "q quit")
            assert max(map(len, seat.lines)) <= size[0]

    sit(work)


def test_a_change_from_elsewhere_is_seen_when_it_is_read_again(people: Project) -> None:
    async def work() -> None:
        async with seated(people) as seat:
            await seat.shows("Lovelace")
            with closing(sqlite3.connect(people.path / "dev.db")) as other, other:
                other.execute("UPDATE customer SET last_name = 'King' WHERE id = 1")
            await seat.press("r")
            await seat.shows("King")

    sit(work)


@pytest.mark.parametrize(("key", "read"), [("enter", "get"), ("h", "history")])
def test_an_answer_that_comes_while_its_screen_closes(
    people: Project, key: str, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing_screen = threading.Event()

    async def on_unmount(_: Keys) -> None:
        closing_screen.set()
        await asyncio.sleep(0.3)  # the other widgets are gone by now

    async def work() -> None:
        async with seated(people) as seat:
            answer = getattr(seat.desk.customers, read)
            monkeypatch.setattr(seat.desk.customers, read, lambda who: closing_screen.wait(60) and answer(who))
            monkeypatch.setattr(Keys, "on_unmount", on_unmount, raising=False)
            with closing(sqlite3.connect(people.path / "dev.db")) as other, other:
                other.execute("UPDATE customer SET last_name = 'King' WHERE id = 1")
            await seat.press(key, "escape")
            await seat.shows("1 of 4")
            await seat.settled()

    sit(work)


def test_a_warning_names_the_environment_in_its_hint() -> None:
    notes = Notes(lambda hint: hint.replace("custctl", "custctl --env prod"))
    notes.warn("the cache does not answer", "`custctl doctor` shows why")
    assert notes.last == "the cache does not answer (`custctl --env prod doctor` shows why)"
