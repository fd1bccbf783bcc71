"""Hostile text: through the command line and through SQL into the database, and out again in every format."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from typing import Any

import pexpect
import pytest
import yaml

from custctl.support.text import unguard_formula, visible
from custctl.terminal.layout import width_of
from tests.conftest import Project
from tests.inside import inside

# What the rules let in: it is text, however it looks.
ALLOWED = [
    "[link=https://example.com]x[/link]",
    "[/x]",
    "[bold red]x",
    "=cmd|' /C calc'!A0",
    "'=x",
    "''@x",
    "+1",
    "-1",
    "@x",
    "\u202eevil\u202c",
    "\u2066a\u2069",
    "\u200fb",
    "\u061cc",
    "🦄🦄",
    "漢字",
    "%s%n{0}$(id)`id`",
    "';--",
    '"quoted",cell',
    "\\x1b[31m",
    "\\",
    "%",
    "no",
    "~",
]
# What only other clients can have put in.
SMUGGLED = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://example.com\x1b\\x",
    "\x1bP1$r\x1b\\",
    "\x9b31m",
    "\x9d0;t\x9c",
    "a\rb",
    "a\nb",
    "a\tb",
    "a\x00b",
    "\x7f\x08",
    "\u2028x\u2029",
    "\x07",
    "\x85",
    "  ",
]
REFUSED = ["\x1b[31mred", "a\nb", "a\tb", "\x9b31m", "\u2028", "x" * 10_000, "\udcff\udcfe", "a\rb", "\x7f"]
# Said anew, not imported: what is tested must not be the judge. C0, DEL, C1, bidi, line separators, surrogates.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose customers have hostile names; shared, and only read."""
    from tests.conftest import PROFILE, REPOSITORY, clean_environment
    from tests.inside import Inside

    root = tmp_path_factory.mktemp("hostile")
    (root / "profiles").mkdir()
    (root / "profiles" / "dev.yaml").write_text(PROFILE.format(environment="development", path="dev.db", seed=""))
    project = inside(Inside(root, clean_environment(root, {"CUSTCTL_SQL_DIR": str(REPOSITORY / "sql")})))
    for number, text in enumerate(ALLOWED):
        options = ("--email", f"a{number}@example.com", "--first-name", text, "--last-name", "L", "--company", text)
        added = project.ok("customer", "add", *options, "-o", "json").json
        assert (added["first_name"], added["company"]) == (text, text)
    connection = project.database()
    for number, text in enumerate(SMUGGLED):
        connection.execute(
            "INSERT INTO customer (email, first_name, last_name, company) VALUES (?, ?, 'L', ?)",
            (f"s{number}@example.com", text, text),
        )
    connection.close()
    return project


TEXTS = [*ALLOWED, *SMUGGLED]


def assert_tame(text: str, *, styled: bool = False) -> None:
    """No byte in it steers a terminal, but line ends and, where allowed, the program's own styles."""
    if styled:
        text = STYLE.sub("", text)
    assert set(UNSAFE.findall(text)) <= {"\n"}, set(UNSAFE.findall(text))


@pytest.mark.parametrize("chosen", ["auto", "table", "tsv", "csv", "json", "jsonl", "yaml"])
def test_no_command_lets_a_control_through(hostile: Project, chosen: str) -> None:
    commands: list[tuple[str, ...]] = [
        ("customer", "list", "--limit", "0"),
        ("customer", "search", "s", "--limit", "0"),
        ("audit", "list", "--limit", "0"),
    ]
    for number in range(1, len(TEXTS) + 1, 4):
        commands += [("customer", "get", str(number)), ("customer", "history", str(number))]
    for command in commands:
        result = hostile.ok(*command, "-o", chosen)
        out = result.out.replace("\t", " ") if chosen in ("auto", "tsv") else result.out
        assert_tame(out)
        assert_tame(result.err)


def test_json_and_yaml_are_exact(hostile: Project) -> None:
    listed = hostile.ok("customer", "list", "--limit", "0", "-o", "json").json["items"]
    assert [item["first_name"] for item in listed] == TEXTS
    lines = hostile.ok("customer", "list", "--limit", "0", "-o", "jsonl").out.split("\n")[:-1]
    assert [json.loads(line)["company"] for line in lines] == TEXTS
    assert [
        item["company"]
        for item in yaml.safe_load(hostile.ok("customer", "list", "--limit", "0", "-o", "yaml").out)["items"]
    ] == TEXTS
    for number, text in enumerate(TEXTS, start=1):
        assert hostile.ok("customer", "get", str(number), "-o", "json").json["first_name"] == text


def test_cells_are_visible_text_behind_a_guard(hostile: Project) -> None:
    lines = hostile.ok("customer", "list", "--limit", "0", "--fields", "first_name").out.split("\n")[1:-1]
    rows = list(
        csv.reader(
            io.StringIO(hostile.ok("customer", "list", "--limit", "0", "--fields", "first_name", "-o", "csv").out)
        )
    )[1:]
    shown = [visible(text) for text in TEXTS]
    assert lines == shown
    cells = [row[0] for row in rows]
    assert [unguard_formula(cell) for cell in cells] == shown
    assert not [cell for cell in cells if re.match(r"[=+\-@]", cell)]
    raw = csv.reader(
        io.StringIO(hostile.ok("customer", "list", "--limit", "0", "--fields", "first_name", "-o", "csv", "--raw").out)
    )
    assert [row[0] for row in raw][1:] == TEXTS


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_rules_refuse_is_refused_and_shown_tame(hostile: Project, text: str) -> None:
    options = ("--email", f"{text}@example.com", "--first-name", text, "--last-name", "L", "--status", text)
    for chosen in ("auto", "json"):
        result = hostile.run("customer", "add", *options, "-o", chosen)
        assert result.code == 9
        assert_tame(result.err)
        assert "Traceback" not in result.err


