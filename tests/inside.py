"""Commands run inside the test's own process: what a pipe would see, without the start of a Python for each."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

from custctl.cli import app
from tests.conftest import Project, Result


class Inside(Project):
    """A project whose `run` starts no process; `start` still does."""

    __slots__ = ()

    def run(self, *arguments: str | Path, stdin: str | bytes | None = None, timeout: float = 60) -> Result:
        """Run custctl to its end."""
        data = stdin.encode() if isinstance(stdin, str) else stdin or b""
        out, err = io.BytesIO(), io.BytesIO()
        streams: dict[str, Any] = {
            "stdin": io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="surrogateescape"),
            "stdout": io.TextIOWrapper(out, encoding="utf-8", newline="\n"),
            "stderr": io.TextIOWrapper(err, encoding="utf-8", errors="backslashreplace", newline="\n"),
        }
        with (
            mock.patch.dict(os.environ, self.environ, clear=True),
            mock.patch.multiple(sys, **streams),
            contextlib.chdir(self.path),
            warnings.catch_warnings(),
        ):
            # As in a process of its own, where nobody sees them.
            warnings.simplefilter("ignore", DeprecationWarning)
            code = app.run([str(argument) for argument in arguments])
            sys.stdout.flush()
            sys.stderr.flush()
            return Result(code, out.getvalue().decode(), err.getvalue().decode())


def inside(project: Project, *, migrate: bool = True) -> Inside:
    """Return the project as one that starts no processes, its `dev` database with the schema."""
    made = Inside(project.path, project.environ)
    if migrate:
        made.ok("migrate")
    return made
