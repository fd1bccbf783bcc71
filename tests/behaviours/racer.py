"""One process of a race: it waits for the word on stdin, runs its commands, and prints what each came to as JSON."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import psycopg  # noqa: F401 - loaded before the start, as all that takes long
import sqlalchemy  # noqa: F401

from custctl import app


def run(arguments: list[str]) -> dict[str, object]:
    """Run one command line of custctl, as in a pipe."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app.run(arguments)
    return {"code": int(code), "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    json.dump([run(arguments) for arguments in json.loads(sys.argv[1])], sys.stdout)
