"""Finds the scripts in the folders of `sql/`.

Nothing is skipped silently: a file that looks like a script and cannot be one stops the run, because a migration that
never runs is noticed too late.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NoReturn

from custctl.engines import ENGINES
from custctl.support.errors import MigrationError
from custctl.support.text import nearest

_FOLDERS = ("migrations", "repeatable", "seed")
_COPY = re.compile(r"(?:~|#|\.(?:bak|orig|rej|sw[a-z]|tmp|md))$")
_NUMBERED = re.compile(r"[vV]?[0-9]+[_. -]")
_SQL = r"\.(?:[a-z]*sql|ddl|dml)"
# Alembic, Knex, Rails, Phinx, Liquibase: the migrations of a program, which only that program runs. `__init__.py` makes a
# folder a part of a wheel.
_OTHER_TOOLS = r"(?<!__init__)\.(?:py|[cm]?js|ts|rb|php|xml|ya?ml|json)$"
_LEAST_RESEMBLANCE = 4


def engines_of(sql_dir: Path) -> list[str]:
    """Return the names of the folders in a `sql/` folder."""
    return [entry.name for entry in entries_of(sql_dir) if kind_of(entry) == "folder"]


def engine_folder(sql_dir: Path, engine: str) -> Path:
    """Return the folder of an engine's scripts.

    Raises:
        MigrationError: there is none, or scripts lie where none would run.
    """
    _check_engines(sql_dir)
    folder = sql_dir / engine
    if not folder.is_dir():
        there = ", ".join(f"`{name}`" for name in engines_of(sql_dir))
        raise MigrationError(
            f"`{sql_dir}` has no folder `{engine}`",
            hint=f"it has: {there}" if there else "name the folder that contains the scripts with `--sql-dir`",
            details={"sql_dir": str(sql_dir), "engine": engine},
        )
    _check_layout(folder)
    return folder


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """Return a folder's entries by name, without hidden files; empty if the folder does not exist."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MigrationError(f"cannot read the folder `{folder}`: {error.strerror}") from error


def kind_of(entry: os.DirEntry[str]) -> Literal["folder", "file", "other"]:
    """Return what an entry is, or what its symbolic link points to."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
    except OSError:
        return "other"  # a symbolic link that points to itself


def sql_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the scripts of a folder by name; a file that may be meant as one and cannot be stops the run.

    Hidden files, editors' copies (`x.sql~`, `x.sql.bak`, `#x.sql#`) and notes (`README.md`) are ignored.
    """
    for entry in entries_of(folder):
        name = entry.name
        shown = f"{folder.name}/{name}"
        if not name.isprintable():
            reject(entry.path, f"the file name {name!a} is not printable", "rename it")
        kind = kind_of(entry)
        if kind == "folder":
            reject(
                entry.path,
                f"`{shown}` is a folder: scripts in it would never run",
                f"move its scripts into `{folder.name}/`, or move the folder elsewhere",
            )
        if re.search(_OTHER_TOOLS, name.lower()):
            reject(entry.path, f"`{shown}` is not SQL: it would never run", "write it as SQL, or move it elsewhere")
        if not is_script(name):
            continue
        if kind != "file":
            # A broken symbolic link, or a pipe that would block.
            reject(entry.path, f"`{entry.path}` is not a file", "restore what it points to, or remove it")
        if not name.endswith(".sql") and folder.name != "migrations":
            reject(entry.path, f"the name of `{shown}` does not end in `.sql`", "rename it, or move it elsewhere")
        yield entry


def is_script(name: str) -> bool:
    """Return whether a file may be meant as a script: by its extension, or by a leading number."""
    lower = name.lower()
    return not _COPY.search(lower) and (re.search(_SQL, lower) is not None or _NUMBERED.match(name) is not None)


def _check_engines(sql_dir: Path) -> None:
    """Refuse scripts in `sql/` itself, or in a folder there that may be meant as an engine's, which would never run."""
    for entry in entries_of(sql_dir):
        name, lower = entry.name, entry.name.lower()
        if name in ENGINES:
            continue
        if kind_of(entry) != "folder":
            if _NUMBERED.match(name) and is_script(name):
                hint = "move it into the folder `migrations` of its engine"
                reject(entry.path, f"the script `{sql_dir.name}/{name}` would never run", hint)
            continue
        meant = next((engine for engine in ENGINES if _resemble(lower, engine)), None)
        if (meant or lower in _FOLDERS) and _holds_scripts(entry.path):
            reject(
                entry.path,
                f"scripts in the folder `{sql_dir.name}/{name}` would never run",
                f"rename it to `{meant}`" if meant else "move it into the folder of its engine",
            )
        # No deeper: this folder may hold a whole project.
        near = (Path(entry.path, _FOLDERS[0]), *Path(entry.path).glob(f"*/{_FOLDERS[0]}"))
        if any(map(_holds_scripts, near)):
            reject(
                entry.path,
                f"the migrations in `{sql_dir.name}/{name}` would never run: it is not the folder of an engine",
                f"rename it to one of: {', '.join(ENGINES)}; or move it elsewhere",
            )


def _resemble(name: str, engine: str) -> bool:
    """Tell whether a folder may be meant as an engine's, as `postgres` or `sqlite3`."""
    return name.startswith(engine) or (engine.startswith(name) and len(name) >= _LEAST_RESEMBLANCE)


def _holds_scripts(folder: str | Path) -> bool:
    """Tell whether a folder or one below it has a script."""
    return any(name.lower().endswith(".sql") for _, _, names in os.walk(folder) for name in names)


def _check_layout(folder: Path) -> None:
    """Refuse anything beside the folders of an engine's scripts that looks like a script and would never run.

    Raises:
        MigrationError: a script, a folder whose name differs in case, or one that resembles a known one.
    """
    for entry in entries_of(folder):
        name = entry.name
        if name in _FOLDERS:
            continue
        if kind_of(entry) == "folder":
            meant = nearest(name.lower(), _FOLDERS)
            if meant or _holds_scripts(entry.path):
                reject(
                    entry.path,
                    f"scripts in the folder `{folder.name}/{name}` would never run",
                    f"rename it to `{meant}`" if meant else f"move them into one of: {', '.join(_FOLDERS)}",
                )
        elif is_script(name):
            reject(
                entry.path,
                f"the script `{folder.name}/{name}` would never run",
                "move it into `migrations/`, `repeatable/` or `seed/SET/`",
            )


def reject(script: str, message: str, hint: str) -> NoReturn:
    """Refuse a script or its folder.

    Raises:
        MigrationError: always.
    """
    raise MigrationError(message, hint=hint, details={"script": script})
