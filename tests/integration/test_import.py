"""`custctl customer import`: what becomes of each row, the rejects, the notes, the audit, who may do it where."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from custctl.customers.model import EDITABLE
from tests.conftest import ADA, Project
from tests.inside import inside
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
    return inside(with_schema(project, migrated_file), migrate=False)


def counts(project: Project, *arguments: str | Path, code: int = 0, stdin: str | bytes | None = None) -> dict[str, int]:
    """Import and return the counts that are not 0."""
    result = project.run("customer", "import", *arguments, "-o", "json", stdin=stdin)
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    return {name: value for name, value in result.json.items() if isinstance(value, int) and value}


def file_of(project: Project, *rows: tuple[str, ...], header: tuple[str, ...] = NAMES, name: str = "in.csv") -> Path:
    return write_csv(project.path / name, header, rows)


# -- a taken email ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "code", "expected"),
    [
        ((), 10, {"rows": 3, "inserted": 1, "rejected": 2}),
        (("--on-conflict", "fail"), 10, {"rows": 3, "inserted": 1, "rejected": 2}),
        (("--on-conflict", "skip"), 0, {"rows": 3, "inserted": 1, "skipped": 2}),
        (("--on-conflict", "update"), 0, {"rows": 3, "inserted": 1, "updated": 1, "unchanged": 1}),
    ],
)
def test_what_happens_to_a_taken_email(
    ready: Project, mode: tuple[str, ...], code: int, expected: dict[str, int]
) -> None:
    ready.ok("customer", "add", *ADA, "--city", "London")
    ready.ok("customer", "add", "--email", "bo@example.com", "--first-name", "Bo", "--last-name", "Berg")
    file = file_of(
        ready,
        ("ADA@example.com", "Augusta", "King"),
        ("bo@example.com", "Bo", "Berg"),
        ("cy@example.com", "Cy", "Coe"),
    )
    assert counts(ready, file, *mode, code=code) == expected
    first_name = "Augusta" if "update" in mode else "Ada"
    assert customers(ready, "email", "first_name", "city", "version") == [
        ("ada@example.com", first_name, "London", 2 if "update" in mode else 1),
        ("bo@example.com", "Bo", None, 1),
        ("cy@example.com", "Cy", None, 1),
    ]


def test_an_absent_column_leaves_a_field_and_an_empty_cell_clears_it(ready: Project) -> None:
    ready.ok("customer", "add", *ADA, "--city", "London", "--phone", "+44", "--status", "closed")
    file = file_of(ready, ("ada@example.com", " "), header=("email", "city"))
    assert counts(ready, file, "--on-conflict", "update") == {"rows": 1, "updated": 1}
    assert customers(ready, "city", "phone", "status", "last_name") == [(None, "+44", "closed", "Lovelace")]


def test_a_required_field_cannot_be_cleared(ready: Project) -> None:
    ready.ok("customer", "add", *ADA)
    file = file_of(ready, ("ada@example.com", ""), header=("email", "last_name"))
    assert counts(ready, file, "--on-conflict", "update", code=10) == {"rows": 1, "rejected": 1}
    assert customers(ready, "last_name") == [("Lovelace",)]


def test_a_json_null_clears_and_a_missing_key_leaves(ready: Project) -> None:
    ready.ok("customer", "add", *ADA, "--city", "London", "--phone", "+44")
    file = write_jsonl(ready.path / "in.jsonl", [{"email": "ada@example.com", "city": None}])
    assert counts(ready, file, "--on-conflict", "update") == {"rows": 1, "updated": 1}
    assert customers(ready, "city", "phone") == [(None, "+44")]


def test_an_update_of_somebody_unknown_needs_a_whole_customer(ready: Project) -> None:
    file = write_jsonl(
        ready.path / "in.jsonl",
        [
            {"email": "a@example.com", "city": "Rome"},
            {"email": "b@example.com", "first_name": "Bo", "last_name": "Berg", "city": "Oslo"},
        ],
    )
    result = ready.run("customer", "import", file, "--on-conflict", "update")
    assert result.code == 10
    assert "line 1: a new customer needs `first_name`, `last_name`" in result.err
    assert customers(ready, "email", "city", "status") == [("b@example.com", "Oslo", "active")]


@pytest.mark.parametrize(
    ("mode", "code", "expected", "city"),
    [
        ("fail", 10, {"rows": 4, "inserted": 2, "rejected": 2}, "one"),
        ("skip", 0, {"rows": 4, "inserted": 2, "skipped": 2}, "one"),
        ("update", 0, {"rows": 4, "inserted": 2, "updated": 1, "unchanged": 1}, "two"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 10_000])
def test_an_email_twice_in_the_file_is_dealt_with_in_order_whatever_the_batches(
    ready: Project, mode: str, code: int, expected: dict[str, int], city: str, size: int
) -> None:
    rows = [("a@example.com", "A", "B", "one"), ("c@example.com", "C", "D", "x"), ("A@EXAMPLE.com", "A", "B", "two")]
    file = file_of(ready, *rows, ("a@example.com", "A", "B", "two"), header=(*NAMES, "city"))
    arguments = ("customer", "import", file, "--on-conflict", mode, "-o", "json")
    for dry in (("--dry-run",), ()):
        code_now, out, err = finish(start(ready, small_batches(ready, size, *arguments, *dry)))
        assert code_now == code, err
        assert {name: n for name, n in json.loads(out).items() if isinstance(n, int) and n} == expected
        assert emails(ready) == ([] if dry else ["a@example.com", "c@example.com"])
    assert customers(ready, "city") == [(city,), ("x",)]
    if mode == "fail" and size == 10_000:
        assert "line 4: the email is already taken, by line 2" in err


# -- dry run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fail", "skip", "update"])
def test_a_dry_run_writes_nothing_and_predicts_the_counts(ready: Project, mode: str) -> None:
    held = [(*row, "Rome", "closed") for row in numbered(20)]
    ready.ok("customer", "import", file_of(ready, *held, header=(*NAMES, "city", "status"), name="held.csv"))
    rows: list[dict[str, Any]] = []
    for number in range(1, 60):
        row: dict[str, Any] = {"email": f"c{number % 40}@example.com"}
        if number % 3:
            row |= {"first_name": f"First {number % 40}", "last_name": f"Last {number % 40}"}
        if number % 4 == 0:
            row["city"] = ["Rome", "Oslo", None][number % 3]
        if number % 7 == 0:
            row["status"] = "unknown" if number % 2 else "closed"
        rows.append(row)
    file = write_jsonl(ready.path / "in.jsonl", rows)
    before = customers(ready, "*")
    rejects = ready.path / "rejects.jsonl"
    arguments = ("customer", "import", file, "--on-conflict", mode, "--rejects", rejects, "-o", "json")
    code, out, err = finish(start(ready, small_batches(ready, 7, *arguments, "--dry-run")))
    assert code == 10
    assert "dry run: nothing was written" in err
    assert "would be rejected" in err
    assert customers(ready, "*") == before
    assert not rejects.exists()
    assert len(audit_rows(ready)) == 1
    code, really, err = finish(start(ready, small_batches(ready, 7, *arguments)))
    assert code == 10
    predicted, done = json.loads(out), json.loads(really)
    for outcome in (predicted, done):
        del outcome["operation_id"]
    assert predicted == done
    assert all(done[name] for name in ("inserted", "rejected", "rows"))
    assert len(rejects.read_text().splitlines()) == done["rejected"]


def test_a_dry_run_is_refused_where_the_import_would_be(project: Project) -> None:
    file = file_of(project, *numbered(1))
    assert project.run("customer", "import", file, "--dry-run").code == 8
    project.ok("migrate", "--env", "test")
    project.profile("dev", "development", path="test.db")
    result = project.run("customer", "import", file, "--dry-run")
    assert (result.code, "stamped `test`" in result.err) == (7, True)


# -- rejects ---------------------------------------------------------------------------------------


def test_rejects_can_be_mended_and_imported(ready: Project) -> None:
    file = ready.path / "in.csv"
    file.write_text(
        "E-Mail;FirstName;Last Name;Fax;PHONE\n"
        "a@example.com;A;B;1;'+1 555\n"
        ";'=C;D;2;'+2 555\n"
        'not an address;"E;\nF";G;3;\n'
        "h@example.com;H;I;4\n"
        "j@example.com;J;K;5;6;7\n"
        "a@example.com;L;M;8;9\n"
    )
    rejects = ready.path / "rejects.csv"
    result = ready.run("customer", "import", file, "--rejects", rejects, "-o", "json")
    assert result.code == 10
    assert (result.json["inserted"], result.json["rejected"]) == (1, 5)
    assert result.error["code"] == "partial"
    assert result.error["details"]["rejected"] == 5
    assert "rejects.csv" in result.error["hint"]
    held = rejects.read_text().split("\n")
    assert held[0] == "E-Mail;FirstName;Last Name;Fax;PHONE;_line;_reason"
    assert held[1].startswith(";'=C;D;2;'+2 555;3;`email` is required")
    assert held[2] == 'not an address;"E;'
    assert held[3].startswith('F";G;3;;4;')
    assert "`email`" in held[3]
    assert "`first_name` contains the control character U+000A" in held[3]
    assert held[4].startswith("h@example.com;H;I;4;;6;has 4 cells")
    assert held[5].startswith("j@example.com;J;K;5;6;7;has 6 cells")
    assert held[5].endswith(";7")
    assert held[6] == "a@example.com;L;M;8;9;8;the email is already taken, by line 2"
    assert (rejects.stat().st_mode & 0o777) == 0o600

    text = rejects.read_text().replace(";'=C", "c@example.com;'=C").replace("not an address", "e@example.com")
    lines = text.replace("E;\nF", "E F").split("\n")
    # A short row is short until its cells are there or the reason is taken away.
    lines[3] = lines[3].rpartition(";")[0] + ";"
    lines[4] = lines[4].removesuffix(";7")
    mended = ready.path / "mended.csv"
    mended.write_text("\n".join([*lines[:5], lines[5].replace("a@ex", "l@ex")]))
    result = ready.run("customer", "import", mended)
    assert result.code == 0, result.err
    assert "ignored, no field matches: `Fax`\n" in result.err
    assert customers(ready, "email", "first_name", "phone") == [
        ("a@example.com", "A", "+1 555"),
        ("c@example.com", "=C", "+2 555"),
        ("e@example.com", "E F", None),
        ("h@example.com", "H", None),
        ("j@example.com", "J", "6"),
        ("l@example.com", "L", "9"),
    ]


def test_rejects_of_json_lines(ready: Project) -> None:
    file = ready.path / "in.jsonl"
    lines = [
        '{"email": "a@example.com", "first_name": "A", "last_name": "B"}',
        '{"email": "no", "FirstName": "\\ud83d", "x": 1.50}',
        "nonsense",
        '["a"]',
        '{"email": "p@example.com", "first_name": "P", "last_name": "Q", "phone": 42}',
        '{"first_name": "R"}',
    ]
    file.write_text("\n".join(lines))
    rejects = ready.path / "rejects.jsonl"
    assert counts(ready, file, "--rejects", rejects, code=10) == {"rows": 6, "inserted": 1, "rejected": 5}
    held = rejects.read_text().splitlines()
    assert held[0].startswith(lines[1][:-1] + ', "_line": 2, "_reason": "')
    parsed = [json.loads(line) for line in held]
    assert [row["_line"] for row in parsed] == [2, 3, 4, 5, 6]
    assert [row.get("_raw") for row in parsed] == [None, "nonsense", '["a"]', None, None]
    assert parsed[3]["phone"] == 42
    assert [row["_reason"] for row in parsed[2:]] == [
        "is not a JSON object", "`phone` must be text", "`email` is missing",
    ]  # fmt: skip
    mended = [{**parsed[3], "phone": "42"}]
    assert counts(ready, write_jsonl(ready.path / "mended.jsonl", mended)) == {"rows": 1, "inserted": 1}


def test_without_a_file_of_rejects_the_reasons_are_told(ready: Project) -> None:
    rows = [(f"bad{number}", "A", "B") for number in range(12)]
    result = ready.run("customer", "import", file_of(ready, *rows))
    assert result.code == 10
    assert result.err.count("\nline ") == 10
    assert "line 2: `email` " in result.err
    assert "… and 2 more" in result.err
    assert result.err.splitlines()[-2:] == [
        "error: 12 of 12 rows were rejected", "hint: save them to a file with `--rejects in.rejects.csv`",
    ]  # fmt: skip
    assert {path.name for path in ready.path.iterdir()} <= {"profiles", "dev.db", "in.csv"}


def test_no_file_of_rejects_is_left_where_there_are_none(ready: Project) -> None:
    stale = ready.path / "rejects.csv"
    stale.write_text("of another import\n")
    for number in range(2):
        counts(ready, file_of(ready, *numbered(2, first=number * 2)), "--rejects", stale)
        assert not stale.exists()


def test_an_older_file_of_rejects_is_replaced(ready: Project) -> None:
    rejects = ready.path / "rejects.csv"
    rejects.write_text("of another import\n" * 100)
    counts(ready, file_of(ready, ("bad", "A", "B")), "--rejects", rejects, code=10)
    assert [row["email"] for row in read_csv(rejects.read_text())] == ["bad"]


@pytest.mark.parametrize("place", ["missing/rejects.csv", "profiles", "/dev/null", "in.csv", "link.csv"])
def test_rejects_that_cannot_be_kept_are_refused_before_anything_is_written(ready: Project, place: str) -> None:
    file = file_of(ready, ("bad", "A", "B"), *numbered(1))
    (ready.path / "link.csv").symlink_to(file)
    result = ready.run("customer", "import", file, "--rejects", place)
    assert (result.code, "rejects" in result.err) == (2, True)
    assert emails(ready) == []
    assert file.read_text().startswith("email,")


def test_a_latin1_file_says_so_and_its_rows_leave_as_they_came(ready: Project) -> None:
    file = ready.path / "in.csv"
    file.write_bytes("email,first_name,last_name\na@example.com,Jörg,Meyer\nb@example.com,Bo,Berg\n".encode("latin-1"))
    rejects = ready.path / "rejects.csv"
    result = ready.run("customer", "import", file, "--rejects", rejects)
    assert result.code == 10
    assert "line 2: `first_name` is not UTF-8: it holds the byte 0xF6" in result.err
    assert b"a@example.com,J\xf6rg,Meyer,2," in rejects.read_bytes()
    assert emails(ready) == ["b@example.com"]


def test_damage_in_the_middle_ends_the_import_and_what_came_before_has_landed(ready: Project) -> None:
    file = ready.path / "in.csv"
    text = "email,first_name,last_name\n" + "".join(f"{','.join(row)}\n" for row in numbered(3000))
    # The second half of a pair of surrogates, without the first.
    file.write_bytes(text.encode("utf-16") + b"\x00\xdc" + text.encode("utf-16-le"))
    result = ready.run("customer", "import", file)
    assert result.code == 9
    place = len(text.encode("utf-16")) + 1
    assert f"is not valid UTF-16-LE at line 3002 (byte {place} of the file)" in result.err
    landed = len(emails(ready))
    assert f"before the error, {landed} rows processed and committed: {landed} inserted" in result.err
    assert landed > 2000
    again = ready.run("customer", "import", file, "--dry-run")
    assert (again.code, "committed" in again.err) == (9, False)


def test_a_quote_that_is_never_closed_costs_one_row(ready: Project) -> None:
    file = ready.path / "in.csv"
    text = "".join(f"{','.join(row)}\n" for row in numbered(3, first=2))
    rest = ("z" * 99 + "\n") * 50_000
    file.write_text(f'email,first_name,last_name\nc1@example.com,"open,{"y" * 99}\n{text}{rest}')
    result = ready.run("customer", "import", file)
    assert result.code == 10
    assert "line 2: cell 2 (`first_name`) opens a quote that is never closed" in result.err
    assert emails(ready) == ["c2@example.com", "c3@example.com", "c4@example.com"]


# -- what is asked for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("in.csv", "--on-conflict", "replace"), 2, "fail, skip, update"),
        (("in.csv", "--format", "xlsx"), 2, "csv, jsonl"),
        (("in.csv", "--map", "adress_line=Address"), 2, "did you mean `address_line`?"),
        (("in.csv", "--map", "city=Town"), 2, "no column `Town`"),
        (("in.csv", "--operation-id", "7"), 2, "not a UUID"),
        (("missing.csv",), 2, "No such file"),
        (("profiles",), 2, "directory"),
        (("empty.csv",), 9, "empty"),
        (("nothing.csv",), 9, "no column matches `email`"),
        (("in.csv", "--env", "test"), 8, "custctl migrate"),
    ],
)
def test_what_cannot_be_done_is_told(ready: Project, arguments: tuple[str, ...], code: int, told: str) -> None:
    file_of(ready, *numbered(1))
    (ready.path / "empty.csv").write_text("")
    (ready.path / "nothing.csv").write_text("a,b\n1,2\n")
    result = ready.run("customer", "import", *arguments)
    assert result.code == code, result.err
    assert told in result.err
    assert result.out == ""
    assert emails(ready) == []


def test_the_environment_is_announced_and_stdout_holds_data_alone(ready: Project) -> None:
    result = ready.ok("customer", "import", file_of(ready, *numbered(1), header=NAMES))
    assert "dev (development): sqlite " in result.err
    header, row = result.out.splitlines()
    assert header.split("\t")[:3] == ["file", "rows", "inserted"]
    assert row.split("\t")[1:3] == ["1", "1"]


@pytest.mark.parametrize(("chosen", "text"), [
    ((), "email,first_name,last_name\na@example.com,A,B\n"),
    (("--format", "jsonl"), '{"email": "a@example.com", "first_name": "A", "last_name": "B"}\n'),
])  # fmt: skip
def test_stdin_is_read(ready: Project, chosen: tuple[str, ...], text: str) -> None:
    assert counts(ready, "-", *chosen, stdin=text) == {"rows": 1, "inserted": 1}
    assert audit_rows(ready)[0]["detail"]["file"] == "stdin"


def test_a_pipe_is_read(ready: Project) -> None:
    pipe = ready.path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("email,first_name,last_name\na@example.com,A,B\n"))
    writer.start()
    assert counts(ready, pipe) == {"rows": 1, "inserted": 1}
    writer.join()


def test_a_mapped_key_that_no_object_has_is_a_warning(ready: Project) -> None:
    file = write_jsonl(ready.path / "in.jsonl", [{"email": "a@example.com", "first_name": "A", "last_name": "B"}])
    result = ready.ok("customer", "import", file, "--map", "city=Town")
    assert "warning: no object has the keys named by `--map`: `Town`" in result.err


def test_an_empty_import_is_one(ready: Project) -> None:
    file = file_of(ready)
    assert counts(ready, file) == {}
    assert [row["detail"]["totals"]["rows"] for row in audit_rows(ready)] == [0]


# -- audit and operations --------------------------------------------------------------------------


def test_each_batch_leaves_one_audit_row_with_what_it_did(ready: Project) -> None:
    file = file_of(ready, *numbered(5), ("bad", "A", "B"))
    arguments = ("customer", "import", file, "--operation-id", OPERATION)
    code, _, err = finish(start(ready, small_batches(ready, 2, *arguments)))
    assert code == 10, err
    rows = audit_rows(ready)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert [(row["operation_id"], row["part"], row["customer_id"]) for row in rows] == [
        (OPERATION, part, 0) for part in (1, 2, 3, 4)
    ]
    assert {row["detail"]["digest"] for row in rows} == {digest}
    assert [row["detail"]["inserted"] for row in rows] == [2, 2, 1, 0]
    assert [(row["first_customer_id"], row["last_customer_id"]) for row in rows] == [
        (1, 2),
        (3, 4),
        (5, 5),
        (None, None),
    ]
    assert [row["detail"]["done"] for row in rows] == [False, False, False, True]
    assert [(row["detail"]["first_line"], row["detail"]["last_line"]) for row in rows] == [
        (2, 3),
        (4, 5),
        (6, 7),
        (None, None),
    ]
    assert len({row["detail"]["rows_digest"] for row in rows}) == 4
    assert rows[-1]["detail"]["totals"] == {
        "rows": 6, "inserted": 5, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 1,
    }  # fmt: skip
    assert "example.com" not in str([row["detail"] for row in rows])
    listed = ready.ok("audit", "list", "--operation", OPERATION, "-o", "json").json["items"]
    assert len(listed) == 4
    ready.ok("audit", "verify")
    assert query(ready, "SELECT name FROM custctl_metadata WHERE name LIKE 'import/%'") == []


def test_the_history_of_an_imported_customer_shows_the_import(ready: Project) -> None:
    ready.ok("customer", "import", file_of(ready, *numbered(3)), "--operation-id", OPERATION)
    ready.ok("customer", "update", "c2@example.com", "--city", "Rome")
    update = file_of(ready, ("c2@example.com", "Oslo"), ("c9@example.com", "X"), header=("email", "city"), name="u.csv")
    ready.run("customer", "import", update, "--on-conflict", "update")
    events = ready.ok("customer", "history", "c2@example.com", "-o", "json").json["items"]
    assert [event["action"] for event in events] == ["import", "update", "import"]
    assert events[0]["operation_id"] == OPERATION
    others = ready.ok("customer", "history", "c1@example.com", "-o", "json").json["items"]
    assert [event["action"] for event in others] == ["import"]
    ready.ok("audit", "verify")


def test_the_same_operation_is_applied_once_and_answers_again(ready: Project) -> None:
    rejects = ready.path / "rejects.csv"
    file = file_of(ready, *numbered(2), ("bad", "A", "B"))
    arguments = (file, "--operation-id", OPERATION, "--rejects", rejects)
    first = counts(ready, *arguments, code=10)
    kept = rejects.read_bytes()
    ready.ok("customer", "delete", "c1@example.com", "--yes")
    second = ready.run("customer", "import", *arguments, "-o", "json")
    assert second.code == 10
    assert {name: n for name, n in second.json.items() if isinstance(n, int) and n} == first
    assert "was already applied" in second.err
    assert emails(ready) == ["c2@example.com"]
    assert rejects.read_bytes() == kept


@pytest.mark.parametrize("change", ["file", "mode", "action"])
def test_an_operation_id_stands_for_one_request(ready: Project, change: str) -> None:
    file = file_of(ready, *numbered(2))
    if change == "action":
        ready.ok("customer", "add", *ADA, "--operation-id", OPERATION)
    else:
        ready.ok("customer", "import", file, "--operation-id", OPERATION)
    if change == "file":
        file = file_of(ready, *numbered(3))
    before = emails(ready)
    mode = "skip" if change == "mode" else "fail"
    result = ready.run("customer", "import", file, "--operation-id", OPERATION, "--on-conflict", mode)
    assert (result.code, "an operation id names one request" in result.err) == (5, True)
    assert emails(ready) == before


# -- environments ----------------------------------------------------------------------------------


def test_an_import_that_updates_production_has_to_be_confirmed_by_name(project: Project) -> None:
    project.ok("migrate", "--env", "prod")
    file = file_of(project, *numbered(2))
    project.ok("customer", "import", file, "--env", "prod")
    file = file_of(project, ("c1@example.com", "Changed", "Name"))
    for flags in ((), ("--yes",), ("--confirm", "dev"), ("--no-input",)):
        result = project.run("customer", "import", file, "--on-conflict", "update", "--env", "prod", *flags)
        assert result.code == 7, flags
        assert "--confirm prod" in result.err
    assert customers(project, "first_name", name="prod")[0] == ("First 1",)
    project.ok("customer", "import", file, "--on-conflict", "update", "--env", "prod", "--dry-run")
    project.ok("customer", "import", file, "--on-conflict", "skip", "--env", "prod")
    project.ok("customer", "import", file, "--on-conflict", "update", "--env", "prod", "--confirm", "prod")
    assert customers(project, "first_name", name="prod")[0] == ("Changed",)


def test_elsewhere_nothing_is_asked(ready: Project) -> None:
    counts(ready, file_of(ready, *numbered(1)), "--on-conflict", "update")


def test_a_database_of_another_environment_is_refused(project: Project) -> None:
    project.ok("migrate", "--env", "prod")
    project.profile("dev", "development", path="prod.db")
    result = project.run("customer", "import", file_of(project, *numbered(1)), "--yes", "--confirm", "dev")
    assert result.code == 7
    assert "is stamped `production`" in result.err
    assert emails(project, name="prod") == []
    assert audit_rows(project, name="prod") == []


# -- a file from a shop system ---------------------------------------------------------------------

SHOP = (
    "CustomerId,FirstName,LastName,Company,Address,City,State,Country,PostalCode,Phone,Fax,Email,SupportRepId\n"
    '1,Inês,Magalhães,Padaria do Zé S.A.,"Rua das Flores, 217",São Paulo,SP,Brazil,01310-200,+55 (11) 5550-0100,'
    "+55 (11) 5550-0101,ines.m@padaria.example.com,3\n"
    "2,Jürgen,Großmann,,Lange Straße 8,Göttingen,,Germany,37073,+49 551 555010,,Juergen@grossmann.example.com,5\n"
    "3,Zoë,Dubois,,11 Place d'Armes,Québec,QC,Canada,G1R 4A6,+1 (418) 555-0103,,zoe@example.com,3\n"
    "4,Bjørn,Håkonsen,,Storgata 1,Ålesund,,Norway,6002,+47 55 50 10 44,,bjorn.h@example.com,4\n"
    '5,František,Šťastný,"Křišťál, s.r.o.",Dlouhá 12,Praha,,Czech Republic,110 00,+420 555 010 555,,frant@example.com,4\n'
)
MAPPED = ("--map", "address_line=Address", "--map", "region=State")


@pytest.mark.parametrize("chosen", ["csv", "jsonl"])
def test_a_file_from_a_shop_system_goes_in_out_and_in_again(ready: Project, migrated_file: Path, chosen: str) -> None:
    shop = ready.path / "shop.csv"
    shop.write_text(SHOP, encoding="utf-8")
    first = ready.ok("customer", "import", shop, *MAPPED, "-o", "json")
    assert first.json["inserted"] == 5
    assert "ignored, no field matches: `CustomerId`, `Fax`, `SupportRepId`" in first.err
    again = ready.ok("customer", "import", shop, *MAPPED, "--on-conflict", "skip", "-o", "json")
    assert (again.json["inserted"], again.json["skipped"]) == (0, 5)
    assert customers(ready)[2] == (
        "ines.m@padaria.example.com", "Inês", "Magalhães", "+55 (11) 5550-0100", "Padaria do Zé S.A.",
        "Rua das Flores, 217", "São Paulo", "SP", "01310-200", "Brazil", "active",
    )  # fmt: skip
    found = ready.ok("customer", "search", "šťas", "-o", "json").json["items"]
    assert [item["email"] for item in found] == ["frant@example.com"]
    assert ready.ok("customer", "search", "stas", "-o", "json").json["items"] == found

    ready.ok("customer", "update", "zoe@example.com", "--status", "closed", "--company", "=SUM(1)")
    ready.ok("customer", "delete", "bjorn.h@example.com", "--yes")
    out = ready.path / f"out.{chosen}"
    ready.ok("customer", "export", "-o", chosen, "--output-file", out)
    before = customers(ready)
    (ready.path / "dev.db").unlink()
    for side in ready.path.glob("dev.db-*"):
        side.unlink()
    with_schema(ready, migrated_file)
    result = ready.ok("customer", "import", out)
    assert "ignored, an import does not set: `id`, `version`, `created_at`, `updated_at`" in result.err
    assert customers(ready) == before
    assert len(before) == 4


# -- progress --------------------------------------------------------------------------------------


def test_progress_is_shown_on_a_terminal_alone_and_stdout_stays_clean(ready: Project) -> None:
    import pexpect

    write_csv(ready.path / "in.csv", NAMES, numbered(3000))
    command = " ".join(small_batches(ready, 100, "customer", "import", "in.csv", "-o", "jsonl"))
    environment = {**ready.environ, "TERM": "xterm", "COLUMNS": "100"}
    terminal = pexpect.spawn(
        "/bin/sh", ["-c", f"{command} > out.json"], cwd=str(ready.path), env=environment, encoding="utf-8", timeout=60
    )
    seen = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 0, seen
    assert "importing" in seen
    assert "rows" in seen
    assert json.loads((ready.path / "out.json").read_text())["inserted"] == 3000

    quiet = subprocess.run(
        small_batches(ready, 100, "customer", "import", "in.csv", "--on-conflict", "skip"),
        cwd=ready.path, env=environment, capture_output=True, check=True,
    )  # fmt: skip
    assert b"importing" not in quiet.stderr
    assert b"\x1b" not in quiet.stderr + quiet.stdout


def test_all_fields_are_imported(ready: Project) -> None:
    row = (
        "A.B+c@Example.com", " Ada ", "Lovelace", "'+44", "Co", "1 St", "London", "LND", "SW1", "UK", "SUSPENDED",
    )  # fmt: skip
    counts(ready, file_of(ready, row, header=EDITABLE))
    assert customers(ready) == [
        ("a.b+c@example.com", "Ada", "Lovelace", "+44", "Co", "1 St", "London", "LND", "SW1", "UK", "suspended")
    ]
