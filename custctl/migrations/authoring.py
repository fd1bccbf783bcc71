"""Making new scripts."""

from __future__ import annotations

from pathlib import Path

from custctl.migrations.directives import Directives, parse_directives
from custctl.migrations.markers import refuse_markers
from custctl.migrations.scripts import next_number, slug
from custctl.support.errors import CredentialError, MigrationError, UsageError

_TEMPLATE = "-- {name}\n\n"


def new_scripts(sql_dir: Path, name: str, *, bundled: bool) -> list[Path]:
    """Make an empty script with the next number for each engine of a `sql/` folder.

    Args:
        bundled: whether the folder is the program's own, which is not to be written to.

    Returns:
        The files that were made.

    Raises:
        UsageError: the folder is bundled or has no engine, or the name does not give a file name.
    """
    if bundled:
        raise UsageError(
            "there is no `sql` folder here for the script",
            hint=f"copy the bundled folder first: `cp -r {sql_dir} sql`",
        )
    engines = sorted(entry.name for entry in sql_dir.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not engines:
        raise UsageError(f"`{sql_dir}` has no engine folder", hint=f"make one, such as `{sql_dir / 'sqlite'}`")
    words = slug(name)
    paths = [sql_dir / engine / "migrations" / f"{next_number(sql_dir)}_{words}.sql" for engine in engines]
    text = _TEMPLATE.format(name=" ".join(name.split()))
    try:
        if parse_directives(text, paths[0].name) != Directives():
            raise MigrationError("it is one")
        refuse_markers(text, paths[0].name)
    except MigrationError as error:
        raise UsageError(
            f"`{name}` looks like a directive", hint="describe what the script does, as in `add phone`"
        ) from error
    made: list[Path] = []
    try:
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            # Exclusive: two that make a script at once must not write into one file.
            with open(path, "x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except BaseException as error:
        # All of them or none: a number that one engine lacks would be missed only there.
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise UsageError(f"`{path}` exists already", hint="run it again") from None
        if isinstance(error, OSError):
            raise CredentialError(f"`{path}` cannot be made: {error.strerror}; no file was made") from error
        raise
    return made
