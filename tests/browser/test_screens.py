"""The screens that the documentation shows are those of the program."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.browser.support import seated, sit
from tests.browser.test_editing import put
from tests.conftest import REPOSITORY, Project, make_project

PAGE = REPOSITORY / "docs" / "browse.md"
SCREEN = re.compile(r"<!-- screen: ?(.*?) ?-->\n```text\n(.*?)```", re.DOTALL)

PEOPLE = (
    (
        "ada.lovelace@example.com",
        "Ada",
        "Lovelace",
        "+44 20 7946 0000",
        "Analytical Engines",
        "United Kingdom",
        "active",
    ),
    ("grace@example.com", "Grace", "Hopper", None, "Eckert–Mauchly", "United States", "active"),
    ("graca.goncalves@example.com", "Graça", "Gonçalves", "+351 21 000 0000", None, "Portugal", "suspended"),
    ("jose@example.com", "José", "Núñez", None, "Núñez e Hijos", "Spain", "active"),
    ("zoe@example.com", "Zoë", "Łukasiewicz", "+48 22 000 00 00", None, "Poland", "closed"),
)
THEN = "2026-11-02T09:30:00.000Z"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Project:
    project = make_project(tmp_path_factory.mktemp("office"))
    shutil.copy(migrated_file, project.path / "dev.db")
    with closing(sqlite3.connect(project.path / "dev.db")) as database, database:
        database.executemany(
            "INSERT INTO customer (email, first_name, last_name, phone, company, country, status, created_at, updated_at)"
            f" VALUES (?, ?, ?, ?, ?, ?, ?, '{THEN}', '{THEN}')",
            PEOPLE,
        )
    return project


@pytest.mark.parametrize("number", range(len(SCREEN.findall(PAGE.read_text()))))
def test_a_screen_of_the_documentation_is_the_program_s(office: Project, number: int) -> None:
    keys, shown = SCREEN.findall(PAGE.read_text())[number]
    seen: list[str] = []

    async def work() -> None:
        async with seated(office, size=(80, 20), location="sqlite customers.db") as seat:
            for key in keys.split():
                await seat.press(key)
                await seat.settled()
            seen.extend(seat.lines)

    sit(work)
    text = "\n".join(seen) + "\n"
    if os.environ.get("CUSTCTL_UPDATE_GOLDEN"):
        page = PAGE.read_text()
        found = list(SCREEN.finditer(page))[number]
        PAGE.write_text(page[: found.start(2)] + text + page[found.end(2) :])
    else:
        assert text == shown, "run this test with CUSTCTL_UPDATE_GOLDEN=1, and read what it changed"


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
def test_a_long_question_and_a_long_fault_are_shown_whole(office: Project, size: tuple[int, int]) -> None:
    location = "sqlite /srv/departments/customers.db in the archive of the department of the north, the second one"

    async def work() -> None:
        async with seated(office, size=size, location=location) as seat:
            await seat.press("d")
            await seat.shows("delete customer 1")
            assert f"delete customer 1 (ada.lovelace@example.com) from {location}?" in " ".join(seat.text.split())
            await seat.press("escape", "e")
            await seat.shows("edit customer 1")
            await put(seat, "email", "nope")
            await put(seat, "first_name", "")
            await seat.press("ctrl+s")
            await seat.shows("! 2 fields are not valid")
            assert "must have an @-sign; `first_name` is required" in " ".join(seat.text.split())

    sit(work)


def test_the_help_fits_a_screen_of_80_columns(office: Project) -> None:
    async def work() -> None:
        async with seated(office, size=(80, 40), location="sqlite") as seat:
            await seat.press("question_mark")
            await seat.shows("In the list", "this help")
            assert "…" not in seat.text

    sit(work)
