"""Find the scripts of a `sql/` folder, and read them.

Nothing is skipped silently: a file that looks like a script and cannot be one stops the run, because a migration that
never runs is noticed too late.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from custctl.engines import ENGINES
from custctl.migrations.directives import Directives, parse_directives
from custctl.migrations.markers import refuse_markers
from custctl.migrations.spaces import COMPANY_FROM, Space, is_disputed, space_of
from custctl.support.errors import MigrationError, UsageError
from custctl.support.text import nearest

Kind = Literal["versioned", "repeatable", "seed"]

_FOLDERS = ("migrations", "repeatable", "seed")
_COPY = re.compile(r"(?:~|#|\.(?:bak|orig|rej|sw[a-z]|tmp|md))$")
_NUMBERED = re.compile(r"[vV]?[0-9]+[_.-]")
_VERSIONED = re.compile(r"([0-9]+)_([A-Za-z0-9][A-Za-z0-9_-]*)\.sql")
# A signed 64-bit integer holds 18 digits in every engine; a timestamp has 14.
_MOST_DIGITS = 18
_LEAST_WIDTH = 4
_LONGEST_SLUG = 100
_LEAST_RESEMBLANCE = 4
_PATTERN_HINT = "name it `NUMBER_words_in_ascii.sql`, as in `0007_add_phone.sql`; see `custctl migrate new --help`"


class Script(NamedTuple):
    """One script on disk.

    Attributes:
        kind: `versioned` runs once, `repeatable` whenever its text changes, `seed` fills tables.
        version: the number of a versioned script, at least 1; None for the others.
        description: the words after the number; the stem of a repeatable script, `set/stem` of a seed.
        name: the file relative to the engine's folder, with `/`, as in `migrations/0001_create_customer.sql`.
        path: the file's path.
        text: its content: decoded, without a BOM, with LF line endings.
        checksum: `v1:sha256:` and the hexadecimal SHA-256 of `text` in UTF-8.
        directives: its directives.
    """

    kind: Kind
    version: int | None
    description: str
    name: str
    path: Path
    text: str
    checksum: str
    directives: Directives

    @property
    def space(self) -> Space:
        """The space that the script belongs to."""
        return space_of(self.name)

    @property
    def key(self) -> int | str:
        """The script's key in the journal: its number, or its name if the number is missing or not unique."""
        return self.name if self.version is None or is_disputed(self.version) else self.version


class ScriptSet(NamedTuple):
    """The scripts of one engine.

    Attributes:
        versioned: in the order in which they run: the product's, then the company's, each by number.
        repeatable: in the order of their names, by code point.
    """

    versioned: tuple[Script, ...]
    repeatable: tuple[Script, ...]

    def up_to(self, target: int) -> tuple[Script, ...]:
        """Return the versioned scripts up to and including a number.

        Raises:
            UsageError: no script has that number, or two have it.
        """
        found = [at for at, script in enumerate(self.versioned, 1) if script.version == target]
        if len(found) != 1:
            names = " and ".join(f"`{self.versioned[at - 1].name}`" for at in found)
            raise UsageError(
                f"two scripts have number {target}: {names}" if found else f"no script has number {target}",
                hint="`custctl migrate status` lists the scripts",
            )
        return self.versioned[: found[0]]


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


def discover(sql_dir: Path, engine: str) -> ScriptSet:
    """Read all versioned and repeatable scripts of one engine.

    Args:
        sql_dir: the folder that holds one folder per engine.
        engine: the engine's name.

    Returns:
        The scripts, in the order in which they run.

    Raises:
        MigrationError: no such engine, a file that is not a script, two scripts of one space with the same number, a
            text that cannot be decoded, or a wrong directive.
    """
    folder = _engine_folder(sql_dir, engine)
    _check_layout(folder)
    versioned: dict[tuple[bool, int], Script] = {}
    for entry in _sql_files(folder / "migrations"):
        version, description = _parse_name(entry)
        script = _read("versioned", version, description, f"migrations/{entry.name}", entry.path)
        other = versioned.setdefault((script.space != "product", version), script)
        if other is not script:
            raise MigrationError(
                f"the number {version} is used twice: `{other.name}` and `{script.name}`",
                hint="renumber the one that no database has applied yet to the next free number",
                details={"version": version, "scripts": [other.name, script.name]},
            )
    repeatable = [
        _read("repeatable", None, entry.name[:-4], f"repeatable/{entry.name}", entry.path)
        for entry in _sql_files(folder / "repeatable")
    ]
    return ScriptSet(tuple(versioned[place] for place in sorted(versioned)), tuple(repeatable))


