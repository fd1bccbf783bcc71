"""Hostile text in a file: no control byte reaches a terminal, nothing breaks, and what landed comes out as it is."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from custctl.support.text import UNSAFE
from tests.conftest import Project
from tests.integration.rows import customers, read_csv, with_schema, write_csv, write_jsonl

NAMES = ("email", "first_name", "last_name")

# Each is a name that may be kept.
HARMLESS = [
    "[link=https://evil.example]click[/link]",
    "[/x]",
    "[bold red]alert",
    ":smile: {{7*7}} %s %n ${HOME} `id` $(id)",
    "=cmd|' /C calc'!A0",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "'=1",
    "''@x",
    "'quoted'",
    '"double", comma; semicolon',
    "'; DROP TABLE customer; --",
    "\\u001b[31m \\n \\x1b",
    "𝒳𝒴𝒵 👩‍👩‍👧 𐍈",
    "مرحبا",
    "null",
    "NULL",
    "true",
    "~",
    "#comment",
    "- item",
    "a: b",
    "%",
    "_",
    "x" * 100,
    "𐍈" * 100,
    "\u200bzero width\u2060",
    "e\u0301 decomposed",
]
# May be kept, and must be made visible wherever people look.
BIDI = ["abc\u202edef", "\u2066x\u2069", "a\u200fb", "\u061cx"]
# May not be kept.
REFUSED = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\x00b",
    "a\x08b",
    "two\nlines",
    "re\rturn",
    "tab\tbed",
    "del\x7f",
    "next\x85line",
    "para\u2029graph",
    "x" * 101,
    "y" * 10_000,
    "𐍈" * 101,
]
KEPT = HARMLESS + BIDI
ALL = KEPT + REFUSED


@pytest.fixture
def ready(project: Project, migrated_file: Path) -> Project:
    return with_schema(project, migrated_file)


def stored(name: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", name)


def clean(text: str) -> bool:
    """Tell whether text holds nothing but line feeds, and tabs between cells, that could steer a terminal."""
    return re.search(UNSAFE, text.replace("\n", "").replace("\t", "")) is None


def guard(name: str) -> str:
    return "'" + name if re.match(r"'*[=+\-@]", name) else name


def write(project: Project, chosen: str) -> Path:
    rows = [(f"c{number:02}@example.com", name, "Last") for number, name in enumerate(ALL)]
    if chosen == "jsonl":
        return write_jsonl(project.path / "in.jsonl", [dict(zip(NAMES, row, strict=True)) for row in rows])
    # Quoted where it must be, the carriage returns too.
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [NAMES, *((email, guard(name), last) for email, name, last in rows)]
    )
    path = project.path / "in.csv"
    path.write_bytes(buffer.getvalue().encode())
    return path


def import_hostile(project: Project, chosen: str) -> None:
    result = project.run("customer", "import", write(project, chosen), "--rejects", f"rejects.{chosen}", "-o", "json")
    assert result.code == 10, result.err
    assert clean(result.out)
    assert clean(result.err)
    assert (result.json["inserted"], result.json["rejected"]) == (len(KEPT), len(REFUSED))


@pytest.fixture
def filled(ready: Project, migrated_file: Path) -> Project:
    """A database into which the hostile file was imported."""
    kept = migrated_file.with_name("hostile.db")
    if kept.exists():
        shutil.copy(kept, ready.path / "dev.db")
    else:
        import_hostile(ready, "csv")
        shutil.copy(ready.path / "dev.db", kept)
    return ready


@pytest.mark.parametrize("chosen", ["csv", "jsonl"])
def test_good_ones_land_and_bad_ones_are_rejected_as_they_were(ready: Project, chosen: str) -> None:
    import_hostile(ready, chosen)
    assert [name for (name,) in customers(ready, "first_name")] == list(map(stored, KEPT))
    text = (ready.path / f"rejects.{chosen}").read_bytes().decode()
    held = read_csv(text) if chosen == "csv" else [json.loads(line) for line in text.split("\n")[:-1]]
    assert [row["first_name"] for row in held] == REFUSED
    # Every reject says which field is bad, and nothing of what it holds.
    reason = r"`first_name` (contains the control character U\+[0-9A-F]{4}|has \d+ characters, 100 are allowed)( \(`--join-lines` [a-z ]+\))?"
    assert all(re.fullmatch(reason, row["_reason"]) for row in held)


@pytest.mark.parametrize("chosen", ["auto", "table", "tsv", "csv", "json", "jsonl", "yaml"])
def test_no_output_holds_a_control_character(filled: Project, chosen: str) -> None:
    result = filled.ok("customer", "list", "--limit", "0", "-o", chosen)
    assert clean(result.out)
    assert "[/x]" in result.out
    assert "[link=https://evil.example]click[/link]" in result.out
    # The first of those that have to be made visible.
    one = filled.ok("customer", "get", f"c{len(HARMLESS):02}@example.com", "-o", chosen)
    assert clean(one.out)
    assert "\\u202e" in one.out


def test_json_and_yaml_lose_nothing(filled: Project) -> None:
    expected = list(map(stored, KEPT))
    listed = filled.ok("customer", "list", "--limit", "0", "-o", "json").json["items"]
    assert [item["first_name"] for item in listed] == expected
    lines = filled.ok("customer", "list", "--limit", "0", "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["first_name"] for line in lines] == expected
    text = filled.ok("customer", "list", "--limit", "0", "-o", "yaml").out
    assert [item["first_name"] for item in yaml.safe_load(text)["items"]] == expected


def test_csv_is_guarded_and_can_be_exact(filled: Project) -> None:
    names = [row["first_name"] for row in read_csv(filled.ok("customer", "export").out)]
    assert not any(name[:1] in "=+-@" for name in names)
    assert names[: len(HARMLESS)] == [guard(stored(name)) for name in HARMLESS]
    assert names[len(HARMLESS)] == "abc\\u202edef"
    raw = filled.ok("customer", "export", "--raw").out
    assert [row["first_name"] for row in read_csv(raw)] == list(map(stored, KEPT))


@pytest.mark.parametrize("way", ["guarded", "raw", "jsonl"])
def test_what_was_exported_can_be_imported(filled: Project, migrated_file: Path, way: str) -> None:
    flags = {"guarded": (), "raw": ("--raw",), "jsonl": ("-o", "jsonl")}[way]
    out = filled.path / ("out.jsonl" if way == "jsonl" else "out.csv")
    filled.ok("customer", "export", "--output-file", out, *flags)
    before = customers(filled)
    for path in filled.path.glob("dev.db*"):
        path.unlink()
    with_schema(filled, migrated_file)
    filled.ok("customer", "import", out, *(flags if way == "raw" else ()))
    after = customers(filled)
    if way == "guarded":
        # What had to be made visible stays so: `--raw` and JSON are exact.
        before, after = before[: len(HARMLESS)], after[: len(HARMLESS)]
    assert after == before


@pytest.mark.parametrize("chosen", ["auto", "tsv", "csv", "json"])
def test_on_a_terminal_the_only_escapes_are_our_own(filled: Project, chosen: str) -> None:
    import pexpect

    command = filled.command("customer", "list", "--limit", "0", "-o", chosen)
    terminal = pexpect.spawn(
        command[0], command[1:], cwd=str(filled.path), env={**filled.environ, "TERM": "xterm", "COLUMNS": "200"},
        encoding="utf-8", timeout=60, dimensions=(50, 200),
    )  # fmt: skip
    seen = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 0, seen
    own = re.sub(r"\x1b\[[0-9;]*m", "", seen)
    assert clean(own.replace("\r\n", "\n"))
    assert "[link=" in own


def test_an_import_on_a_terminal_shows_no_hostile_byte(ready: Project) -> None:
    import pexpect

    header = ("email", "first_name", "last_name", "\x1b[31mred", "[/x]", "\u202erevo")
    rows = [(f"\x1b]0;t\x07c{n}@example.com", "\x1b[31mA", "\u202eB", "", "", "") for n in range(3)]
    write_csv(ready.path / "in\x1b[31m.csv", header, rows)
    command = ready.command("customer", "import", "in\x1b[31m.csv")
    terminal = pexpect.spawn(
        command[0], command[1:], cwd=str(ready.path), env={**ready.environ, "TERM": "xterm", "NO_COLOR": "1"},
        encoding="utf-8", timeout=60,
    )  # fmt: skip
    seen = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 10, seen
    # The progress bar's own: it is erased line by line, and the cursor is hidden and shown.
    own = re.sub(r"\x1b\[(\?25[lh]|[0-9]*[AK]|[0-9;]*m)", "", seen)
    assert clean(own.replace("\r", "")), own
    assert "\x1b[31m" not in seen
    assert "`\\x1b[31mred`, `[/x]`, `\\u202erevo`" in seen
    assert "U+001B" in seen


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (("\x1b[31mred", "first_name"), "columns: \\x1b[31mred, first_name"),
        (("email", "E\x07MAIL"), "`email` and `E\\x07MAIL` both match"),
    ],
)
def test_errors_make_hostile_headers_visible(ready: Project, header: tuple[str, ...], told: str) -> None:
    write_csv(ready.path / "in.csv", header, [])
    for chosen in ("auto", "json"):
        result = ready.run("customer", "import", "in.csv", "-o", chosen)
        assert result.code in (2, 9)
        assert clean(result.err)
        text = result.error if chosen == "json" else result.err
        if chosen == "auto":
            assert told in str(text)


def test_hostile_json_keys_are_made_visible(ready: Project) -> None:
    row = {"email": "a@example.com", "first_name": "A", "last_name": "B", "\x1b[31m": "x", "[/y]": 1}
    write_jsonl(ready.path / "in.jsonl", [row])
    result = ready.ok("customer", "import", "in.jsonl")
    assert "ignored, no field matches: `\\x1b[31m`, `[/y]`" in result.err
    assert clean(result.err)
