"""Reading on a real terminal: what fits, what is left out, the pager, and the next page."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from custctl.cli.commands.customer.pages import SHOWN
from tests.conftest import Project, make_project
from tests.inside import inside

LONG = "a.very.long.address.of.somebody.with.many.names@mail.department.example.com"
_STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]")
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Seen:
    """What was on the terminal, and how the command ended."""

    code: int | None
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def cells(line: str) -> int:
    """Return how many columns a line of these tests takes."""
    wide = sum(
        "\u1100" <= char <= "\u115f" or "\u2e80" <= char <= "\ua4cf" or "\uac00" <= char <= "\ud7a3" for char in line
    )
    joining = sum("\u0300" <= char <= "\u036f" for char in line)
    return len(line) + wide - joining


def spawn(
    project: Project, *arguments: str, columns: int = 80, rows: int = 24, environ: Mapping[str, str] | None = None
) -> Any:
    command = project.command(*arguments)
    variables = {**project.environ, "TERM": "xterm-256color", **(environ or {})}
    return pexpect.spawn(
        command[0],
        command[1:],
        cwd=str(project.path),
        env=variables,
        dimensions=(rows, columns),
        encoding="utf-8",
        timeout=_SECONDS,
    )


def ended(child: Any) -> Seen:
    child.expect(pexpect.EOF)
    child.close()
    text = _STYLE.sub("", child.before).replace("\r\n", "\n").replace("\r", "")
    return Seen(child.exitstatus, text.splitlines())


def see(
    project: Project, *arguments: str, columns: int = 80, rows: int = 24, environ: Mapping[str, str] | None = None
) -> Seen:
    """Run a command on a terminal to its end."""
    return ended(spawn(project, *arguments, columns=columns, rows=rows, environ=environ))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A database of 120 customers, some with long and wide texts."""
    project = inside(make_project(tmp_path_factory.mktemp("terminal")))
    (project.path / "people.csv").write_text(
        "email,first_name,last_name,company,country\n"
        f"{LONG},Ada,Lovelace,Engines,UK\n"
        "mei@example.com,美美美美美美美美美美美美美美,王,漢字漢字漢字漢字漢字漢字漢字漢字,中国\n"
        "zoe@example.com,Zoe\u0308,Müller,Company with a name that does not end before the terminal does,DE\n"
        + "".join(f"c{number}@example.com,F{number},L{number},Labs,AT\n" for number in range(117))
    )
    project.ok("customer", "import", "people.csv")
    yield Project(project.path, project.environ)


@pytest.fixture
def pager(shop: Project, tmp_path: Path) -> dict[str, str]:
    """A pager that keeps what it is given, and its environment, and ends when it has read it all."""
    script = tmp_path / "pager.py"
    script.write_text(
        "import json, os, sys\n"
        f"open({str(tmp_path / 'paged')!r}, 'wb').write(sys.stdin.buffer.read())\n"
        f"json.dump(dict(os.environ), open({str(tmp_path / 'environ')!r}, 'w'))\n"
        "print('END OF PAGER')\n"
    )
    return {"PAGER": f"{sys.executable} {script}"}


# -- one customer ----------------------------------------------------------------------------------


def test_one_customer_is_a_record(shop: Project) -> None:
    seen = see(shop, "customer", "get", LONG)
    assert seen.code == 0
    assert [line for line in seen.lines if LONG in line]
    assert all(cells(line) <= 80 for line in seen.lines)
    [created] = [line for line in seen.lines if line.startswith("created_at")]
    assert re.fullmatch(r"created_at {5}\S+Z \(.* ago\)|created_at {5}\S+Z \(just now\)", created)


