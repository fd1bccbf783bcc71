"""The program in a shell: completion, suggestions, colour, closed pipes, terminals."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from custctl.terminal.layout import width_of
from tests.conftest import ADA, REPOSITORY, Project

SGR = re.compile(r"\x1b\[[0-9;]*m")


def complete(project: Project, words: str, shell: str = "bash") -> list[str]:
    """Return what a shell would offer for the last word."""
    parts = words.split(" ")
    environ = {
        **project.environ,
        "_CUSTCTL_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(parts) - 1),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code = "import sys; sys.argv = ['custctl']; from custctl.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.split("\n")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("custctl cust", ["customer"]),
        ("custctl customer ge", ["get"]),
        ("custctl migrate --env ", ["dev", "prod", "staging", "test"]),
        ("custctl customer list -e st", ["staging"]),
        ("custctl customer get --fields id,em", ["id,email"]),
        ("custctl customer get -o js", ["json", "jsonl"]),
        ("custctl customer list --status su", ["suspended"]),
        ("custctl customer list --sort upd", ["updated_at"]),
    ],
)
def test_bash_completes_without_a_database(project: Project, words: str, offered: list[str]) -> None:
    assert [line for line in complete(project, words) if line] == offered
    assert not list(project.path.glob("*.db"))


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_complete_too(project: Project, shell: str) -> None:
    assert "get" in "\n".join(complete(project, "custctl customer ge", shell))


def test_what_is_misspelt_is_suggested(project: Project) -> None:
    for arguments, suggestion in (
        (["custommer", "get", "1"], "customer"),
        (["customer", "gett", "1"], "get"),
        (["customer", "get", "1", "--feilds", "id"], "--fields"),
        (["migrate", "--to", "5"], None),
        (["migrate", "statsu"], "status"),
        (["customer", "list", "-o", "jsn"], "json"),
        (["--env", "devv", "customer", "list"], "dev"),
    ):
        result = project.run(*arguments)
        assert result.code == 2
        assert (f"did you mean `{suggestion}`?" if suggestion else "--help`") in result.err, result.err
        assert result.out == ""


def test_an_option_without_its_value_leads_to_the_help_of_its_command(project: Project) -> None:
    for command in ("customer update 1 --city", "migrate --target", "audit list -o"):
        words = command.split()
        name = " ".join(words[: 1 if words[0] == "migrate" else 2])
        assert f"hint: see `custctl {name} --help`" in project.run(*words).err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("customer browse --read-only", "custctl browse --read-only --env test"),
        ("replica doctor", "custctl doctor --env test"),
        ("failover --to b", "custctl replica failover --to b --env test"),
        ("set-password 5", "custctl customer set-password 5 --env test"),
        ("customer warm", "custctl cache warm --env test"),
        ("customer count --country GB", "custctl --env test customer list --count --country GB"),
        ("migrate list", "custctl --env test migrate status"),
        ("audit log", "custctl --env test audit list"),
        ("cache flush", "custctl --env test cache clear"),
        ("credential rm", "custctl --env test credential delete"),
        ("credential get", "custctl --env test credential check"),
        ("profile ls", "custctl --env test profile list"),
        ("replica ls", "custctl --env test replica status"),
        ("identity check", "custctl --env test identity verify"),
        ("customer list --json", "--output json"),
        ("customer list --all", "--limit 0"),
        ("customer list --order-by city", "--sort"),
        ("customer delete 5 --force", "--yes"),
        ("customer update 5 company=Foo", "--set company=Foo"),
    ],
)
def test_what_is_called_otherwise_elsewhere_is_named(project: Project, typed: str, meant: str) -> None:
    result = project.run("--env", "test", *typed.split())
    assert result.code == 2
    assert f"hint: use `{meant}" in result.err, result.err


def test_no_option_is_suggested_for_its_dashes_alone(project: Project) -> None:
    assert "did you mean" not in project.run("customer", "list", "--xyz").err
    assert "did you mean" not in project.run("customer", "get", "1", "--all").err


def test_a_reader_that_closes_the_pipe_ends_the_program_quietly(migrated: Project) -> None:
    migrated.ok("seed", "--customers", "3000")
    for arguments in (
        ["customer", "list", "--limit", "0"],
        ["customer", "export"],
        ["customer", "list", "--limit", "0", "-o", "json"],
    ):
        process = migrated.start(*arguments)
        assert process.stdout is not None
        assert process.stderr is not None
        with process, process.stderr:
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0


def test_a_closed_stdout_is_no_traceback(migrated: Project) -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m custctl customer list >&-"],
        cwd=migrated.path, env=migrated.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def terminal(project: Project, *arguments: str, columns: int = 200, **environ: str) -> str:
    """Return what a command shows on a terminal."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "custctl", *arguments],
        cwd=str(project.path),
        env={**project.environ, "TERM": "xterm-256color", **environ},
        dimensions=(40, columns),
        encoding="utf-8",
        timeout=60,
    )
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


