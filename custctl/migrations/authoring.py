"""Making new scripts."""

from __future__ import annotations

import os
from pathlib import Path

from custctl.errors import CredentialError, UsageError
from custctl.migrations.scripts import next_number, slug

_TEMPLATE = "-- {name}\n\n"


def new_scripts(sql_dir: Path, name: str, *, bundled: bool) -> list[Path]:
    """Make an empty script with the next number for each engine of a `sql/` folder.

    Args:
        bundled: whether the folder is the program's own, which is not to be written to.

    Returns:
        The files that were made.

    Raises:
        UsageError: the folder is bundled or has no engine, or the name gives no file name.
    """
    if bundled:
        raise UsageError(
            "there is no `sql` folder here to put a script into",
            hint=f"copy the bundled one first: `cp -r {sql_dir} sql`",
        )
    engines = sorted(entry.name for entry in sql_dir.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not engines:
        raise UsageError(f"`{sql_dir}` has no folder of an engine", hint=f"make one, such as `{sql_dir / 'sqlite'}`")
    number, words = next_number(sql_dir), slug(name)
    made = []
    for engine in engines:
        folder = sql_dir / engine / "migrations"
        path = folder / f"{number}_{words}.sql"
        try:
            folder.mkdir(exist_ok=True)
            # Exclusive: two that make a script at once must not write into one file.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            raise UsageError(f"`{path}` exists already", hint="run it again") from None
        except OSError as error:
            raise CredentialError(f"`{path}` cannot be made: {error.strerror}") from error
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(_TEMPLATE.format(name=" ".join(name.split())))
        made.append(path)
    return made
