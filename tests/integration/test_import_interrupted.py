"""Imports that are killed, interrupted or run at the same time: no row lost, none doubled, rejects complete."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project
from tests.integration.rows import (
    audit_rows,
    customers,
    emails,
    finish,
    numbered,
    query,
    read_csv,
    small_batches,
    start,
    with_schema,
    write_csv,
    write_jsonl,
)

NAMES = ("email", "first_name", "last_name")
OPERATION = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def ready(project: Project, migrated_file: Path) -> Project:
    return with_schema(project, migrated_file)


def mixed(count: int) -> list[tuple[str, str, str]]:
    """Return rows of which every seventh is bad and every eleventh has the email of the one before."""
    rows: list[tuple[str, str, str]] = []
    for number in range(count):
        if number % 7 == 3:
            rows.append((f"bad {number}", "B", "D"))
        elif number % 11 == 10:
            rows.append((rows[-1][0], "Twice", str(number)))
        else:
            rows.append((f"c{number}@example.com", f"F{number}", f"L{number}"))
    return rows


def is_bad(row: tuple[str, str, str]) -> bool:
    return row[0].startswith("bad")


def check_complete(project: Project, rows: Sequence[tuple[str, str, str]], mode: str) -> None:
    """Look at the table and the audit after the import has come to its end, however often it was begun."""
    kept: dict[str, str] = {}
    for email, first_name, _ in rows:
        if "@" in email and (mode == "update" or email not in kept):
            kept[email] = first_name
    assert dict(customers(project, "email", "first_name")) == kept
    entries = audit_rows(project)
    assert [entry["part"] for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry["detail"]["done"] for entry in entries] == [False] * (len(entries) - 1) + [True]
    totals = entries[-1]["detail"]["totals"]
    assert totals["rows"] == len(rows)
    for name in ("inserted", "updated"):
        assert sum(entry["detail"][name] for entry in entries) == totals[name]
    assert totals["inserted"] == len(kept)
    ends = [
        (entry["detail"]["first_line"], entry["detail"]["last_line"])
        for entry in entries
        if entry["detail"]["first_line"]
    ]
    assert ends[0][0] <= 2
    assert all(after[0] == before[1] + 1 for before, after in pairwise(ends))
    assert query(project, "SELECT name FROM custctl_metadata WHERE name LIKE 'import/%'") == []
    project.ok("audit", "verify")


@pytest.mark.parametrize(("mode", "chosen"), [("fail", "csv"), ("skip", "jsonl"), ("update", "csv")])
def test_killed_at_random_moments_and_run_again_until_it_is_done(ready: Project, mode: str, chosen: str) -> None:
    moments = random.Random(f"{mode} {chosen}")
    rows = mixed(400)
    if chosen == "csv":
        file = write_csv(ready.path / "in.csv", NAMES, rows)
    else:
        file = write_jsonl(ready.path / "in.jsonl", [dict(zip(NAMES, row, strict=True)) for row in rows])
    rejects = ready.path / f"rejects.{chosen}"
    arguments = ("customer", "import", file, "--on-conflict", mode, "--rejects", rejects, "-o", "json")
    looking = ready.database()
    killed = 0
    while True:
        before = looking.execute("SELECT count(*) FROM customer_audit").fetchone()[0]
        wanted = before + moments.randrange(6)
        process = start(ready, small_batches(ready, 8, *arguments))
        if killed < 8:
            while process.poll() is None:
                if looking.execute("SELECT count(*) FROM customer_audit").fetchone()[0] >= wanted:
                    time.sleep(moments.random() * (0.5 if wanted == before else 0.01))
                    process.kill()
                    break
                time.sleep(0.001)
        code, out, err = finish(process)
        # Killed behind the last commit, it has done all: run again, it would begin a new import of the same file.
        if code != -signal.SIGKILL or any(entry["detail"]["done"] for entry in audit_rows(ready)):
            break
        killed += 1
    assert code in (10, -signal.SIGKILL), err
    assert killed >= 4
    assert code != 10 or json.loads(out)["rows"] == 400
    check_complete(ready, rows, mode)
    first_line = 2 if chosen == "csv" else 1
    expected = [
        number + first_line
        for number, row in enumerate(rows)
        if is_bad(row) or (mode == "fail" and number % 11 == 10 and not is_bad(rows[number - 1]))
    ]
    if chosen == "csv":
        lines = [int(row["_line"]) for row in read_csv(rejects.read_text())]
    else:
        lines = [json.loads(line)["_line"] for line in rejects.read_text().splitlines()]
    assert lines == expected
    assert rejects.read_text().count("_line") == (1 if chosen == "csv" else len(expected))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("batch", [1, 3, 5])
def test_killed_around_a_commit(ready: Project, when: str, batch: int) -> None:
    rows = mixed(48)
    file, rejects = write_csv(ready.path / "in.csv", NAMES, rows), ready.path / "rejects.csv"
    arguments = ("customer", "import", file, "--on-conflict", "skip", "--rejects", rejects)
    code, _, _ = finish(start(ready, small_batches(ready, 10, *arguments, signal=f"{batch} {when} SIGKILL")))
    assert code == -signal.SIGKILL
    done = batch - (when == "before")
    assert len(audit_rows(ready)) == done
    code, _, err = finish(start(ready, small_batches(ready, 10, *arguments)))
    assert code == 10, err
    if batch < 5 or when == "before":
        assert (f"resumed after row {done * 10}" in err) == (done > 0)
        check_complete(ready, rows, "skip")
    assert [int(row["_line"]) for row in read_csv(rejects.read_text())] == [
        number + 2 for number, row in enumerate(rows) if is_bad(row)
    ]


@pytest.mark.parametrize(("name", "expected"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupted_import_reports_what_it_committed(ready: Project, name: str, expected: int, when: str) -> None:
    rows = mixed(100)
    file, rejects = write_csv(ready.path / "in.csv", NAMES, rows), ready.path / "rejects.csv"
    arguments = ("customer", "import", file, "--on-conflict", "skip", "--rejects", rejects, "-o", "json")
    code, out, err = finish(start(ready, small_batches(ready, 10, *arguments, signal=f"4 {when} {name}")))
    assert (code, out) == (expected, "")
    error = json.loads(err.splitlines()[-1])["error"]
    assert error["code"] == "interrupted"
    (inserted,) = query(ready, "SELECT count(*) FROM customer")[0]
    totals = audit_rows(ready)[-1]["detail"]["totals"]
    assert totals["inserted"] == inserted
    assert f"{totals['rows']} rows processed and committed: {inserted} inserted" in error["message"]
    assert totals["rows"] == (30 if when == "before" else 40)
    # What did not commit is in no file.
    assert len(read_csv(rejects.read_text())) == totals["rejected"]
    assert finish(start(ready, small_batches(ready, 10, *arguments)))[0] == 10
    check_complete(ready, rows, "skip")


def test_an_interrupted_dry_run_has_written_nothing(ready: Project) -> None:
    file = write_csv(ready.path / "in.csv", NAMES, numbered(400_000))
    process = start(ready, ready.command("customer", "import", file, "--dry-run"))
    while not _has_open(process, file):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process)
    assert code == 143
    assert "interrupted" in err
    assert emails(ready) == []


def _has_open(process: subprocess.Popen[bytes], file: Path) -> bool:
    """Tell whether a process has a file open."""
    held = Path(f"/proc/{process.pid}/fd")
    return any(each.is_symlink() and each.resolve() == file.resolve() for each in held.iterdir())


@pytest.mark.parametrize("change", ["file", "mode", "mapping", "raw"])
def test_another_file_or_other_options_do_not_go_on(ready: Project, change: str) -> None:
    rows = [(*row, "X") for row in numbered(40)]
    file = write_csv(ready.path / "in.csv", (*NAMES, "note"), rows)
    command = ["customer", "import", str(file), "-o", "json"]
    finish(start(ready, small_batches(ready, 10, *command, signal="2 after SIGKILL")))
    assert len(emails(ready)) == 20
    if change == "file":
        write_csv(file, (*NAMES, "note"), [*rows, ("new@example.com", "N", "N", "X")])
    command += {"mode": ["--on-conflict", "skip"], "mapping": ["--map", "city=note"], "raw": ["--raw"]}.get(change, [])
    code, out, err = finish(start(ready, small_batches(ready, 10, *command)))
    assert "went on" not in err
    outcome = json.loads(out)
    assert outcome["rows"] == (41 if change == "file" else 40)
    assert outcome["skipped" if change == "mode" else "rejected"] == 20
    assert code == (0 if change == "mode" else 10)


def test_the_same_bytes_under_another_name_go_on(ready: Project) -> None:
    file = write_csv(ready.path / "in.csv", NAMES, numbered(40))
    finish(start(ready, small_batches(ready, 10, "customer", "import", file, signal="2 after SIGKILL")))
    moved = file.rename(ready.path / "moved.csv")
    result = ready.ok("customer", "import", moved)
    assert "resumed after row 20" in result.err
    assert len(emails(ready)) == 40


def test_rejects_of_an_earlier_run_that_are_not_there_are_a_warning(ready: Project) -> None:
    rows = mixed(48)
    file, rejects = write_csv(ready.path / "in.csv", NAMES, rows), ready.path / "rejects.csv"
    arguments = ("customer", "import", file, "--on-conflict", "skip")
    finish(start(ready, small_batches(ready, 10, *arguments, signal="2 after SIGKILL")))
    code, _, err = finish(start(ready, small_batches(ready, 10, *arguments, "--rejects", rejects)))
    assert code == 10
    assert "warning: 3 rows that an earlier run rejected are not in" in err
    lines = [int(row["_line"]) for row in read_csv(rejects.read_text())]
    assert lines == [number + 2 for number, row in enumerate(rows) if is_bad(row)][3:]


def test_a_run_without_rejects_in_between_keeps_what_was_there(ready: Project) -> None:
    rows = mixed(48)
    file, rejects = write_csv(ready.path / "in.csv", NAMES, rows), ready.path / "rejects.csv"
    arguments = ("customer", "import", file, "--on-conflict", "skip")
    kept = ("--rejects", rejects)
    finish(start(ready, small_batches(ready, 10, *arguments, *kept, signal="2 after SIGKILL")))
    finish(start(ready, small_batches(ready, 10, *arguments, signal="1 after SIGKILL")))
    finish(start(ready, small_batches(ready, 10, *arguments, *kept)))
    lines = [int(row["_line"]) for row in read_csv(rejects.read_text())]
    bad = [number + 2 for number, row in enumerate(rows) if is_bad(row)]
    assert lines == [line for line in bad if not 22 <= line < 32]


# -- at the same time ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [7, 10_000])
def test_imports_of_one_file_at_once_double_no_row(ready: Project, size: int) -> None:
    rows = mixed(300)
    file, rejects = write_csv(ready.path / "in.csv", NAMES, rows), ready.path / "rejects.csv"
    arguments = ("customer", "import", file, "--on-conflict", "skip", "--rejects", rejects, "-o", "json")
    ended = [finish(process) for process in [start(ready, small_batches(ready, size, *arguments)) for _ in range(4)]]
    for code, _, err in ended:
        assert code in (5, 10), err
        assert "Traceback" not in err
        assert "unexpected" not in err
        if code == 5:
            assert json.loads(err.splitlines()[-1])["error"]["message"].startswith(
                "another process is importing this file"
            )
    assert any(code == 10 for code, _, _ in ended)
    assert len(emails(ready)) == len({row[0] for row in rows if not is_bad(row)})
    lines = [int(row["_line"]) for row in read_csv(rejects.read_text())]
    assert lines == [number + 2 for number, row in enumerate(rows) if is_bad(row)]
    assert sum(entry["detail"]["inserted"] for entry in audit_rows(ready)) == len(emails(ready))
    ready.ok("audit", "verify")


def test_one_that_overtakes_another_stops_it(ready: Project) -> None:
    file = write_csv(ready.path / "in.csv", NAMES, numbered(30))
    arguments = ("customer", "import", file)
    stopped = start(ready, small_batches(ready, 10, *arguments, signal="1 after SIGSTOP"))
    assert os.WIFSTOPPED(os.waitpid(stopped.pid, os.WUNTRACED)[1])
    overtaking = ready.ok(*arguments)
    assert "resumed after row 10" in overtaking.err
    stopped.send_signal(signal.SIGCONT)
    code, _, err = finish(stopped)
    assert code == 5
    assert "another process is importing this file" in err
    assert len(emails(ready)) == 30


def test_the_same_operation_at_once_is_applied_once_and_all_answer_alike(ready: Project) -> None:
    file = write_csv(ready.path / "in.csv", NAMES, numbered(500))
    command = ready.command("customer", "import", file, "--operation-id", OPERATION, "-o", "json")
    ended = [finish(process) for process in [start(ready, command) for _ in range(5)]]
    assert [code for code, _, _ in ended] == [0] * 5, [err for _, _, err in ended]
    assert {json.loads(out)["inserted"] for _, out, _ in ended} == {500}
    assert len(audit_rows(ready)) == 1
    assert len(emails(ready)) == 500


@pytest.mark.parametrize("size", [10, 10_000])
def test_one_operation_that_overtakes_itself_answers_with_the_outcome(ready: Project, size: int) -> None:
    file = write_csv(ready.path / "in.csv", NAMES, mixed(30))
    rejects = ("--rejects", ready.path / "rejects.csv")
    command = ("customer", "import", file, "--operation-id", OPERATION, "-o", "json", *rejects)
    stopped = start(ready, small_batches(ready, size, *command, signal="1 begun SIGSTOP"))
    assert os.WIFSTOPPED(os.waitpid(stopped.pid, os.WUNTRACED)[1])
    code, out, err = finish(start(ready, small_batches(ready, size, *command)))
    assert code == 10, err
    kept = (ready.path / "rejects.csv").read_bytes()
    stopped.send_signal(signal.SIGCONT)
    code, answer, err = finish(stopped)
    assert (code, json.loads(answer)) == (10, json.loads(out))
    assert "was already applied" in err
    assert (ready.path / "rejects.csv").read_bytes() == kept


def test_an_import_beside_other_writers(ready: Project) -> None:
    file = write_csv(ready.path / "in.csv", NAMES, numbered(2000))
    importing = start(ready, small_batches(ready, 50, "customer", "import", file, "--on-conflict", "skip"))
    for number in range(6):
        result = ready.run(
            "customer", "add", "--email", f"c{1500 + number}@example.com", "--first-name", "By", "--last-name", "Hand"
        )
        assert result.code in (0, 5), result.err
    assert finish(importing)[0] == 0
    assert len(emails(ready)) == 2000
    ready.ok("audit", "verify")


# -- memory ----------------------------------------------------------------------------------------

PEAK = 125 << 20  # bytes; the promise is 150 MB for a million rows, and these are as good as any number


# A process counts the pages of the one that it was forked from, and that of the tests is large: a small one stands
# between.
_MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak_of(project: Project, *arguments: Any) -> int:
    """Run custctl and return the peak of its memory in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *project.command(*arguments)],
        cwd=project.path, env=project.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)


def test_memory_does_not_grow_with_the_file(ready: Project) -> None:
    count = 200_000
    file = ready.path / "in.csv"
    with file.open("w") as text:
        text.write("email,first_name,last_name,company,city\n")
        for number in range(count):
            text.write(f"c{number}@example.com,First {number},Last {number},Company number {number},Rome\n")
    assert peak_of(ready, "customer", "import", file) < PEAK
    out = ready.path / "out.csv"
    assert peak_of(ready, "customer", "export", "--output-file", out) < PEAK
    with out.open() as text:
        assert sum(1 for _ in text) == count + 1


def test_memory_does_not_grow_with_long_rows(ready: Project) -> None:
    file = ready.path / "in.csv"
    with file.open("w") as text:
        text.write("email,first_name,last_name,junk\n")
        for number in range(2000):
            text.write(f"c{number}@example.com,A,B,{'x' * 100_000}\n")
    assert peak_of(ready, "customer", "import", file) < PEAK
    assert len(emails(ready)) == 2000
