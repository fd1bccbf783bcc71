"""What is cut off in between: a reader that goes away, rows that nobody fetches, a signal beside a commit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.behaviours.support import Place

MANY = 2_000  # rows: more than a pipe holds


@pytest.fixture(scope="module")
def many(shared: Place) -> Place:
    """A database with more customers than fit into a pipe."""
    shared.ok("seed", "--customers", str(MANY))
    return shared


@pytest.mark.parametrize(
    "command",
    [
        ("customer", "export"),
        ("customer", "export", "-o", "jsonl"),
        ("customer", "list", "--limit", "0"),
        ("customer", "list", "--limit", "0", "-o", "csv"),
    ],
    ids="-".join,
)
def test_a_reader_that_goes_away_ends_a_command_quietly(many: Place, command: tuple[str, ...]) -> None:
    process = many.start(*command)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_a_connection_serves_on_after_a_stream_that_nobody_read_to_its_end(many: Place) -> None:
    database = many.open()
    try:
        for _ in range(2):
            with database.reading(snapshot=True) as connection:
                for _ in range(2):
                    rows: Iterator[object] = connection.run_stream("customer.export", 10, after=0, prefix="")
                    assert next(rows)
                    rows.close()  # type: ignore[attr-defined]
                    assert connection.run("customer.count").scalar() == MANY
                # One that is left as it is, and its connection with it.
                assert next(connection.run_stream("customer.export", 10, after=0, prefix=""))
    finally:
        database.close()


@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
@pytest.mark.parametrize(("when", "told"), [("before", "nothing was written"), ("after", "the change was committed")])
def test_a_signal_beside_a_commit_is_told_with_what_became_of_it(
    shared: Place, when: str, told: str, number: str, code: int
) -> None:
    email = f"{when}.{number}@example.com".lower()
    added = ("customer", "add", "--email", email, "--first-name", "F", "--last-name", "L")
    done = subprocess.run(
        [sys.executable, "-m", "tests.behaviours.interrupted", when, number, *added],
        cwd=shared.path,
        env=shared.environ,
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert f"error: interrupted; {told}" in done.stderr
    assert shared.count("customer", f"email = {shared.literal(email)}") == (when == "after")
    if when == "after":
        # The hint shows it.
        operation = done.stderr.split("--operation ")[1].split("`")[0].split()[0]
        assert [row["action"] for row in shared.items("audit", "list", "--operation", operation)] == ["add"]
    else:
        shared.ok(*added)
