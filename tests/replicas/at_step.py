"""custctl with something happening to it at a chosen write of its journal of switchovers and failovers.

Run as a program: `python at_step.py MOMENTS custctl's own arguments`. A moment is `before:begun:fence=kill`: before or
after the journal is told that the step `fence` is begun (or done, undone, failed; `begin` and `end` are of no step), this
process is killed. Several moments are separated by commas; each strikes once. What can happen:

kill      SIGKILL
int, term, hup   SIGINT, SIGTERM or SIGHUP
full      from here on no file can grow, as on a disk that is full
wait      prints `waiting` to standard error, and goes on when its standard input ends
"""

from __future__ import annotations

import os
import resource
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.conftest import Project, Result

KILL, INT, TERM, HUP, FULL, WAIT = "kill", "int", "term", "hup", "full", "wait"


def run(project: Project, moments: str, *arguments: str, timeout: float = 60) -> Result:
    """Run custctl to its end, and let something happen to it on the way."""
    from tests.conftest import Result

    done = subprocess.run(
        _command(moments, *arguments),
        cwd=project.path,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def held(project: Project, moment: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run custctl up to a moment, `before:begun:promote`, where it waits; `finish` lets it go on."""
    process = subprocess.Popen(
        _command(f"{moment}={WAIT}", *arguments),
        cwd=project.path,
        env=project.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    told = b""
    try:
        assert process.stderr is not None
        while not told.endswith(b"waiting\n"):
            line = process.stderr.readline()
            assert line, f"ended before {moment}: {told.decode()}"
            told += line
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[bytes], timeout: float = 60) -> Result:
    """Let a held custctl go on to its end."""
    from tests.conftest import Result

    out, err = process.communicate(b"", timeout=timeout)
    return Result(process.returncode, out.decode(), err.decode())


def _command(moments: str, *arguments: str) -> list[str]:
    return [sys.executable, str(Path(__file__).resolve()), moments, *arguments]


def _strike(what: str) -> None:
    if what == WAIT:
        sys.stderr.write("waiting\n")
        sys.stderr.flush()
        sys.stdin.read()
    elif what == FULL:
        # Python leaves SIGXFSZ ignored: a write fails, as on a disk that is full.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    else:
        os.kill(os.getpid(), {KILL: signal.SIGKILL, INT: signal.SIGINT, TERM: signal.SIGTERM, HUP: signal.SIGHUP}[what])


def _main() -> None:
    from custctl.replication.journal import Journal

    moments = dict(moment.split("=") for moment in sys.argv[1].split(","))

    def watched(write: Any, name: Any) -> Any:
        def call(*arguments: Any) -> None:
            event = name(*arguments)
            _strike_at(f"before:{event}")
            write(*arguments)
            _strike_at(f"after:{event}")

        return call

    def _strike_at(moment: str) -> None:
        if moment in moments:
            _strike(moments.pop(moment))

    journal: Any = Journal
    journal.begin = watched(journal.begin, lambda *_: "begin")
    journal.end = watched(journal.end, lambda *_: "end")
    journal.step = watched(journal.step, lambda _journal, _plan, step, state, *_: f"{state}:{step.name}")
    sys.argv = ["custctl", *sys.argv[2:]]
    runpy.run_module("custctl", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
