"""`customer edit`: merges, conflicts, and that nothing typed is ever lost."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.conftest import ADA, REPOSITORY, Project, Result


class Desk:
    """A customer, and editors made of a few lines of Python that see `text` and leave `text` behind."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.turns = project.path / "turns"

    def editor(self, *turns: str) -> None:
        """Let the n-th call of the editor do the n-th turn; further calls fail."""
        script = self.project.path / "editor.py"
        parts = [f"{'el' * (n > 0)}if turn == {n}:\n    {turn}\n" for n, turn in enumerate(turns)]
        script.write_text(
            "import re, sqlite3, sys\nfrom pathlib import Path\n"
            f"turns, path = Path({str(self.turns)!r}), Path(sys.argv[-1])\n"
            "turn = len(turns.read_text()) if turns.exists() else 0\n"
            "turns.write_text('x' * (turn + 1))\ntext = path.read_text()\n"
            "(path.parent / f'seen{turn}').write_text(text)\n"
            "def sql(statement):\n"
            "    with sqlite3.connect('dev.db') as connection:\n        connection.execute(statement)\n"
            "def put(name, value):\n"
            "    global text\n    text = re.sub(f'(?m)^{name}:.*$', lambda m: f'{name}: {value}', text)\n"
            + "".join(parts)
            + "else:\n    sys.exit(9)\npath.write_text(text)\n"
        )
        self.project.environ["EDITOR"] = f"{sys.executable} {script}"

    def edit(self, *arguments: str) -> Result:
        return self.project.run("customer", "edit", "1", *arguments)

    def row(self) -> dict[str, Any]:
        found: dict[str, Any] = self.project.ok("customer", "get", "1", "-o", "json").json
        return found

    @property
    def folder(self) -> Path:
        return Path(self.project.environ["HOME"]) / ".local" / "state" / "custctl" / "edits"

    def seen(self, turn: int) -> str:
        """What the editor was handed."""
        return (self.folder / f"seen{turn}").read_text()

    def kept(self) -> list[Path]:
        return sorted(self.folder.glob("edit-*.yaml"))


@pytest.fixture
def desk(migrated: Project) -> Desk:
    migrated.ok("customer", "add", *ADA, "--phone", "+44 1", "--city", "London")
    return Desk(migrated)


def test_an_edit_writes_what_was_changed_alone(desk: Desk) -> None:
    desk.editor("put('phone', ''); put('company', 'no'); put('city', '\"#1: x\"')")
    result = desk.edit("-o", "json")
    assert result.code == 0
    assert {name: result.json[name] for name in ("phone", "company", "city", "version")} == {
        "phone": None,
        "company": "no",
        "city": "#1: x",
        "version": "e1-2",
    }
    assert desk.kept() == []
    assert desk.row() == result.json
    history = desk.project.ok("customer", "history", "1", "-o", "json").json["items"]
    assert history[-1]["fields"] == ["phone", "company", "city"]


@pytest.fixture
def company(project: Project) -> Desk:
    """A customer of a company that has columns of its own."""
    folder = project.path / "sql"
    shutil.copytree(REPOSITORY / "sql", folder)
    project.environ["CUSTCTL_SQL_DIR"] = str(folder)
    columns = ("tier VARCHAR(5)", "points INTEGER", "vip BOOLEAN", "extra JSON", "raw BLOB")
    text = "".join(f"ALTER TABLE customer ADD COLUMN {column};\n" for column in columns)
    (folder / "sqlite" / "migrations" / "1000_own.sql").write_text(text)
    project.ok("migrate")
    project.ok("customer", "add", *ADA, "--set", "points=7", "--set", "vip=no", "--set", 'extra={"a": "b # c"}')
    return Desk(project)


def test_own_fields_are_edited_as_what_they_are(company: Desk) -> None:
    company.editor("put('tier', 'gold'); put('points', '12'); put('vip', 'true'); put('city', 'Graz')")
    result = company.edit("-o", "json")
    assert result.code == 0, result.err
    assert "points: 7\nvip: false\n" in company.seen(0).replace('"7"', "7")
    assert "raw" not in company.seen(0)
    assert {name: result.json[name] for name in ("tier", "points", "vip", "extra", "city")} == {
        "tier": "gold",
        "points": 12,
        "vip": True,
        "extra": {"a": "b # c"},
        "city": "Graz",
    }


