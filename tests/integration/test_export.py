"""`custctl customer export`: what it writes, where, and what it leaves where it is cut off."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from custctl.customers.model import FIELDS
from tests.conftest import ADA, Project
from tests.inside import inside
from tests.integration.rows import finish, query, read_csv, start, with_schema

MANY = 40_000


@pytest.fixture
def ready(project: Project, migrated_file: Path) -> Project:
    return with_schema(project, migrated_file)


@pytest.fixture
def large(ready: Project) -> Project:
    """A database of which an export takes a moment, and more than a pipe holds."""
    connection = ready.database()
    connection.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO customer (email, first_name, last_name, company)"
        " SELECT 'c' || i || '@example.com', 'First', 'Last', 'Company ' || i FROM n",
        (MANY,),
    )
    connection.close()
    return ready


def test_columns_in_order_as_csv_unless_asked_otherwise(ready: Project) -> None:
    ready.ok("customer", "add", *ADA, "--phone", "+44 20", "--company", 'A, "B"', "--city", "Zürich")
    added = ready.ok("customer", "get", "1", "-o", "json").json
    for flags in ((), ("-o", "csv"), ("-o", "auto")):
        out = ready.ok("customer", "export", *flags).out
        header, row = csv.reader(io.StringIO(out))
        assert header == list(FIELDS)
        assert row == [
            "1", "ada@example.com", "Ada", "Lovelace", "'+44 20", 'A, "B"', "", "Zürich", "", "", "", "active",
            added["version"], added["created_at"], added["updated_at"],
        ]  # fmt: skip
        assert out.endswith("\n")
        assert "\r" not in out
    line = ready.ok("customer", "export", "-o", "jsonl").out
    assert list(json.loads(line)) == list(FIELDS)
    assert json.loads(line) == added
    assert read_csv(ready.ok("customer", "export", "--raw").out)[0]["phone"] == "+44 20"


def test_rows_that_cannot_be_read_leave_nothing_behind(ready: Project) -> None:
    connection = ready.database()
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("DROP TABLE customer")
    connection.close()
    done = ready.run("customer", "export")
    assert done.code != 0
    assert done.out == ""
    assert "no such table" in done.err


def test_rows_are_ordered_by_id(ready: Project) -> None:
    for number in (3, 1, 2):
        ready.ok("customer", "add", "--email", f"{number}@example.com", "--first-name", "A", "--last-name", "B")
    ready.ok("customer", "update", "1", "--city", "Rome")
    assert [row["email"][0] for row in read_csv(ready.ok("customer", "export").out)] == ["3", "1", "2"]


@pytest.mark.parametrize("chosen", ["json", "table", "tsv", "yaml"])
def test_other_formats_are_refused_and_leave_no_file(ready: Project, chosen: str) -> None:
    for flags in ((), ("--output-file", "out")):
        result = ready.run("customer", "export", "-o", chosen, *flags)
        assert (result.code, result.out) == (2, "")
        assert "-o jsonl" in result.err
    assert sorted(path.name for path in ready.path.iterdir() if not path.name.startswith("dev.db")) == ["profiles"]


def test_an_empty_table_is_a_header_or_nothing(ready: Project) -> None:
    assert ready.ok("customer", "export").out == ",".join(FIELDS) + "\n"
    assert ready.ok("customer", "export", "-o", "jsonl").out == ""


def test_without_a_schema_nothing_is_exported(project: Project) -> None:
    result = project.run("customer", "export", "--output-file", "out.csv")
    assert (result.code, result.out) == (8, "")
    assert not (project.path / "out.csv").exists()


# -- into a file -----------------------------------------------------------------------------------


def test_into_a_file_of_its_owner_alone(ready: Project) -> None:
    ready.ok("customer", "add", *ADA)
    out = ready.path / "out.csv"
    out.write_text("what was there before")
    result = ready.ok("customer", "export", "--output-file", "out.csv")
    assert result.out == ""
    assert "1 customer was exported to `out.csv`" in result.err
    assert out.read_text() == ready.ok("customer", "export").out
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not list(ready.path.glob(".*"))


def test_into_a_file_whose_name_is_as_long_as_the_system_allows(ready: Project) -> None:
    path = ready.path / f"{'客' * 83}.csv"
    ready.ok("customer", "export", "--output-file", str(path))
    assert path.read_text().startswith("id,email,")


def test_a_link_is_followed_and_a_device_written_to(ready: Project) -> None:
    ready.ok("customer", "add", *ADA)
    (ready.path / "real.csv").write_text("")
    (ready.path / "link.csv").symlink_to("real.csv")
    ready.ok("customer", "export", "--output-file", "link.csv")
    assert (ready.path / "link.csv").is_symlink()
    assert "ada@example.com" in (ready.path / "real.csv").read_text()
    ready.ok("customer", "export", "--output-file", "/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert "ada@example.com" in ready.ok("customer", "export", "--output-file", "/dev/stdout").out


@pytest.mark.parametrize(("place", "code"), [("missing/out.csv", 2), ("profiles", 2), ("/dev/full", 3)])
def test_a_place_that_cannot_be_written_is_told(ready: Project, place: str, code: int) -> None:
    ready.ok("customer", "add", *ADA)
    result = ready.run("customer", "export", "--output-file", place)
    assert (result.code, "cannot write" in result.err) == (code, True), result.err
    assert ("hint: free some disk space" in result.err) == (place == "/dev/full")


def test_a_name_that_promises_another_format_is_refused(ready: Project) -> None:
    ready.ok("customer", "add", *ADA)
    for name in ("x.xlsx", "x.json", "x.csv.gz", "X.TSV"):
        result = ready.run("customer", "export", "--output-file", name)
        assert (result.code, (ready.path / name).exists()) == (2, False)
        assert "would hold csv or jsonl" in result.err
    ready.ok("customer", "export", "--output-file", "x.xlsx", "-o", "csv")
    assert ready.run("customer", "export", "--who", "1", "--output-file", "held.csv").code == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_cut_off_in_between_it_leaves_what_was_there(large: Project, number: signal.Signals) -> None:
    out = large.path / "out.csv"
    for _ in range(10):
        out.write_text("what was there before")
        process = start(large, large.command("customer", "export", "--output-file", "out.csv", "-o", "jsonl"))
        while not any(part.stat().st_size for part in large.path.glob(".out.csv.*")):
            assert process.poll() is None
            time.sleep(0.0005)
        process.send_signal(number)
        code, _, err = finish(process)
        if code != 0:
            break  # it was not done before the signal came
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number], err
    assert out.read_text() == "what was there before"
    if number is not signal.SIGKILL:
        assert not list(large.path.glob(".out.csv.*"))
    large.ok("customer", "export", "--output-file", "out.csv")
    assert out.read_text().count("\n") == MANY + 1


# -- into a pipe -----------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", ["csv", "jsonl"])
def test_a_reader_that_closes_the_pipe_ends_it_quietly(large: Project, chosen: str) -> None:
    command = " ".join(large.command("customer", "export", "-o", chosen))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1"],
        cwd=large.path, env=large.environ, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize("chosen", ["csv", "jsonl"])
def test_an_export_is_one_state_while_others_write(large: Project, chosen: str) -> None:
    process = start(large, large.command("customer", "export", "-o", chosen))
    assert process.stdout is not None
    begun = process.stdout.read(5000)
    writer = large.database()
    writer.execute("UPDATE customer SET company = 'changed'")
    writer.execute("DELETE FROM customer WHERE id > 30000")
    writer.execute("INSERT INTO customer (email, first_name, last_name) VALUES ('new@example.com', 'N', 'W')")
    writer.close()
    text = (begun + process.stdout.read()).decode()
    assert finish(process)[0] == 0
    rows = read_csv(text) if chosen == "csv" else [json.loads(line) for line in text.splitlines()]
    assert [row["company"] for row in rows] == [f"Company {number}" for number in range(1, MANY + 1)]
    assert query(large, "SELECT count(*) FROM customer") == [(30_001,)]


def test_progress_is_on_stderr_alone(large: Project) -> None:
    import pexpect

    command = " ".join(large.command("customer", "export"))
    terminal = pexpect.spawn(
        "/bin/sh", ["-c", f"{command} > out.csv"], cwd=str(large.path), env={**large.environ, "TERM": "xterm"},
        encoding="utf-8", timeout=60,
    )  # fmt: skip
    seen = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 0
    assert "exporting" in seen
    text = (large.path / "out.csv").read_text()
    assert "\x1b" not in text
    assert text.count("\n") == MANY + 1


def test_a_file_is_on_the_disk_before_it_takes_its_name(migrated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project = inside(migrated, migrate=False)
    project.ok("customer", "add", *ADA)
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        # All of it is written, and its name is not taken yet.
        if "part" in os.readlink(f"/proc/self/fd/{descriptor}"):
            synced.append(os.fstat(descriptor).st_size)
            assert not (project.path / "out.csv").exists()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    project.ok("customer", "export", "--output-file", "out.csv")
    assert synced == [(project.path / "out.csv").stat().st_size]
