"""A second writer that commits between an import's look-up and its insert: each row of the file is counted once."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.behaviours.support import Place
from tests.integration.rows import numbered, write_csv

HEADER = ("email", "first_name", "last_name")
COUNTS = ("rows", "inserted", "updated", "unchanged", "skipped", "rejected")


@contextlib.contextmanager
def before_the_insert(place: Place, work: Callable[[], None]) -> Iterator[list[str]]:
    """Let somebody else work once, when the batch is staged and looked up, and is about to be inserted.

    Yields:
        `done`, or why it could not be done then.
    """
    stage: Any = importlib.import_module(f"custctl.engines.{place.engine}.bulk")._Stage
    insert, outcome = stage.insert, list[str]()

    def held(self: Any, *arguments: Any, **options: Any) -> Any:
        if not outcome:
            outcome.append("refused")
            with contextlib.suppress(sqlite3.OperationalError):
                work()
                outcome[0] = "done"
        return insert(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "insert", held)
        yield outcome


def run(place: Place, statement: str) -> None:
    """Run a statement as another client, which does not wait for a lock on a file."""
    if place.engine != "sqlite":
        place.sql(statement)
        return
    with contextlib.closing(sqlite3.connect(place.path / "dev.db", isolation_level=None, timeout=0)) as connection:
        connection.execute(statement)


# The counts where the other writer came in between, and where it could not: a file has one writer at a time.
@pytest.mark.parametrize(
    ("kind", "between", "alone"),
    [
        ("fail", (4, 3, 0, 0, 0, 1), (4, 4, 0, 0, 0, 0)),
        ("skip", (4, 3, 0, 0, 1, 0), (4, 4, 0, 0, 0, 0)),
        ("update", (4, 3, 1, 0, 0, 0), (4, 4, 0, 0, 0, 0)),
    ],
)
def test_a_key_that_another_commits_meanwhile_is_counted(
    migrated: Place, kind: str, between: tuple[int, ...], alone: tuple[int, ...]
) -> None:
    place = migrated
    given: list[tuple[str, str, str]] = numbered(4)
    write_csv(place.path / "in.csv", HEADER, given)
    taken = place.literal(given[2][0])
    names = f"{place.literal('Other')}, {place.literal('Writer')}"
    other = f"INSERT INTO customer (email, first_name, last_name) VALUES ({taken}, {names})"
    with before_the_insert(place, lambda: run(place, other)) as outcome:
        result = place.run("customer", "import", "in.csv", "--on-conflict", kind, "-o", "json")
    assert outcome == ["refused" if place.engine == "sqlite" else "done"]
    expected = alone if outcome == ["refused"] else between
    assert tuple(result.json[name] for name in COUNTS) == expected, result.err
    assert result.code == (10 if expected[-1] else 0)
    held = {row["email"]: row["first_name"] for row in place.items("customer", "list", "--limit", "0")}
    lost = expected[4] or expected[5]
    assert held == {email: "Other" if lost and number == 2 else name for number, (email, name, _) in enumerate(given)}
    place.ok("audit", "verify")


def test_a_key_that_another_deletes_meanwhile_is_counted(migrated: Place) -> None:
    place = migrated
    given: list[tuple[str, str, str]] = numbered(4)
    write_csv(place.path / "in.csv", HEADER, given)
    place.insert([{"email": given[1][0], "first_name": "Other", "last_name": "Writer"}])
    other = f"DELETE FROM customer WHERE email = {place.literal(given[1][0])}"
    with before_the_insert(place, lambda: run(place, other)) as outcome:
        done = place.json("customer", "import", "in.csv", "--on-conflict", "skip")
    expected = (4, 3, 0, 0, 1, 0) if outcome == ["refused"] else (4, 4, 0, 0, 0, 0)
    assert tuple(done[name] for name in COUNTS) == expected
    assert place.count("customer") == 4