def test_a_json_string_is_told_apart_from_a_number(company: Desk) -> None:
    before = company.row()["version"]
    for value in ("5", '"5"'):
        company.project.ok("customer", "update", "1", "--set", f"extra={value}")
    told = company.project.ok("customer", "history", "1", "-o", "table").out
    assert told.splitlines()[-1] == '  extra   5 → "5"'
    refused = company.project.run("customer", "update", "1", "--set", "extra=6", "--if-version", before)
    assert refused.code == 5
    assert '"5"' in refused.err


def test_own_fields_are_merged_and_conflict_like_ours(company: Desk) -> None:
    company.editor(
        "sql(\"UPDATE customer SET points = 8, tier = 'tin'\"); put('points', '9'); put('vip', 'true')",
        "put('points', '10')",
    )
    result = company.edit("-o", "json")
    assert result.code == 0, result.err
    assert "# theirs: " in company.seen(1)
    assert {name: result.json[name] for name in ("tier", "points", "vip")} == {"tier": "tin", "points": 10, "vip": True}


def test_a_bad_value_of_an_own_field_is_told(company: Desk) -> None:
    company.editor("put('points', 'many')")
    result = company.edit()
    assert result.code == 9
    assert "`points` must be a whole number" in result.err


def test_a_file_for_the_owner_alone(desk: Desk) -> None:
    desk.editor("(path.parent / 'mode').write_text(oct(path.stat().st_mode) + oct(path.parent.stat().st_mode))")
    assert desk.edit().code == 0
    assert (desk.folder / "mode").read_text() == "0o1006000o40700"


def test_saving_it_as_it_was_writes_nothing(desk: Desk) -> None:
    desk.editor("pass")
    result = desk.edit("-o", "json")
    assert (result.code, result.json["version"]) == (0, "e1-1")
    assert "nothing to change" in result.err
    assert desk.kept() == []


@pytest.mark.parametrize("text", ["''", "'\\n\\n'", "'# only a comment\\n'", "'---\\n'"])
def test_an_emptied_file_gives_up(desk: Desk, text: str) -> None:
    desk.editor(f"text = {text}")
    result = desk.edit("-o", "json")
    assert (result.code, result.json["version"]) == (0, "e1-1")
    assert "nothing was changed" in result.err


def test_fields_that_only_one_side_touched_are_merged(desk: Desk) -> None:
    desk.editor("put('phone', '5'); sql(\"UPDATE customer SET city = 'Paris', region = 'X' WHERE id = 1\")")
    result = desk.edit("-o", "json")
    assert result.code == 0
    assert (result.json["phone"], result.json["city"], result.json["region"]) == ("5", "Paris", "X")
    assert result.json["version"] == "e1-3"
    assert not desk.seen(0).startswith("# error")


def test_the_same_change_on_both_sides_is_no_conflict(desk: Desk) -> None:
    desk.editor("put('city', 'Paris'); sql(\"UPDATE customer SET city = 'Paris' WHERE id = 1\")")
    result = desk.edit("-o", "json")
    assert (result.code, result.json["version"]) == (0, "e1-2")


THEIRS = "sql(\"UPDATE customer SET phone = 'theirs', region = 'R' WHERE id = 1\")"


@pytest.mark.parametrize("resolved", ["both", "theirs"])
def test_a_conflict_is_shown_and_resolved(desk: Desk, resolved: str) -> None:
    desk.editor(f"put('phone', 'mine'); put('city', 'Paris'); {THEIRS}", f"put('phone', {resolved!r})")
    result = desk.edit("-o", "json")
    assert result.code == 0
    assert "changed by someone else meanwhile: `phone`" in result.err
    second = desk.seen(1)
    assert re.search(r'(?m)^# was: +"?\+44 1"?$', second)
    assert re.search(r"(?m)^# theirs: +theirs$", second)
    assert re.search(r"(?m)^phone: mine$", second)
    assert re.search(r"(?m)^city: Paris$", second)
    assert re.search(r"(?m)^region: R$", second)
    row = desk.row()
    assert (row["phone"], row["city"], row["region"]) == (resolved, "Paris", "R")
    assert desk.kept() == []


def test_a_conflict_that_nobody_resolved_overwrites_nothing(desk: Desk) -> None:
    desk.editor(f"put('phone', 'mine'); {THEIRS}", "pass")
    result = desk.edit("-o", "json")
    assert (result.code, result.error["code"]) == (5, "conflict")
    assert desk.row()["phone"] == "theirs"
    assert result.error["details"]["fields"] == [{"field": "phone", "was": "+44 1", "now": "theirs", "asked": "mine"}]
    (kept,) = desk.kept()
    assert str(kept) in result.error["hint"]
    assert "phone: mine" in kept.read_text()


