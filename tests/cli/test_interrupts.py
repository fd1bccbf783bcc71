"""An interrupt ends with the contract's exit code wherever it comes, and not by the signal itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import pytest

from custctl.migrations.steps import _located
from custctl.support.signals import Terminated
from tests.conftest import REPOSITORY

_PROGRAM = """
import sys
from custctl.cli import app
from custctl.support.errors import InterruptedRunError

class Root:
    def make_context(self, *rest):
        try:
            exec("raise KeyboardInterrupt")
        except KeyboardInterrupt:
            if {told}:
                raise InterruptedRunError("interrupted; one row was written") from None
            raise

app.make_root = Root
sys.exit(app.run(["doctor"]))
"""


@pytest.mark.parametrize("told", [False, True])
def test_an_interrupt_of_code_that_is_made_of_text_ends_with_130(told: bool, tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(_PROGRAM.format(told=told))
    # As `python -m custctl` is: how a script ends does not go by what it was interrupted in.
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (130, False)
    assert "interrupted" in done.stderr


_LATE = """
import os
import sys
from custctl.__main__ import main

class Late:
    def __init__(self):
        self.kill, self.pid = os.kill, os.getpid()

    def __del__(self):
        for number in (2, 15):
            self.kill(self.pid, number)

# Dropped by an interpreter that has given up all handlers.
sys.late = Late()
sys.argv = ["custctl", "customer", "--nonsense"]
main()
"""


def test_a_signal_at_the_very_end_leaves_the_exit_code(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", _LATE], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr


_IN_A_CLASS = """
import os
import signal
import sys
from custctl.cli import app

class Field:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), {number})
        os.getpid()

class Root:
    def make_context(self, *rest):
        class Opened:
            field = Field()

app.make_root = Root
sys.exit(app.run(["doctor"], catch_signals=True))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_class_is_made_ends_with_its_own_code(number: int, code: int, tmp_path: Path) -> None:
    """Python 3.11 makes another error from it."""
    (tmp_path / "interrupted.py").write_text(_IN_A_CLASS.format(number=int(number)))
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "error: interrupted" in done.stderr
    assert "unexpected" not in done.stderr


def test_a_script_in_a_mock_session_leaves_a_signal_what_it_is() -> None:
    task = mock.Mock()
    task.session.errors = nullcontext
    with pytest.raises(Terminated), _located(task):
        raise RuntimeError("Error calling __set_name__") from Terminated()
