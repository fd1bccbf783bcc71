"""A Python that who runs the servers can run, with some of the packages that are installed here."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.servers.workplace import Workplace

# Large, and of no use to a server.
_LEFT_OUT = shutil.ignore_patterns("site-packages", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "config-*")


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter.

    Attributes:
        program: its path.
        environ: what its environment must hold.
    """

    program: Path
    environ: Mapping[str, str] = field(default_factory=dict)


def runnable_python(workplace: Workplace, requirement: str) -> Python:
    """Return this interpreter, or a copy where the servers' user cannot run it, as under /root.

    Args:
        workplace: where a copy goes, once a run.
        requirement: the installed package that it is to have, with all that it needs: `patroni[etcd3]`.
    """
    wanted = Requirement(requirement)
    try:
        workplace.run([sys.executable, "-c", f"import {wanted.name}"], environ={})
    except (PermissionError, RuntimeError):
        with workplace.made_once("python") as (copy, fresh):
            if fresh:
                _copy(copy, wanted)
        program = copy / "bin" / Path(sys.executable).resolve().name
        places = {"PYTHONHOME": copy, "PYTHONPATH": copy / "packages", "LD_LIBRARY_PATH": copy / "lib"}
        return Python(program, {name: str(path) for name, path in places.items()})
    return Python(Path(sys.executable))


def _copy(copy: Path, requirement: Requirement) -> None:
    copy.chmod(0o755)
    program = Path(sys.executable).resolve()
    (copy / "bin").mkdir()
    shutil.copy(program, copy / "bin")
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, copy / "lib" / library.name, ignore=_LEFT_OUT)
    for shared in library.parent.glob("libpython*.so*"):
        shutil.copy(shared, copy / "lib")
    for name in _closure(requirement):
        for file in metadata.files(name) or ():
            # Programs and manuals lie outside.
            if ".." not in file.parts:
                place = copy / "packages" / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), place)
    subprocess.run(["chmod", "-R", "a+rX", copy], check=True)


def _closure(requirement: Requirement) -> Iterator[str]:
    """Yield the names of an installed distribution and of all that it needs here."""
    seen: set[tuple[str, frozenset[str]]] = set()
    pending = [requirement]
    while pending:
        asked = pending.pop()
        key = asked.name, frozenset(asked.extras)
        if key in seen:
            continue
        seen.add(key)
        yield asked.name
        for needed in map(Requirement, metadata.requires(asked.name) or ()):
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *asked.extras)):
                pending.append(needed)