def test_a_row_that_changes_again_while_a_conflict_is_resolved(desk: Desk) -> None:
    desk.editor(
        f"put('phone', 'mine'); {THEIRS}",
        "put('phone', 'both'); sql(\"UPDATE customer SET phone = 'later', company = 'C' WHERE id = 1\")",
        "put('phone', 'all three')",
    )
    result = desk.edit("-o", "json")
    assert result.code == 0
    assert "# theirs: later" in desk.seen(2)
    assert "phone: both" in desk.seen(2)
    assert (desk.row()["phone"], desk.row()["company"]) == ("all three", "C")


@pytest.mark.parametrize(
    ("turn", "code", "message"),
    [
        ("text = 'phone: [a, b]'", 9, "line 1"),
        ("text = 'phone: \"x'", 9, "line"),
        ("text = 'nonsense: x'", 9, "unknown field `nonsense`"),
        ("text = 'phnoe: x'", 9, "did you mean `phone`?"),
        ("text = 'id: 5'", 9, "`id` cannot be edited"),
        ("text = 'just words'", 9, "line 1"),
        ("text = 'phone: 1\\nphone: 2'", 9, "is listed twice"),
        ("put('email', 'nope'); put('first_name', '')", 9, "`email` is not a valid address"),
        ("put('phone', '5'); path.write_text(text); sys.exit(3)", 7, "exited with 3"),
        ("put('phone', '5'); sql('DELETE FROM customer')", 6, "no customer"),
        ("put('email', 'grace@example.com')", 5, "taken by customer 2"),
        ("path.write_bytes(b'phone: \\xff\\xfe'); sys.exit(0)", 9, "line 1"),
    ],
)
def test_what_was_typed_is_kept_and_named(desk: Desk, turn: str, code: int, message: str) -> None:
    desk.project.ok("customer", "add", "--email", "grace@example.com", "--first-name", "G", "--last-name", "H")
    desk.editor(turn)
    result = desk.edit("-o", "json")
    assert result.code == code, result.err
    told = f"{result.error['message']} {result.error['hint']}"
    assert message in told
    (kept,) = desk.kept()
    assert str(kept) in told
    assert kept.read_bytes()
    if code != 6:
        assert desk.row()["version"] == "e1-1"


@pytest.mark.parametrize("editor", ["/nonexistent/editor --wait", "sh -c 'exit 127'", "false"])
def test_an_edit_in_which_nothing_was_typed_leaves_nothing(desk: Desk, editor: str) -> None:
    desk.project.environ["EDITOR"] = editor
    result = desk.edit("-o", "json")
    assert result.code in (2, 7)
    assert "kept" not in (result.error["hint"] or "")
    assert list(desk.folder.iterdir()) == []


def test_a_customer_who_is_deleted_takes_the_kept_edits_along(desk: Desk) -> None:
    desk.project.ok("customer", "add", "--email", "grace@example.com", "--first-name", "G", "--last-name", "H")
    for who in ("1", "2", "1"):
        (desk.project.path / "turns").unlink(missing_ok=True)
        desk.editor(
            "(path.parent / f'.{path.name}.swp').write_text('s'); (path.parent / f'{path.name}~').write_text('s');"
            "put('email', 'nope')"
        )
        assert desk.project.run("customer", "edit", who).code == 9
    (desk.folder / "seen0").unlink()
    # An editor's copies hold the whole text, and go at once.
    assert sorted(desk.folder.iterdir()) == desk.kept()
    for path in desk.kept():
        (path.parent / f"{path.name}~").write_text("s")
    assert {stat.S_IMODE(path.stat().st_mode) for path in desk.kept()} == {0o600}
    assert desk.project.run("customer", "delete", "1", "--yes").code == 0
    left = list(desk.folder.iterdir())
    assert len(left) == 2
    assert all("customer 2 " in path.read_text() for path in desk.kept())
    assert desk.project.run("customer", "delete", "2", "--yes").code == 0
    assert list(desk.folder.iterdir()) == []