def test_a_terminal_gets_a_table_and_a_pipe_gets_tabs(migrated: Project) -> None:
    migrated.ok("customer", "add", *ADA)
    shown = SGR.sub("", terminal(migrated, "customer", "list"))
    assert "ada@example.com" in shown
    assert "\t" not in shown
    assert "address_line" not in shown, "a list on a terminal shows the columns that fit"
    assert migrated.ok("customer", "list").out.startswith("id\temail\t")


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_narrow_terminal_breaks_no_email_and_names_what_it_leaves_out(migrated: Project, columns: int) -> None:
    migrated.ok("customer", "add", *ADA, "--company", "Analytical Engines and Sons, Limited")
    listed = SGR.sub("", terminal(migrated, "customer", "list", columns=columns))
    got = SGR.sub("", terminal(migrated, "customer", "get", "1", columns=columns))
    for shown in (listed, got):
        assert "ada@example.com" in shown
        # The company alone may be cut, to make room for a column.
        assert "…" not in shown or (shown is listed and "Analytical" in shown)
    for name in ("email", "first_name", "status", "company", "version"):
        assert name in listed, "shown, or named as left out"
        assert name in got
    assert "Limited" in got


def test_a_run_of_scripts_on_a_terminal_tells_each_step_once(project: Project) -> None:
    shown = SGR.sub("", terminal(project, "migrate"))
    left = "\n".join(line.rsplit("\x1b[K", 1)[-1] for line in shown.split("\n"))
    assert left.count("0001_create_customer.sql") == 1


def test_a_step_is_cut_by_the_cells_of_a_terminal(migrated: Project) -> None:
    scripts = migrated.path / "sql"
    shutil.copytree(REPOSITORY / "sql", scripts)
    (scripts / "sqlite" / "repeatable" / f"{'顧客' * 12}.sql").write_text("CREATE VIEW v AS SELECT 1 AS a;\n")
    shown = SGR.sub("", terminal(migrated, "migrate", "--sql-dir", "sql", columns=40))
    drawn = [line for line in re.split("\r\x1b\\[K|\n", shown) if line.startswith("applied repeatable/顧客")]
    assert drawn
    assert all(width_of(line) < 40 for line in drawn)


def test_an_explicit_table_is_the_same_everywhere(migrated: Project) -> None:
    migrated.ok("customer", "add", *ADA)
    piped = migrated.ok("customer", "list", "-o", "table").out
    assert terminal(migrated, "customer", "list", "-o", "table", columns=40).replace("\r\n", "\n") == piped


def test_colour_follows_the_environment(migrated: Project) -> None:
    assert "\x1b[31m" in terminal(migrated, "customer", "get", "9")
    assert "\x1b" not in terminal(migrated, "customer", "get", "9", NO_COLOR="1")
    assert "\x1b" not in terminal(migrated, "customer", "get", "9", TERM="dumb")
    migrated.environ["FORCE_COLOR"] = "1"
    assert "\x1b[31m" in migrated.run("customer", "get", "9").err


@pytest.mark.parametrize("path", ["", "customer get", "customer list", "seed", "replica fence", "customer import"])
def test_help_has_no_marks_of_its_library(project: Project, path: str) -> None:
    shown = project.ok(*path.split(), "--help").out
    assert not re.search(r"default: \(|default:\s+\(|\{|x>=|\[default: 0\]", shown), shown


@pytest.mark.parametrize(
    ("tried", "meant"), [("show", "get"), ("find", "search"), ("rm", "delete"), ("set", "update"), ("ls", "list")]
)
def test_a_name_that_people_try_leads_to_the_command(project: Project, tried: str, meant: str) -> None:
    result = project.run("customer", tried, "1")
    assert result.code == 2
    assert f"hint: use `custctl customer {meant} 1`" in result.err


def test_the_right_command_has_all_that_was_typed(project: Project) -> None:
    del project.environ["CUSTCTL_SQL_DIR"]
    for typed, meant in (
        ("customer rm 1 -e prod", "customer delete 1 -e prod"),
        ("-e prod customer rm 1", "-e prod customer delete 1"),
        ("rm 1 --env=prod", "customer delete 1 --env=prod"),
        ("customer find 'a b'", "customer search 'a b'"),
        ("migrate up --wait 1s", "migrate --wait 1s"),
    ):
        assert f"hint: use `custctl {meant}`\n" in project.run(*shlex.split(typed)).err
    project.environ["CUSTCTL_ENV"] = "prod"
    assert "hint: use `custctl customer delete 1 --env prod`\n" in project.run("customer", "rm", "1").err


