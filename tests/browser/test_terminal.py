"""`custctl browse` as a process on a real terminal: how it begins, how it is killed, and what it leaves."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from typing import Any

import pexpect
import pytest

from tests.browser.test_editing import kept
from tests.conftest import Project
from tests.replicas.support import wait_until


def start(project: Project, *arguments: str, **environ: str) -> Any:
    return pexpect.spawn(
        sys.executable,
        ["-m", "custctl", "browse", *arguments],
        cwd=str(project.path),
        env={**project.environ, "TERM": "xterm-256color", **environ},
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 80),
    )


def test_a_terminal_that_dies_loses_nothing_and_one_that_is_resized_shows_on(people: Project) -> None:
    child = start(people)
    child.expect_exact("dev (development): sqlite")  # announced, before the screen opens
    child.expect_exact("1 of 4")
    child.setwinsize(30, 100)
    child.expect_exact("1 of 4")
    child.send("e")
    child.expect_exact("edit customer 1")
    child.send("x.")
    child.expect_exact("1 field changed")
    wait_until(lambda: bool(kept(people)), "the edit to be kept", 30)
    with contextlib.suppress(pexpect.ExceptionPexpect):  # it may take longer to end than this waits
        child.close(force=False)  # the terminal is gone: SIGHUP
    wait_until(lambda: not child.ptyproc.isalive(), "the program to end", 30)
    [path] = kept(people)
    assert "email: " in path.read_text()
    again = start(people)
    again.expect_exact("1 of 4")
    again.send("e")
    again.expect_exact("is back")
    again.send("y")
    wait_until(lambda: "y" in kept(people)[0].read_text().split("email: ")[1], "the key to be kept", 30)
    again.kill(signal.SIGKILL)
    again.wait()
    [path] = kept(people)
    assert "y" in path.read_text().split("email: ")[1]


@pytest.mark.parametrize(
    ("end", "code"), [("q", 0), (signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)], ids=str
)
def test_it_ends_with_the_terminal_as_it_was(migrated: Project, end: str | int, code: int) -> None:
    child = start(migrated, "--read-only", NO_COLOR="1")
    child.expect_exact("no customer found")
    screen = child.before
    if isinstance(end, str):
        child.send(end)
    else:
        child.kill(end)
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, child.signalstatus) == (code, None)
    assert "\x1b[?1049l" in child.before  # back from the other screen
    assert "Traceback" not in child.before
    assert not re.search(r"\x1b\[[\d;]*\b(?:3[0-8]|4[0-8]|9[0-7])[;m]", screen)


def test_without_a_screen_it_says_what_to_use_instead(migrated: Project) -> None:
    result = migrated.run("browse")
    assert result.code == 2
    assert "`browse` needs a terminal" in result.err
    assert "custctl customer --help" in result.err
    child = start(migrated, TERM="dumb")
    child.expect_exact("`TERM` names none")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2


def test_a_database_that_cannot_be_opened_is_told_before_the_screen_opens(project: Project) -> None:
    child = start(project)
    child.expect_exact("does not exist yet")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 8
    assert "migrate" in child.before
    assert "\x1b[?1049h" not in child.before