def seed_sets(sql_dir: Path, engine: str) -> dict[str, list[Script]]:
    """Read the seed scripts of one engine.

    Args:
        sql_dir: the folder that holds one folder per engine.
        engine: the engine's name.

    Returns:
        The scripts of each set; sets and scripts are sorted by name. A set without scripts is included, empty.

    Raises:
        MigrationError: as for `discover`; and a script that belongs to no set.
    """
    _check_layout(_engine_folder(sql_dir, engine))
    folder = _engine_folder(sql_dir, engine) / "seed"
    sets: dict[str, list[Script]] = {}
    for entry in _entries(folder):
        if _kind(entry) != "folder":
            if _is_script(entry.name):
                _reject(
                    entry.path, f"the seed script `seed/{entry.name}` belongs to no set", "move it into `seed/SET/`"
                )
            continue
        sets[entry.name] = [
            _read("seed", None, f"{entry.name}/{file.name[:-4]}", f"seed/{entry.name}/{file.name}", file.path)
            for file in _sql_files(Path(entry.path))
        ]
    return sets


def checksum(text: str) -> str:
    """Return the checksum of a script's text: `Script.text` or the result of `normalise`."""
    return f"v1:sha256:{hashlib.sha256(text.encode('utf-8')).hexdigest()}"


def normalise(text: str) -> str:
    """Return `text` without a BOM and with LF for CRLF and CR; a CR inside a string literal changes too."""
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def next_number(sql_dir: Path) -> NextNumber:
    """Return the number for a new script of the company, the same for every engine.

    Raises:
        MigrationError: a script has a wrong name, or no number is left.
    """
    number, width = COMPANY_FROM - 1, _LEAST_WIDTH
    for engine in _engines(sql_dir):
        for entry in _sql_files(sql_dir / engine / "migrations"):
            number = max(number, _parse_name(entry)[0])
            width = max(width, entry.name.index("_"))
    if len(str(number + 1)) > _MOST_DIGITS:
        raise MigrationError(f"there is no number above {number}", hint=f"a number has at most {_MOST_DIGITS} digits")
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


def diff(applied_text: str, current_text: str, name: str) -> str:
    """Return a unified diff from the applied text to the current one; empty if they are the same."""
    import difflib

    lines = difflib.unified_diff(
        _diff_lines(applied_text), _diff_lines(current_text), f"{name} (applied)", f"{name} (on disk)"
    )
    return "".join(lines)


def _diff_lines(text: str) -> list[str]:
    # Not `splitlines`: it also breaks at form feeds and U+2028, and hides a missing final line feed.
    lines = [line + "\n" for line in normalise(text).split("\n")]
    last = lines.pop()
    return lines if last == "\n" else [*lines, last + "\\ No newline at end of file\n"]


def _engines(sql_dir: Path) -> list[str]:
    return [entry.name for entry in _entries(sql_dir) if _kind(entry) == "folder"]


def _engine_folder(sql_dir: Path, engine: str) -> Path:
    _check_engines(sql_dir)
    folder = sql_dir / engine
    if not folder.is_dir():
        there = ", ".join(f"`{name}`" for name in _engines(sql_dir))
        raise MigrationError(
            f"`{sql_dir}` has no folder `{engine}`",
            hint=f"it has: {there}" if there else "name the folder that contains the scripts with `--sql-dir`",
            details={"sql_dir": str(sql_dir), "engine": engine},
        )
    return folder


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return a folder's entries by name, without hidden files; empty if the folder does not exist."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MigrationError(f"cannot read the folder `{folder}`: {error.strerror}") from error


def _kind(entry: os.DirEntry[str]) -> Literal["folder", "file", "other"]:
    """Return what an entry is, or what its symbolic link points to."""
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
    except OSError:
        return "other"  # a symbolic link that points to itself


