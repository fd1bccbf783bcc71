"""An interrupt ends with the contract's exit code wherever it comes, and not by the signal itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
