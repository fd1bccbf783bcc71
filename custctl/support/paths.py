"""Locations of files: those in the package, and the user's data, config and state folders."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from custctl.support.errors import UsageError

_PACKAGE = Path(__file__).absolute().parents[1]
_APP = "custctl"
# XDG Base Directory Specification 0.8: the variable, and the folder under HOME where it is not set.
_XDG = {
    "data": ("XDG_DATA_HOME", ".local/share"),
    "config": ("XDG_CONFIG_HOME", ".config"),
    "state": ("XDG_STATE_HOME", ".local/state"),
}


def bundled(kind: Literal["profiles", "sql"]) -> Path:
    """Return the package's folder of this kind.

    In a wheel it is inside the package; in a clone, editable or not, it is the repository's. It may not exist.
    """
    packed = _PACKAGE / "_bundled" / kind
    root = _PACKAGE.parent
    # Next to an installed package are other packages: without the project file, a folder `sql` there is not ours.
    if not packed.is_dir() and (root / "pyproject.toml").is_file():
        return root / kind
    return packed


def absolute(path: Path | str, cwd: Path) -> Path:
    """Return `path` relative to `cwd`, made absolute without `.` and `..`; links are not followed."""
    return Path(os.path.abspath(cwd / path))


def shown(path: Path, cwd: Path) -> str:
    """Return the path for people: relative if it is under `cwd`."""
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def chosen_folder(
    explicit: Path | None, option: str, variable: str, environ: Mapping[str, str]
) -> tuple[Path, str] | None:
    """Return the folder that an option or a variable names, and the name of that option or variable, or None.

    Raises:
        UsageError: the variable is set but empty, which would silently select another folder.
    """
    if explicit is not None:
        return explicit, option
    value = environ.get(variable)
    if value is None:
        return None
    if not value:
        raise UsageError(f"`{variable}` is set but empty", hint=f"name a folder, or `unset {variable}`")
    return Path(value), variable


def find_sql_dir(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> tuple[Path, bool]:
    """Return the folder of SQL scripts and whether it is the bundled one.

    Search order: `--sql-dir`, `CUSTCTL_SQL_DIR`, `./sql`, then the bundled folder.

    Args:
        explicit: the value of `--sql-dir`, or None.
        environ: the process environment.
        cwd: the folder that relative paths start from.

    Raises:
        UsageError: a folder was named and does not exist.
    """
    choice = chosen_folder(explicit, "--sql-dir", "CUSTCTL_SQL_DIR", environ)
    if choice is not None:
        folder, origin = absolute(choice[0], cwd), choice[1]
        if not folder.is_dir():
            raise UsageError(f"`{origin}` names `{folder}`, which is not a folder")
        return folder, False
    local = absolute("sql", cwd)
    return (local, False) if local.is_dir() else (bundled("sql"), True)


def user_data_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder for the user's databases. It may not exist yet."""
    return _user_dir("data", environ)


def user_config_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder for the user's own profiles. It may not exist."""
    return _user_dir("config", environ)


def user_state_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder for the state kept between commands. It may not exist yet."""
    return _user_dir("state", environ)


def _user_dir(kind: Literal["data", "config", "state"], environ: Mapping[str, str]) -> Path:
    variable, under_home = _XDG[kind]
    # The specification says to ignore relative paths.
    base = environ.get(variable, "")
    if os.path.isabs(base):
        return Path(base, _APP)
    home = environ.get("HOME", "")
    if os.name == "posix" and sys.platform != "darwin" and os.path.isabs(home):
        return Path(home, under_home, _APP)
    # macOS, Windows, and a process without HOME. Imported here: it costs start-up, and most runs never need it.
    import platformdirs

    find = {
        "data": platformdirs.user_data_path,
        "config": platformdirs.user_config_path,
        "state": platformdirs.user_state_path,
    }[kind]
    with suppress(RuntimeError):  # of releases that return no relative path
        folder = find(_APP, appauthor=False)
        if folder.is_absolute():
            return folder
    raise UsageError("this user has no home folder", hint=f"set `{variable}` to an absolute path")
