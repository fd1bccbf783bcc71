"""A real canaille, an identity server whose SCIM announces no filters, ignores them, and keeps no references.

It accepts two accounts with one user name, too, and refuses attributes that it does not know: a hard peer. It needs
older releases of libraries than `scim2-server` does, so it has a virtual environment of its own; `make test` makes it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.accounts.scim import TOKEN, Directory, wait_for
from tests.servers.ports import free_port

_PYTHON = Path(sys.prefix) / "canaille" / "bin" / "python"
# It ends with its parent's pipe, too. The database is in its memory.
_PROGRAM = """
import os, sys, threading
from datetime import datetime, timezone
from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import make_server

port, token = int(sys.argv[1]), sys.argv[2]
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
app = create_app({"SECRET_KEY": token * 2, "CANAILLE": {"DATABASE": "memory"}})
with app.app_context(), Backend.instance.session():
    client = models.Client(client_id="custctl", client_name="custctl")
    Backend.instance.save(client)
    issued = datetime.now(timezone.utc)
    Backend.instance.save(models.Token(token_id="t", access_token=token, client=client, issue_date=issued, lifetime=86400))
make_server("127.0.0.1", port, app, threaded=True).serve_forever()
"""


@contextmanager
def server(folder: Path) -> Iterator[Directory]:
    """Run a canaille during the block, with a folder as its home, and yield its directory."""
    assert _PYTHON.exists(), "canaille is not installed; `make test` installs it"
    directory = Directory(free_port(), "/scim/v2", keeps_references=False)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [_PYTHON, "-c", _PROGRAM, str(directory.port), TOKEN],
            cwd=folder,
            env={"HOME": str(folder)},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(directory, process)
            yield directory
        finally:
            process.kill()
            process.communicate()
