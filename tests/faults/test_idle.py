"""A person may think for hours: servers end sessions that are idle, and nothing is held meanwhile."""

from __future__ import annotations

import sys
from typing import Any

import pexpect
import pytest

from tests.conftest import ADA
from tests.faults.conftest import Commands, Site

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
def impatient(site: Site) -> Site:
    """A site whose server ends a session after a tenth of a second without a request."""
    site.ok("customer", "add", *ADA)
    name = site.project.names["dev"]
    site.project.sql(f"ALTER DATABASE {name} SET idle_session_timeout = '100ms'")
    return site


def test_an_edit_takes_as_long_as_it_takes(impatient: Site) -> None:
    editor = impatient.project.path / "editor.py"
    editor.write_text(
        "import sys, time\nfrom pathlib import Path\n"
        "path = Path(sys.argv[1])\ntime.sleep(1)\n"
        "path.write_text(path.read_text().replace('phone:', 'phone: 5'))\n"
    )
    impatient.project.environ["EDITOR"] = f"{sys.executable} {editor}"
    commands = Commands(impatient.project)
    result = commands.end(commands.start("customer", "edit", "1"), 60)
    assert result.code == 0, result.err
    assert impatient.project.sql("SELECT phone FROM customer") == [("5",)]


def test_a_question_may_stand_for_long(impatient: Site) -> None:
    child: Any = pexpect.spawn(
        sys.executable,
        ["-m", "custctl", "customer", "delete", "1"],
        cwd=str(impatient.project.path),
        env={**impatient.project.environ, "TERM": "xterm"},
        encoding="utf-8",
        timeout=60,
    )
    child.expect_exact("[y/N] ")
    assert impatient.project.sql(SESSIONS) == [(0,)]
    child.sendline("y")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert impatient.project.sql("SELECT count(*) FROM customer") == [(0,)]
