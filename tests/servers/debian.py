"""Programs of Debian's packages that no wheel brings (see `debian.sh`): PgBouncer, and a server that speaks German."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.installations import Installation
from tests.servers.workplace import Workplace

GERMAN = "de_DE.UTF-8"


def debian_folder(workplace: Workplace) -> Path:
    """Return the folder of the unpacked packages, in a place from which the servers' user can run them.

    Raises:
        RuntimeError: they were not fetched.
    """
    # The Makefile puts them beside the interpreter.
    source = Path(sys.executable).parents[1] / "debian"
    if not (source / "ready").exists():
        raise RuntimeError(f"Debian's packages are missing: `sh tests/servers/debian.sh {source}`")
    with workplace.made_once("programs-debian") as (copy, fresh):
        if fresh:
            copy.chmod(0o755)
            shutil.copytree(source / "usr", copy / "usr", symlinks=True, ignore_dangling_symlinks=True)
            _make_locale(copy)
            subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
    return copy


def german_server(workplace: Workplace) -> Installation:
    """Return a server whose messages can be German: `LOCPATH` has to name `locales` in the packages' folder."""
    programs = next((debian_folder(workplace) / "usr/lib/postgresql").glob("*/bin"))
    return Installation(f"debian{programs.parent.name}", ("--locale=C",), folder=programs)


def locales(workplace: Workplace) -> Path:
    """Return the folder that `LOCPATH` names."""
    return debian_folder(workplace) / "locales"


def _make_locale(folder: Path) -> None:
    (folder / "locales").mkdir()
    data = folder / "usr/share/i18n"
    charmap = folder / "UTF-8"
    with charmap.open("wb") as stream:
        subprocess.run(["gzip", "-dc", data / "charmaps/UTF-8.gz"], stdout=stream, check=True)
    # It warns of what is no matter here.
    subprocess.run(
        ["localedef", "--force", "-i", data / "locales/de_DE", "-f", charmap, folder / "locales" / GERMAN],
        env={"I18NPATH": str(data), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert (folder / "locales" / GERMAN / "LC_MESSAGES").exists(), "the locale was not made"