def test_a_number_that_is_none_is_said_plainly(project: Project) -> None:
    assert "`x` is not a whole number\n" in project.run("customer", "list", "--limit", "x").err
    assert "-1 is less than 0\n" in project.run("customer", "list", "--limit", "-1").err
    assert "0 is not between 1 and 100000000\n" in project.run("seed", "--customers", "0").err


def test_a_file_without_a_name_is_refused(migrated: Project) -> None:
    for arguments in (("export", "--output-file", ""), ("import", ""), ("import", "-", "--rejects", "")):
        result = migrated.run("customer", *arguments)
        assert (result.code, result.out) == (2, "")
        assert "empty" in result.err


def test_a_dash_is_stdout_for_export_and_no_file_for_rejects(migrated: Project) -> None:
    assert migrated.ok("customer", "export", "--output-file", "-").out == migrated.ok("customer", "export").out
    assert migrated.run("customer", "import", "-", "--rejects", "-").code == 2
    assert not (migrated.path / "-").exists()


@pytest.mark.parametrize("path", ["", "customer", "customer get", "migrate", "migrate status", "doctor"])
def test_the_short_option_for_help(project: Project, path: str) -> None:
    assert project.ok(*path.split(), "-h").out == project.ok(*path.split(), "--help").out


def test_an_option_of_one_value_is_given_once(migrated: Project) -> None:
    result = migrated.run("customer", "list", "--sort", "id", "--sort=-id")
    assert (result.code, result.out) == (2, "")
    assert "`--sort` is given twice" in result.err
    assert migrated.run("customer", "list", "--fields", "id", "--fields", "id", "--no-input", "--no-input").code == 0


@pytest.mark.parametrize(
    ("option", "arguments"),
    [
        ("output", ("-o", "csv", "customer", "list", "-ojson")),
        ("fields", ("customer", "list", "--fields", "id", "--fields", "email")),
        ("confirm", ("customer", "delete", "1", "--confirm", "a", "--confirm=b")),
        ("profiles-dir", ("--profiles-dir", "a", "profile", "list", "--profiles-dir", "b")),
        ("target", ("migrate", "--target", "1", "--target", "2")),
        ("request", ("customer", "erase", "1", "--request", "a", "--request", "b")),
    ],
)
def test_no_value_of_two_is_silently_taken(project: Project, option: str, arguments: tuple[str, ...]) -> None:
    result = project.run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert f"`--{option}` is given twice" in result.err


@pytest.mark.parametrize(
    ("tried", "meant"),
    [
        ("show 1", "customer get 1"),
        ("find x", "customer search x"),
        ("rm 1", "customer delete 1"),
        ("set 1", "customer update 1"),
        ("help", "--help"),
        ("version", "--version"),
        ("customer help", "customer --help"),
        ("migrate up", "migrate"),
        ("migrate create x", "migrate new x"),
    ],
)
def test_a_name_without_its_noun_leads_to_the_command(project: Project, tried: str, meant: str) -> None:
    del project.environ["CUSTCTL_SQL_DIR"]
    result = project.run(*tried.split())
    assert result.code == 2
    assert f"hint: use `custctl {meant}`" in result.err


def test_an_empty_result_says_so(migrated: Project) -> None:
    for arguments in (("search", "nobody"), ("list",), ("list", "--limit", "0"), ("search", "--contains", "nobody")):
        result = migrated.ok("customer", *arguments)
        assert "no customer found" in result.err
        assert "no customer found" not in migrated.ok("customer", *arguments, "-q").err


def test_help_is_plain_text(project: Project) -> None:
    result = project.ok("customer", "import", "--help")
    assert "\x1b" not in result.out
    assert "Examples:" in result.out


_LOADED_FIRST = {f"custctl/{name}.py" for name in ("__init__", "__main__", "support/__init__", "support/version")}


def test_an_interrupt_while_modules_are_loaded_prints_no_traceback(project: Project) -> None:
    ended = []
    for delay in (0.02, 0.04, 0.06, 0.08, 0.12):
        process = project.start("customer", "get", "1")
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        # Before the program's first line it is Python's own affair, which may end with 1.
        ended.append(process.returncode)
        frames = {
            Path(name).relative_to(REPOSITORY)
            for name in re.findall(rf'"({REPOSITORY}/custctl/[^"]+)"', error.decode())
        }
        assert {str(frame) for frame in frames} <= _LOADED_FIRST, error
        assert b"unexpected" not in error
    assert set(ended) <= {1, 130, 8, -signal.SIGINT}