@pytest.mark.parametrize("chosen", ["table", "csv", "json"])
def test_an_explicit_format_has_the_same_bytes_on_a_terminal(shop: Project, chosen: str) -> None:
    piped = inside(shop, migrate=False)
    commands: list[tuple[str, ...]] = [("customer", "list", "--limit", "60")]
    if chosen == "table":
        commands += [("customer", "get", "1"), ("customer", "history", "1")]
    for command in commands:
        seen = see(shop, *command, "-o", chosen, "-q", columns=400, environ={"PAGER": "false"})
        assert seen.lines == piped.ok(*command, "-o", chosen).out.splitlines()


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [60, 80, 100, 240])
def test_a_list_fits_and_says_what_it_leaves_out(shop: Project, columns: int) -> None:
    seen = see(shop, "customer", "list", "--limit", "8", columns=columns)
    *table, note, _ = seen.lines
    assert [line for line in table if LONG in line], "an email is broken"
    assert all(cells(line) <= columns for line in table if LONG not in line)
    if columns == 240:
        assert "漢字漢字漢字漢字漢字漢字漢字漢字" in seen.text
        assert "not shown" not in seen.text
    else:
        told = re.search(
            r"not shown because the terminal is too narrow: (.*?); choose fields", seen.text.replace("\n", " ")
        )
        assert told is not None, note
        left_out = [name.strip("` ") for name in told[1].split(",")]
        assert left_out == list(SHOWN[-len(left_out) :])


def test_one_long_email_takes_no_column_from_the_others(shop: Project) -> None:
    lines = see(shop, "customer", "list", "--limit", "8").lines
    assert re.match(r"id +email +first_name +last_name", lines[0])
    at = next(number for number, line in enumerate(lines) if LONG in line)
    assert lines[at + 1].strip().startswith("Ada")
    assert lines[at + 1].index("Ada") == lines[0].index("first_name")


def test_texts_are_cut_by_the_cells_of_a_terminal(shop: Project) -> None:
    lines = see(shop, "customer", "list", "--limit", "8", columns=90).lines
    [mei] = [line for line in lines if "mei@" in line]
    assert "…" in mei
    assert cells(mei) <= 90
    [zoe] = [line for line in lines if "zoe@" in line]
    head = lines[0]
    # The marks that join take no cell: what follows stands under its header.
    assert cells(zoe[: zoe.index("Müller")]) == head.index("last_name")
    assert cells(mei[: mei.index("王")]) == head.index("last_name")


def test_wide_shows_all(shop: Project) -> None:
    seen = see(shop, "customer", "list", "--limit", "3", "--wide")
    assert "updated_at" in seen.text.replace("\n", "")
    assert "that does not end before the terminal does" in seen.text.replace("\n", "")
    assert "not shown" not in seen.text


# -- the pager -------------------------------------------------------------------------------------


def test_a_page_that_is_longer_than_the_screen_goes_to_the_pager(
    shop: Project, pager: dict[str, str], tmp_path: Path
) -> None:
    secrets = {"CUSTCTL_DB_PASSWORD": "p4ss", "PGPASSWORD": "p4ss", "MY_TOKEN": "p4ss", "X": "https://u:p4ss@h/"}
    seen = see(shop, "customer", "list", environ={**pager, **secrets})
    assert seen.code == 0
    assert len((tmp_path / "paged").read_text().splitlines()) >= 52
    environ = json.loads((tmp_path / "environ").read_text())
    assert environ["LESS"] == "FRX"
    assert "p4ss" not in json.dumps(environ)
    # What is told besides comes when the pager has given the terminal back.
    assert seen.lines[0] == "END OF PAGER"
    assert "more rows follow" in seen.text