def test_what_was_typed_while_a_customer_was_deleted_goes_with_the_next_delete(desk: Desk) -> None:
    desk.editor("put('phone', '5'); sql('DELETE FROM customer')")
    assert desk.edit().code == 6
    assert len(desk.kept()) == 1
    assert desk.project.run("customer", "delete", "1", "--yes").code == 6
    assert desk.kept() == []


def test_a_kept_edit_is_gone_after_a_day(desk: Desk) -> None:
    desk.editor("put('email', 'nope')")
    assert desk.edit().code == 9
    (kept,) = desk.kept()
    for hours, there in ((23, True), (25, False)):
        os.utime(kept, (time.time() - hours * 3600,) * 2)
        desk.project.environ["EDITOR"] = "true"
        assert desk.edit().code == 0
        assert kept.exists() is there


# -- resumed ---------------------------------------------------------------------------------------


def test_only_what_was_typed_is_kept(desk: Desk) -> None:
    desk.editor("put('email', 'nope'); text += '# call back\\n'")
    assert desk.edit().code == 9
    (kept,) = desk.kept()
    assert kept.read_text() == "# customer 1 of dev, version e1-1\nemail: nope\n# call back\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_an_edit_that_failed_is_shown_and_goes_on(desk: Desk) -> None:
    desk.editor("put('email', 'nope'); put('city', 'Graz')", "put('email', 'right@example.com')")
    failed = desk.edit("-o", "json")
    assert "custctl customer edit 1 --resume" in failed.error["hint"]
    result = desk.edit("--resume")
    assert result.code == 0, result.err
    assert re.search(r"email +ada@example.com +nope", result.err)
    assert re.search(r"city +London +Graz", result.err)
    seen = desk.seen(1)
    assert "# now: ada@example.com\nemail: nope\n" in seen
    assert "# now: London\ncity: Graz\n" in seen
    assert "first_name: Ada" in seen
    row = desk.row()
    assert (row["email"], row["city"], row["version"]) == ("right@example.com", "Graz", "e1-2")
    assert desk.kept() == []


@pytest.mark.parametrize("typed", ["text = 'phone: \"x'", "text = 'phone: 1\\nphone: 2'", "text = 'just words'"])
def test_what_is_no_document_goes_on_as_it_was_typed(desk: Desk, typed: str) -> None:
    desk.editor(typed, "text = 'phone: 3'")
    assert desk.edit().code == 9
    (kept,) = desk.kept()
    lines = kept.read_text().splitlines()[1:]
    assert desk.edit("--resume").code == 0
    assert lines
    assert all(line in desk.seen(1) for line in lines)
    assert desk.row()["phone"] == "3"


def test_it_can_fail_and_be_resumed_again(desk: Desk) -> None:
    desk.editor("put('email', 'nope'); put('city', 'Graz')", "put('phone', '7')", "put('email', 'right@example.com')")
    assert desk.edit().code == 9
    assert desk.edit("--resume").code == 9
    (kept,) = desk.kept()
    assert sorted(kept.read_text().splitlines()[1:]) == ["city: Graz", "email: nope", "phone: 7"]
    assert desk.edit("--resume").code == 0
    row = desk.row()
    assert (row["email"], row["city"], row["phone"]) == ("right@example.com", "Graz", "7")
    assert desk.kept() == []


def test_what_changed_since_is_shown_and_not_overwritten_unseen(desk: Desk) -> None:
    desk.editor("put('city', 'Graz'); put('status', 'none')", "pass", "put('status', 'suspended')")
    assert desk.edit().code == 9
    desk.project.ok("customer", "update", "1", "--city", "Paris", "--company", "Labs")
    result = desk.edit("--resume", "-o", "json")
    assert (result.code, result.error["code"]) == (5, "conflict")
    assert "# now: Paris\ncity: Graz" in desk.seen(1)
    assert any("has changed since, to version e1-2" in note for note in result.told)
    assert desk.edit("--resume").code == 0
    row = desk.row()
    assert (row["city"], row["company"], row["status"]) == ("Graz", "Labs", "suspended")


def test_an_unseen_change_is_a_conflict_if_the_text_is_saved_as_it_was(desk: Desk) -> None:
    desk.editor("put('city', 'Graz'); path.write_text(text); sys.exit(3)", "pass")
    assert desk.edit().code == 7
    desk.project.ok("customer", "update", "1", "--city", "Paris")
    result = desk.edit("--resume", "-o", "json")
    assert (result.code, result.error["code"]) == (5, "conflict")
    assert result.error["details"]["fields"] == [{"field": "city", "was": None, "now": "Paris", "asked": "Graz"}]
    assert desk.row()["city"] == "Paris"
    assert len(desk.kept()) == 1