@pytest.mark.parametrize("text", [*TEXTS, *REFUSED])
def test_an_error_repeats_nothing_raw(hostile: Project, text: str) -> None:
    text = text.replace("\0", "")
    for command in (
        ("customer", "get", "--", text),
        ("customer", "get", "--", f"{text}@x.com"),
        ("customer", "list", "--sort", text),
        ("customer", "list", "--status", text),
        ("customer", "list", "--limit", text),
        ("customer", "list", f"--{text}"),
        ("customer", "list", "--fields", text),
        ("customer", "list", "--after", text),
        ("customer", "list", "-o", text),
        ("customer", "list", "-e", text),
        ("audit", "list", "--operation", text),
        ("audit", "verify", "--checkpoint", text),
        ("customer", "update", "1", "--if-version", text, "--city", "X"),
        ("customer", text),
        (text,),
    ):
        for extra in ((), ("-o", "json")):
            if "-o" in command and extra:
                continue
            result = hostile.run(command[0], *extra, *command[1:]) if len(command) > 1 else hostile.run(*command)
            assert result.code in (0, 2, 5, 6, 7, 8), (command, result.err)
            assert_tame(result.err)
            assert "unexpected" not in result.err
            assert "Traceback" not in result.err


@pytest.mark.parametrize("text", TEXTS)
def test_a_search_takes_any_text(hostile: Project, text: str) -> None:
    if "\0" in text or not text.strip():
        return
    found = hostile.ok("customer", "search", "--contains", "--limit", "0", "-o", "json", "--", text).json["items"]
    wanted = text.strip().lower()
    expected = [
        number
        for number, held in enumerate(TEXTS, start=1)
        if wanted in held.lower() or wanted in f"{'a' if number <= len(ALLOWED) else 's'}{number}@example.com"
    ]
    assert set(expected) <= {item["id"] for item in found}


def test_a_conflict_shows_hostile_values_tame(hostile: Project) -> None:
    number = str(len(ALLOWED) + 1)
    result = hostile.run("customer", "update", number, "--first-name", "[/x]\u202e", "--if-version", "e1-9")
    assert result.code == 5
    assert_tame(result.err)
    assert "\\x1b[31mred" in result.err
    assert "[/x]\\u202e" in result.err


def on_a_terminal(project: Project, *arguments: str, **environ: str) -> str:
    """Run the program on a pseudo-terminal of 80 columns and return all that it wrote."""
    child: Any = pexpect.spawn(
        sys.executable,
        ["-m", "custctl", *arguments],
        cwd=str(project.path),
        env={**project.environ, "TERM": "xterm", "PAGER": "cat", **environ},
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=60,
    )
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before).replace("\r\n", "\n")


@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal_nothing_but_the_programs_own_styles(hostile: Project, *, no_color: bool) -> None:
    environ = {"NO_COLOR": "1"} if no_color else {}
    bad = str(len(ALLOWED) + 1)
    for command in (
        ("customer", "list", "--limit", "0"),
        ("customer", "get", bad),
        ("customer", "history", "1"),
        ("customer", "get", "\x1b[31mx\x9b"),
        ("customer", "update", bad, "--city", "\u202ex", "--if-version", "e1-9"),
        ("customer", "add", "--email", "\x1b]0;t\x07", "--first-name", "[/x]", "--last-name", "a\rb"),
    ):
        text = on_a_terminal(hostile, *command, **environ)
        assert text.strip()
        if no_color:
            assert "\x1b[3" not in text
            assert_tame(text)
        else:
            assert_tame(text, styled=True)
        assert "Traceback" not in text


def test_a_table_on_a_terminal_fits_and_shows_brackets(hostile: Project) -> None:
    text = STYLE.sub("", on_a_terminal(hostile, "customer", "list", "--limit", "0"))
    # A note, which the terminal folds, names what was left out.
    assert max(width_of(line) for line in text.splitlines() if not line.startswith("not shown")) <= 80
    one = STYLE.sub("", on_a_terminal(hostile, "customer", "get", "1"))
    assert ALLOWED[0] in one


def test_a_question_shows_hostile_values_tame(hostile: Project) -> None:
    connection = hostile.database()
    # Only the email stands in the question; the rules of the database let controls in.
    connection.execute("UPDATE customer SET email = ? WHERE id = 2", ("x\x1b[2j\u202e@example.com",))
    connection.close()
    child: Any = pexpect.spawn(
        sys.executable,
        ["-m", "custctl", "customer", "delete", "2"],
        cwd=str(hostile.path),
        env={**hostile.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=60,
    )
    child.expect_exact("[y/N] ")
    assert_tame(str(child.before).replace("\r\n", "\n"))
    assert "x\\x1b[2j\\u202e@example.com" in child.before
    child.sendline("n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 7


def test_bytes_that_are_no_text_do_not_crash_a_process(hostile: Project) -> None:
    for value in (b"\xff", b"\xffx@example.com", b"\xc3"):
        name = os.fsdecode(value)
        assert hostile.run("customer", "get", name).code == 2
        assert hostile.run("customer", "search", name).code == 2