@pytest.mark.parametrize(
    "arguments",
    [
        ("customer", "list", "--limit", "5"),
        ("customer", "list", "--no-pager"),
        ("customer", "list", "--no-input"),
        ("customer", "list", "-o", "json"),
        ("customer", "list", "-o", "table"),
    ],
)
def test_what_needs_no_pager_gets_none(
    shop: Project, pager: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert see(shop, *arguments, environ=pager).code == 0
    assert not (tmp_path / "paged").exists()


def test_a_pipe_or_an_input_that_is_no_terminal_gets_no_pager(
    shop: Project, pager: dict[str, str], tmp_path: Path
) -> None:
    command = " ".join(shop.command("customer", "list", "--limit", "100"))
    for line in (f"{command} | tail -1", f"{command} < /dev/null", f"TERM=dumb {command}"):
        child = pexpect.spawn(
            "sh",
            ["-c", line],
            cwd=str(shop.path),
            env={**shop.environ, "TERM": "xterm", **pager},
            encoding="utf-8",
            timeout=_SECONDS,
        )
        assert ended(child).code == 0
    assert not (tmp_path / "paged").exists()


@pytest.mark.parametrize("named", ["", "cat", "/no/such/pager", "'"])
def test_without_a_pager_all_is_written(shop: Project, named: str) -> None:
    seen = see(shop, "customer", "list", "--limit", "40", environ={"PAGER": named})
    assert seen.code == 0
    assert "c30@example.com" in seen.text
    assert ("warning" in seen.text) is (named in ("/no/such/pager", "'"))


def test_less_shows_the_page_and_quits(shop: Project) -> None:
    child = spawn(shop, "customer", "list", "--limit", "100")
    child.expect("c10@example.com")
    child.expect(":")
    child.sendintr()
    child.send("G")
    child.expect("c96@example.com")
    child.send("q")
    seen = ended(child)
    assert seen.code == 0
    assert "interrupted" not in seen.text


@pytest.mark.parametrize("limit", ["100", "0"])
def test_a_reader_who_leaves_early_is_no_failure(shop: Project, limit: str) -> None:
    child = spawn(shop, "customer", "list", "--limit", limit, environ={"PAGER": "head -1"})
    assert ended(child).code == 0


def test_a_command_that_is_ended_gives_the_terminal_back(shop: Project) -> None:
    child = spawn(shop, "customer", "list", "--limit", "100")
    child.expect("c10@example.com")
    os.kill(child.pid, 15)
    assert ended(child).code == 143


# -- the next page ---------------------------------------------------------------------------------


class Shell:
    """A shell on a terminal, in which a person works."""

    def __init__(self, project: Project, **environ: str) -> None:
        self._child: Any = pexpect.spawn(
            "sh",
            [],
            cwd=str(project.path),
            env={**project.environ, "TERM": "dumb", "PS1": "", **environ},
            encoding="utf-8",
            dimensions=(24, 400),
            timeout=_SECONDS,
            echo=False,
        )
        self._project = project

    def run(self, *arguments: str) -> Seen:
        command = " ".join(f"'{part}'" for part in self._project.command(*arguments))
        self._child.sendline(f"{command}; echo END:$?:")
        self._child.expect(r"END:(\d+):\r\n")
        return Seen(int(self._child.match[1]), self._child.before.replace("\r\n", "\n").splitlines())


def test_next_goes_on_where_the_last_list_of_the_terminal_ended(shop: Project) -> None:
    shell, other = Shell(shop), Shell(shop)
    first = shell.run("customer", "list", "--limit", "50", "--fields", "email")
    assert "more rows follow: continue with `custctl customer list --next`" in first.text
    second = shell.run("customer", "list", "--next", "--fields", "email")
    third = shell.run("customer", "list", "--next", "--fields", "email")
    emails = [line for seen in (first, second, third) for line in seen.lines if "@" in line]
    assert len(emails) == len(set(emails)) == 120
    assert "is complete" in shell.run("customer", "list", "--next").text
    refused = other.run("customer", "list", "--next")
    assert refused.code == 2
    assert "this terminal has no list to continue" in refused.text


def test_next_of_a_search_is_apart_from_that_of_a_list(shop: Project) -> None:
    shell = Shell(shop)
    refused = shell.run("customer", "search", "--next")
    assert refused.code == 2
    assert "this terminal has no search to continue" in refused.text
    first = shell.run("customer", "search", "example.com", "--limit", "70", "--fields", "email")
    assert "more rows follow: continue with `custctl customer search --next`" in first.text
    shell.run("customer", "list", "--limit", "2")
    other = shell.run("customer", "search", "c1", "--next")
    assert other.code == 2
    assert "`--next` continues the last search of this terminal as it was" in other.text
    second = shell.run("customer", "search", "--next", "--fields", "email")
    emails = [line for seen in (first, second) for line in seen.lines if "@" in line]
    assert len(emails) == len(set(emails)) == 120
    assert "the last search of this terminal is complete" in shell.run("customer", "search", "--next").text


def test_next_refuses_other_filters_and_another_environment(shop: Project) -> None:
    shell = Shell(shop)
    shell.run("customer", "list", "--limit", "2", "--sort", "-email", "--country", "AT")
    same = shell.run("customer", "list", "--next", "--sort", "-email", "--country", "AT", "--fields", "email")
    assert (same.code, len([line for line in same.lines if "@" in line])) == (0, 2)
    for arguments in (("--country", "DE"), ("--sort", "email"), ("--after", "x"), ("--count",)):
        refused = shell.run("customer", "list", "--next", *arguments)
        assert refused.code == 2, arguments
        assert "--next" in refused.text
    refused = shell.run("customer", "list", "--next", "--env", "test")
    assert refused.code == 2
    assert "used profile `dev`" in refused.text
    assert shell.run("customer", "list", "--next").code == 0


def test_next_is_private_expires_and_goes_with_a_customer(shop: Project) -> None:
    shell = Shell(shop)
    shell.run("customer", "list", "--limit", "2", "--sort", "last_name")
    folder = Path(shop.environ["HOME"], ".local/state/custctl/lists")
    [file] = [
        path for path in folder.iterdir() if path.stat().st_mtime > time.time() - 600 and "last_name" not in path.name
    ][-1:]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        os.utime(path, (time.time() - 13 * 3600,) * 2)
    assert "no list to continue" in shell.run("customer", "list", "--next").text
    shell.run("customer", "list", "--limit", "2")
    inside(shop, migrate=False).ok("customer", "delete", "c116@example.com", "--yes")
    assert "no list to continue" in shell.run("customer", "list", "--next").text
    assert not list(folder.iterdir())


def test_without_a_terminal_there_is_no_next(shop: Project) -> None:
    error = inside(shop, migrate=False).run("customer", "list", "--next", "-o", "json")
    assert error.code == 2
    assert "`--after CURSOR`" in error.error["hint"]


# -- conflicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_conflict_fits_and_breaks_no_word(shop: Project, columns: int) -> None:
    wide = "Another name of a company that does not end before the terminal does"
    typed = ("--company", wide, "--first-name", "美美", "--if-version", "e1-9")
    seen = see(shop, "customer", "update", "2", *typed, columns=columns)
    assert seen.code == 5
    [error] = [number for number, line in enumerate(seen.lines) if line.startswith("error:")]
    # The announcement of the database comes first.
    table = [line for line in seen.lines[:error] if not line.startswith("dev (")]
    assert all(cells(line) <= columns for line in table[-8:])
    assert "漢字漢字漢字漢字漢字漢字漢字漢字" in seen.text
    assert " does" in seen.text
    if columns == 200:
        [first, company] = table[-2:]
        assert cells(first[: first.rindex("美美")]) == cells(company[: company.index(wide)])


# -- history ---------------------------------------------------------------------------------------


def test_history_reads_like_a_change_log(shop: Project) -> None:
    with_history = inside(shop, migrate=False)
    with_history.ok("customer", "add", "--email", "h@example.com", "--first-name", "H", "--last-name", "Y")
    with_history.ok("customer", "update", "h@example.com", "--phone", "5")
    with_history.ok("customer", "update", "h@example.com", "--phone", "6", "--company", "Labs")
    lines = see(shop, "customer", "history", "h@example.com").lines
    heads = [line for line in lines if not line.startswith(" ")]
    assert [re.split(" {3}", head)[1] for head in heads] == ["add", "update", "update"]
    assert all(re.match(r"\S+Z \(.*(ago|now)\) {3}", head) for head in heads)
    assert "  email        h@example.com" in lines
    assert "  phone   (empty) → 5" in lines
    assert lines[-2:] == ["  phone     5 → 6", "  company   (empty) → Labs"]
    table = with_history.ok("customer", "history", "h@example.com", "-o", "table").out
    assert "ago" not in table
    assert "  phone   (empty) → 5" in table.splitlines()
    with_history.ok("customer", "delete", "h@example.com", "--yes")
