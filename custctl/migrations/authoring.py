"""Creating new scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from custctl.migrations.directives import Directives, parse_directives
from custctl.migrations.markers import refuse_markers
from custctl.migrations.scripts import next_number, slug
from custctl.support.errors import CredentialError, MigrationError, UsageError

_TEMPLATE = "-- {name}\n\n"


def new_scripts(sql_dir: Path, name: str, *, bundled: bool) -> list[Path]:
    """Create an empty script with the next number for each engine of a `sql/` folder.

    Args:
        bundled: whether the folder belongs to the program and must not be written to.

    Returns:
        The new files.

    Raises:
        UsageError: the folder is bundled or has no engine, or the name cannot be turned into a file name.
    """
    engines = engine_folders(sql_dir, bundled=bundled)
    (paths,) = next_paths(sql_dir, engines, (name,))
    text = _TEMPLATE.format(name=" ".join(name.split()))
    shown = paths[engines[0]].name
    try:
        if parse_directives(text, shown) != Directives():
            raise MigrationError("it is one")
        refuse_markers(text, shown)
    except MigrationError as error:
        raise UsageError(
            f"`{name}` looks like a directive", hint="describe what the script does, as in `add phone`"
        ) from error
    return write_all(dict.fromkeys(paths.values(), text))


def engine_folders(sql_dir: Path, *, bundled: bool) -> list[str]:
    """Return the engines that a `sql/` folder has scripts for.

    Raises:
        UsageError: the folder is bundled or has no engine.
    """
    if bundled:
        raise UsageError(
            "there is no `sql` folder here for the script",
            hint=f"copy the bundled folder first: `cp -r {sql_dir} sql`",
        )
    engines = sorted(entry.name for entry in sql_dir.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not engines:
        raise UsageError(f"`{sql_dir}` has no engine folder", hint=f"make one, such as `{sql_dir / 'sqlite'}`")
    return engines


def next_paths(sql_dir: Path, engines: Sequence[str], names: Sequence[str]) -> list[dict[str, Path]]:
    """Return the paths of new scripts by engine: one for each name in turn, from the next number.

    Raises:
        UsageError: a name cannot be turned into a file name.
    """
    number = next_number(sql_dir)
    return [
        {
            engine: sql_dir / engine / "migrations" / f"{number._replace(number=number.number + at)}_{slug(name)}.sql"
            for engine in engines
        }
        for at, name in enumerate(names)
    ]


def write_all(files: Mapping[Path, str]) -> list[Path]:
    """Create all files or none: a number missing for one engine would be noticed only there.

    Raises:
        CredentialError: a file cannot be created.
        UsageError: a file already exists.
    """
    made: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(exist_ok=True)
            # Exclusive: two processes that create a script at once must not write to one file.
            with open(path, "x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise UsageError(f"`{path}` exists already", hint="run it again") from None
        if isinstance(error, OSError):
            raise CredentialError(f"`{path}` cannot be made: {error.strerror}; no file was made") from error
        raise
    return made