def _sql_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the scripts of a folder by name; a file that may be meant as one and cannot be stops the run.

    Hidden files, editors' copies (`x.sql~`, `x.sql.bak`, `#x.sql#`) and notes (`README.md`) are ignored.
    """
    for entry in _entries(folder):
        name = entry.name
        shown = f"{folder.name}/{name}"
        if not name.isprintable():
            _reject(entry.path, f"the file name {name!a} is not printable", "rename it")
        kind = _kind(entry)
        if kind == "folder":
            _reject(
                entry.path,
                f"`{shown}` is a folder: scripts in it would never run",
                f"move its scripts into `{folder.name}/`, or move the folder elsewhere",
            )
        if not _is_script(name):
            continue
        if kind != "file":
            # A broken symbolic link, or a pipe that would block.
            _reject(entry.path, f"`{entry.path}` is not a file", "restore what it points to, or remove it")
        if not name.endswith(".sql") and folder.name != "migrations":
            _reject(entry.path, f"the name of `{shown}` does not end in `.sql`", "rename it, or move it elsewhere")
        yield entry


def _is_script(name: str) -> bool:
    """Return whether a file may be meant as a script: by its extension, or by a leading number."""
    lower = name.lower()
    return not _COPY.search(lower) and (".sql" in lower or _NUMBERED.match(name) is not None)


def _check_engines(sql_dir: Path) -> None:
    """Refuse scripts in `sql/` itself, or in a folder there that may be meant as an engine's, which would never run."""
    for entry in _entries(sql_dir):
        name, lower = entry.name, entry.name.lower()
        if name in ENGINES:
            continue
        if _kind(entry) != "folder":
            if _NUMBERED.match(name) and _is_script(name):
                hint = "move it into the folder `migrations` of its engine"
                _reject(entry.path, f"the script `{sql_dir.name}/{name}` would never run", hint)
            continue
        meant = next((engine for engine in ENGINES if _resemble(lower, engine)), None)
        if (meant or lower in _FOLDERS) and _holds_scripts(entry.path):
            _reject(
                entry.path,
                f"scripts in the folder `{sql_dir.name}/{name}` would never run",
                f"rename it to `{meant}`" if meant else "move it into the folder of its engine",
            )


def _resemble(name: str, engine: str) -> bool:
    """Tell whether a folder may be meant as an engine's, as `postgres` or `sqlite3`."""
    return name.startswith(engine) or (engine.startswith(name) and len(name) >= _LEAST_RESEMBLANCE)


def _holds_scripts(folder: str) -> bool:
    """Tell whether a folder or one below it has a script."""
    return any(name.lower().endswith(".sql") for _, _, names in os.walk(folder) for name in names)


def _check_layout(folder: Path) -> None:
    """Refuse anything beside the folders of an engine's scripts that looks like a script and would never run.

    Raises:
        MigrationError: a script, a folder whose name differs in case, or one that resembles a known one.
    """
    for entry in _entries(folder):
        name = entry.name
        if name in _FOLDERS:
            continue
        if _kind(entry) == "folder":
            meant = nearest(name.lower(), _FOLDERS)
            if meant or _holds_scripts(entry.path):
                _reject(
                    entry.path,
                    f"scripts in the folder `{folder.name}/{name}` would never run",
                    f"rename it to `{meant}`" if meant else f"move them into one of: {', '.join(_FOLDERS)}",
                )
        elif _is_script(name):
            _reject(
                entry.path,
                f"the script `{folder.name}/{name}` would never run",
                "move it into `migrations/`, `repeatable/` or `seed/SET/`",
            )


def _parse_name(entry: os.DirEntry[str]) -> tuple[int, str]:
    match = _VERSIONED.fullmatch(entry.name)
    shown = f"migrations/{entry.name}"
    if match is None:
        _reject(entry.path, f"`{shown}` is not named like a migration", _PATTERN_HINT)
    if len(match[1]) > _MOST_DIGITS:
        _reject(entry.path, f"the number of `{shown}` has more than {_MOST_DIGITS} digits", _PATTERN_HINT)
    version = int(match[1])
    if version == 0:
        _reject(entry.path, f"the number of `{shown}` is 0, which means an empty database", "begin at 1")
    return version, match[2].replace("_", " ")


def _read(kind: Kind, version: int | None, description: str, name: str, path: str) -> Script:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise MigrationError(f"cannot read `{path}`: {error.strerror}", details={"script": name}) from error
    text = normalise(_decode(data, name))
    nul = text.find("\0")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        _reject(name, f"{name}:{line}: the script contains a NUL character", "save it as UTF-8")
    refuse_markers(text, name)
    directives = parse_directives(text, name)
    return Script(kind, version, description, name, Path(path), text, checksum(text), directives)


def _decode(data: bytes, name: str) -> str:
    # Tools for SQL Server save UTF-16; without a BOM it cannot be told from garbage.
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        where = f"{name}:{data.count(10, 0, error.start) + 1}" if encoding == "utf-8" else name
        wrong = f"byte {error.start} (0x{data[error.start]:02x}) is not {encoding.upper()}"
        _reject(name, f"{where}: {wrong}", "save the script as UTF-8")


def _reject(script: str, message: str, hint: str) -> NoReturn:
    raise MigrationError(message, hint=hint, details={"script": script})
