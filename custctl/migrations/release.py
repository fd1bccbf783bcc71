"""Scripts of the installed release that a project's folder lacks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from custctl.migrations.scripts import ScriptSet
from custctl.migrations.spaces import number_of
from custctl.schema.names import FIRST_SCRIPTS, PRODUCT_SCRIPTS
from custctl.support.paths import bundled


class Lacking(NamedTuple):
    """Scripts of the release that a project's folder lacks.

    Attributes:
        folder: the project's folder.
        names: the missing scripts of the engine in use.
        command: a shell command that copies the missing scripts of all engines of the folder.
    """

    folder: Path
    names: tuple[str, ...]
    command: str


def find_lacking(sql_dir: Path, engine: str, scripts: ScriptSet) -> Lacking | None:
    """Compare a project's folder with the scripts of the release.

    Args:
        sql_dir: the project's folder.
        engine: the engine in use.
        scripts: its scripts in that folder.

    Returns:
        What the folder lacks for that engine; None if nothing.
    """
    there = {script.name for script in (*scripts.versioned, *scripts.repeatable)}
    numbers = {script.version for script in scripts.versioned if (script.version or 0) <= FIRST_SCRIPTS}
    names = [
        name
        for name in PRODUCT_SCRIPTS
        if name not in there and number_of(name) not in numbers and (bundled("sql") / engine / name).is_file()
    ]
    if not names:
        return None
    import shlex

    copies: dict[Path, list[str]] = {}
    for folder in sorted(entry for entry in sql_dir.iterdir() if entry.is_dir()):
        for name in PRODUCT_SCRIPTS:
            source, target = bundled("sql") / folder.name / name, folder / name
            is_missing = name in names if folder.name == engine else not target.exists()
            if is_missing and source.is_file():
                copies.setdefault(target.parent, []).append(str(source))
    commands = [
        " ".join(
            [
                *([] if to.is_dir() else ["mkdir", shlex.quote(str(to)), "&&"]),
                "cp",
                *map(shlex.quote, [*files, str(to)]),
            ]
        )
        for to, files in copies.items()
    ]
    return Lacking(sql_dir, tuple(names), " && ".join(commands))
