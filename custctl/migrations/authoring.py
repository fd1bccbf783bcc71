"""Creates new scripts: their numbers, their names and their files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from custctl.migrations.directives import Directives, parse_directives
from custctl.migrations.folders import engines_of, sql_files
from custctl.migrations.scripts import MOST_DIGITS, parse_name
from custctl.migrations.spaces import COMPANY_FROM
from custctl.support.errors import CredentialError, MigrationError, UsageError

_LEAST_WIDTH = 4
_LONGEST_SLUG = 100
_TEMPLATE = "-- {name}\n\n"


class NextNumber(NamedTuple):
    """The number of the next versioned script, and how many digits to write it with.

    Attributes:
        number: one above the highest of all engines, and at least 1000.
        width: the digits of the widest existing number, at least 4.
    """

    number: int
    width: int

    def __str__(self) -> str:
        return str(self.number).zfill(self.width)


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


def next_number(sql_dir: Path) -> NextNumber:
    """Return the number for a new script of the company, the same for every engine.

    Raises:
        MigrationError: a script has a wrong name, or no number is left.
    """
    number, width = COMPANY_FROM - 1, _LEAST_WIDTH
    for engine in engines_of(sql_dir):
        for entry in sql_files(sql_dir / engine / "migrations"):
            number = max(number, parse_name(entry)[0])
            width = max(width, entry.name.index("_"))
    if len(str(number + 1)) > MOST_DIGITS:
        raise MigrationError(f"there is no number above {number}", hint=f"a number has at most {MOST_DIGITS} digits")
    return NextNumber(number + 1, width)


def slug(name: str) -> str:
    """Return `name` as the words of a script's file name: `Add phone!` becomes `add_phone`.

    Raises:
        UsageError: the result is empty or too long.
    """
    import unicodedata

    if not name.isprintable():
        raise UsageError("the name is not printable UTF-8 text", hint="use ASCII letters and digits, as in `add phone`")
    # Drop accents; a character without an ASCII base letter becomes a gap.
    ascii_name = unicodedata.normalize("NFKD", name.casefold())
    ascii_name = "".join(c for c in ascii_name if not unicodedata.combining(c))
    words = re.findall(r"[a-z0-9]+", ascii_name.removesuffix(".sql"))
    result = "_".join(words)
    if not result:
        raise UsageError(f"`{name}` does not give a file name", hint="use ASCII letters and digits, as in `add phone`")
    if len(result) > _LONGEST_SLUG:
        raise UsageError(f"the name is longer than {_LONGEST_SLUG} characters", hint="use a few words")
    return result
