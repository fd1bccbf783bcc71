"""What the documentation tells a reader to type works as it says. `CUSTCTL_UPDATE_GOLDEN=1` writes the output anew."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY, Project, clean_environment
from tests.docs.pages import PAGES, SHELLS, Block, Command, Shell, agrees, read_page
from tests.servers.fixtures import PostgresqlServers
from tests.servers.hooks import Hooks
from tests.servers.projects import PASSWORD_VARIABLE
from tests.servers.valkey import ValkeyServer

READ = {name: read_page(file.read_text()) for name, file in PAGES.items()}
RUN = [name for name, page in READ.items() if any(block.is_run for block in page.blocks)]


@pytest.fixture
def shell() -> Iterator[Shell]:
    """A shell in a folder of a reader's own, where `custctl` is installed and nothing was done yet.

    Its path is as short as that in the pages: a table is laid out by its longest value.
    """
    with tempfile.TemporaryDirectory(prefix="ada") as short:
        yield _settled(Path(short))


def _settled(top: Path) -> Shell:
    home, folder = top, top / "shop"
    for each in (home / ".config" / "custctl" / "profiles", folder, home / "bin"):
        each.mkdir(parents=True)
    shutil.copy(REPOSITORY / "examples" / "customers.csv", folder)
    environ = clean_environment(home, {"TERM": "dumb", "NO_COLOR": "1", "LC_ALL": "C.UTF-8", "USER": "ada"})
    environ["PATH"] = f"{home / 'bin'}:{environ['PATH']}"
    environ["CLONE"] = str(REPOSITORY)
    environ["PYTHON"] = sys.executable
    made = Shell(folder, environ, {str(home): "/home/ada"})
    _program(made, "custctl", sys.executable, "-m", "custctl")
    return made


def _program(shell: Shell, name: str, *command: str) -> None:
    """Install a program that runs a command with the arguments that it is given."""
    program = Path(shell.environ["HOME"]) / "bin" / name
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    program.chmod(0o755)


@pytest.fixture
def served(request: pytest.FixtureRequest, shell: Shell, postgresql_servers: PostgresqlServers) -> Iterator[Shell]:
    """The shell, with the servers that the page is run with and the profiles that lead there."""
    profiles = Path(shell.environ["HOME"]) / ".config" / "custctl" / "profiles"
    match request.param:
        case "postgresql":
            place = postgresql_servers.place("postgresql18")
            name = f"docs_{secrets.token_hex(6)}"
            database = place.create(name)
            reached = {"engine": "postgresql", "name": name, "user": place.user, **place.protected}
            _write(profiles / "prod.yaml", {"environment": "production", "database": reached, "seed": ["reference"]})
            shell.environ[PASSWORD_VARIABLE] = place.password
            yield shell
            database.drop()
        case "cluster":
            cluster = postgresql_servers.cluster(synchronous=True)
            with Hooks(cluster) as hooks:
                # Without one that fences, a primary that is fenced goes on running, as a page may tell.
                command = {"rejoin": hooks.commands["rejoin"]}
                cluster.profile(Project(profiles.parent, shell.environ), "dev", hooks=command)
                _program(shell, "stop-node", *hooks.commands["fence"][:-1])
                yield shell
        case "cache":
            server = ValkeyServer.create(postgresql_servers.workplace)
            server.start()
            reached = {"engine": "sqlite", "path": "customers.db"}
            cached = {"url": server.url}
            _write(profiles / "dev.yaml", {"environment": "development", "database": reached, "cache": cached})
            yield shell
            server.stop()
        case _:
            yield shell


def _write(file: Path, profile: object) -> None:
    file.write_text(yaml.safe_dump(profile))


@pytest.mark.parametrize(("name", "served"), [(name, READ[name].servers) for name in RUN], ids=RUN, indirect=["served"])
def test_what_a_page_tells_to_type_works(name: str, served: Shell) -> None:
    page = READ[name]
    renewed = page.text
    faults = []
    for step in page.steps:
        if isinstance(step, Block) and "file" in step.notes:
            file = served.folder / step.notes["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(step.text)
        commands = [step] if isinstance(step, Command) else step.commands() if step.is_run else []
        for command in commands:
            code, printed = served.run(command)
            is_code = command.text.strip() == "echo $?"
            assert code == 0 or command.fails or is_code, f"exit {code}: {command.text}{printed}"
            if command.shown is not None and not agrees(command.shown, printed):
                faults.append(f"$ {command.text}{printed}--- the page has\n{command.shown}")
                start, end = (place - len(page.text) for place in command.where)
                renewed = renewed[:start] + printed + (renewed[end:] if end else "")
    if faults and os.environ.get("CUSTCTL_UPDATE_GOLDEN"):
        PAGES[name].write_text(renewed)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", PAGES)
def test_a_block_that_is_not_run_says_why(name: str) -> None:
    for block in READ[name].blocks:
        assert block.language, f"a block without a language: {block.text}"
        assert len(block.notes.get("not run", "it is run and tested").split()) > 3, block.text


def test_few_blocks_are_not_run() -> None:
    blocks = [block for page in READ.values() for block in page.blocks if block.language in SHELLS]
    assert sum(not block.is_run for block in blocks) * 4 < len(blocks)


def test_a_page_is_read_as_a_reader_reads_it() -> None:
    page = read_page(
        "<!-- run with: cache -->\n<!-- run first: one\ntwo -->\n"
        "```console\n$ a \\\n  b\nout\n…\n$ c\n$ echo $?\n5\n```\n"
        "<!-- not run: it takes a day -->\n```sh\nd\n```\n"
    )
    hidden, shown, left = page.steps
    assert page.servers == "cache"
    assert isinstance(hidden, Command)
    assert hidden.text == "one\ntwo\n"
    assert isinstance(shown, Block)
    first, second, code = shown.commands()
    assert (first.text, first.shown, first.fails) == ("a \\\n  b\n", "out\n…\n", False)
    assert page.text[slice(*first.where)] == "out\n…\n"
    assert (second.text, second.shown, second.fails) == ("c\n", None, True)
    assert (code.shown, page.text[slice(*code.where)]) == ("5\n", "5\n")
    assert isinstance(left, Block)
    assert not left.is_run


def test_what_a_page_shows_is_held_against_what_is_printed(shell: Shell) -> None:
    assert agrees("a … z\n", "a b\nc z\n")
    assert agrees("in 3 ms\n───\n", "in 0.5 s\n─────\n")
    assert not agrees("5\n", "7\n")
    assert shell.run(Command("custctl customer get 1"))[0] == 8
    assert shell.run(Command("false\ntrue\n"))[0] == 1
    shell.run(Command("export KEPT=1; cd ..; pwd"))
    assert shell.run(Command('echo "$KEPT"; pwd')) == (0, "1\n/home/ada\n")