def test_what_a_killed_edit_left_is_resumed_but_not_what_is_open(desk: Desk) -> None:
    desk.editor("put('city', 'Graz'); path.write_text(text); import os; os.kill(os.getppid(), 9)", "pass")
    assert desk.edit().code == -9
    result = desk.edit("--resume")
    assert result.code == 0, result.err
    assert desk.row()["city"] == "Graz"
    assert desk.kept() == []
    nested = f"{sys.executable} -m custctl customer edit 1 --resume > nested 2>&1"
    desk.turns.unlink()
    desk.editor(f"put('city', 'Linz'); path.write_text(text); import os; os.system({nested!r})")
    assert desk.edit().code == 0
    assert "no edit of customer 1 is kept" in (desk.project.path / "nested").read_text()


def test_nothing_to_resume(desk: Desk) -> None:
    desk.editor("pass")
    result = desk.edit("--resume", "-o", "json")
    assert (result.code, result.error["code"]) == (6, "not_found")
    assert not desk.turns.exists()


def test_an_editor_that_is_not_there(desk: Desk) -> None:
    desk.project.environ["EDITOR"] = "/nonexistent/editor --wait"
    result = desk.edit()
    assert result.code == 2
    assert "cannot start the editor" in result.err
    desk.project.environ.pop("EDITOR")
    result = desk.edit("-o", "json")
    assert (result.code, result.error["code"]) == (7, "refused")
    assert "EDITOR" in result.error["hint"]


def test_visual_goes_before_editor(desk: Desk) -> None:
    desk.editor("put('phone', '5')")
    desk.project.environ["VISUAL"], desk.project.environ["EDITOR"] = desk.project.environ["EDITOR"], "false"
    assert desk.edit().code == 0
    assert desk.row()["phone"] == "5"


def test_an_operation_is_applied_once_and_opens_no_editor_again(desk: Desk) -> None:
    operation = str(uuid.uuid4())
    desk.editor("put('phone', '5')")
    first = desk.edit("--operation-id", operation, "-o", "json")
    again = desk.edit("--operation-id", operation, "-o", "json")
    assert (first.code, again.code) == (0, 0)
    assert first.json == again.json
    assert "already applied" in again.err
    assert desk.turns.read_text() == "x"


def test_no_secret_reaches_the_editor(desk: Desk) -> None:
    desk.project.environ["CUSTCTL_DB_PASSWORD"] = "very secret"
    desk.editor("import os; (path.parent / 'environ').write_text(repr(dict(os.environ)))")
    assert desk.edit().code == 0
    assert "very secret" not in (desk.folder / "environ").read_text()


def on_terminal(desk: Desk) -> Any:
    """Start an edit on a terminal."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "custctl", "customer", "edit", "1"],
        cwd=str(desk.project.path),
        env={**desk.project.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=60,
    )


def test_on_a_terminal_a_mistake_is_shown_on_top_and_edited_again(desk: Desk) -> None:
    desk.editor("put('email', 'nope'); put('phone', '5')", "put('email', 'right@example.com')")
    child = on_terminal(desk)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert desk.seen(1).startswith("# error: 1 field is not valid: `email` is not a valid address")
    assert "phone: 5" in desk.seen(1)
    assert (desk.row()["email"], desk.row()["phone"]) == ("right@example.com", "5")


def test_on_a_terminal_a_mistake_that_the_editor_leaves_as_it_is_ends_the_edit(desk: Desk) -> None:
    put = "put('email', 'nope')"
    desk.editor(put, put)
    child = on_terminal(desk)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 9
    assert "`email` is not a valid address" in child.before
    assert "customer edit 1 --resume" in child.before
    assert desk.row()["email"] == "ada@example.com"
    assert len(desk.kept()) == 1


@pytest.mark.parametrize(("answer", "code", "phone"), [("y", 0, "mine"), ("n", 7, "theirs")])
def test_on_a_terminal_an_unresolved_conflict_is_asked_about(desk: Desk, answer: str, code: int, phone: str) -> None:
    desk.editor(f"put('phone', 'mine'); {THEIRS}", "pass")
    child = on_terminal(desk)
    child.expect_exact("[y/N] ")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    assert desk.row()["phone"] == phone
    assert len(desk.kept()) == (code != 0)
