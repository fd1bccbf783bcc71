"""The processes of a race: they are forked from one that has loaded all that takes long, and begin together.

Run as a program. Its arguments are the engine, how many rows an import writes at once, and, as JSON, a list of command
lines for each process; it prints what each command came to as JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import multiprocessing
import random
import sys
from multiprocessing.synchronize import Barrier

from custctl.cli import app
from custctl.customers import importing

_FORK = multiprocessing.get_context("fork")


def run(arguments: list[str]) -> dict[str, object]:
    """Run one command line of custctl, as in a pipe."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app.run(arguments)
    return {"code": int(code), "out": out.getvalue(), "err": err.getvalue()}


def run_all(commands: list[list[str]]) -> list[dict[str, object]]:
    """Run the commands of one process when all processes are there."""
    random.seed()  # or all of them would pause for the same times
    _start.wait()
    return [run(arguments) for arguments in commands]


if __name__ == "__main__":
    _engine, _batch, _texts = sys.argv[1:]
    for _name in ("customers.store", "migrations.runner", f"engines.{_engine}.database"):
        importlib.import_module(f"custctl.{_name}")
    importing.BATCH = int(_batch)
    _racers = json.loads(_texts)
    _start: Barrier = _FORK.Barrier(len(_racers))
    with _FORK.Pool(len(_racers)) as _pool:
        # Nobody can run two lists: the first one ends only when all have begun.
        json.dump(_pool.map(run_all, _racers, chunksize=1), sys.stdout)
