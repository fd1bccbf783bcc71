"""Reads the scripts of a `sql/` folder."""

from __future__ import annotations

import codecs
import hashlib
import re
from os import DirEntry
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from custctl.migrations.folders import engine_folder, entries_of, is_script, kind_of, reject, sql_files
from custctl.migrations.spaces import Space, is_disputed, space_of
from custctl.support.errors import MigrationError, UsageError

if TYPE_CHECKING:
    from custctl.migrations.directives import Directives

Kind = Literal["versioned", "repeatable", "seed"]

_VERSIONED = re.compile(r"([0-9]+)_([A-Za-z0-9][A-Za-z0-9_-]*)\.sql")
MOST_DIGITS = 18
"""Maximum digits of a script's number: a signed 64-bit integer holds them in every engine; a timestamp has 14."""

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
    """

    kind: Kind
    version: int | None
    description: str
    name: str
    path: Path
    text: str
    checksum: str

    @property
    def directives(self) -> Directives:
        """The directives in its text, read when they are first asked for: what is applied unchanged needs none.

        Raises:
            MigrationError: as for `parse_directives`.
        """
        # Imported here: the patterns take longer to compile than a run with nothing to do takes to read all scripts.
        from custctl.migrations.directives import parse_directives

        return parse_directives(self.text, self.name)

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


def discover(sql_dir: Path, engine: str) -> ScriptSet:
    """Read all versioned and repeatable scripts of one engine.

    Args:
        sql_dir: the folder that holds one folder per engine.
        engine: the engine's name.

    Returns:
        The scripts, in the order in which they run.

    Raises:
        MigrationError: no such engine, a file that is not a script, two scripts of one space with the same number, or
            a text that cannot be decoded.
    """
    folder = engine_folder(sql_dir, engine)
    versioned: dict[tuple[bool, int], Script] = {}
    for entry in sql_files(folder / "migrations"):
        version, description = parse_name(entry)
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
        for entry in sql_files(folder / "repeatable")
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
    folder = engine_folder(sql_dir, engine) / "seed"
    sets: dict[str, list[Script]] = {}
    for entry in entries_of(folder):
        if kind_of(entry) != "folder":
            if is_script(entry.name):
                reject(entry.path, f"the seed script `seed/{entry.name}` belongs to no set", "move it into `seed/SET/`")
            continue
        sets[entry.name] = [
            _read("seed", None, f"{entry.name}/{file.name[:-4]}", f"seed/{entry.name}/{file.name}", file.path)
            for file in sql_files(Path(entry.path))
        ]
    return sets


def checksum(text: str) -> str:
    """Return the checksum of a script's text: `Script.text` or the result of `normalise`."""
    return f"v1:sha256:{hashlib.sha256(text.encode('utf-8')).hexdigest()}"


def normalise(text: str) -> str:
    """Return `text` without a BOM and with LF for CRLF and CR; a CR inside a string literal changes too."""
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


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


def parse_name(entry: DirEntry[str]) -> tuple[int, str]:
    """Return the number and the description in the name of a versioned script.

    Raises:
        MigrationError: it is not named like one.
    """
    match = _VERSIONED.fullmatch(entry.name)
    shown = f"migrations/{entry.name}"
    if match is None:
        reject(entry.path, f"`{shown}` is not named like a migration", _PATTERN_HINT)
    if len(match[1]) > MOST_DIGITS:
        reject(entry.path, f"the number of `{shown}` has more than {MOST_DIGITS} digits", _PATTERN_HINT)
    version = int(match[1])
    if version == 0:
        reject(entry.path, f"the number of `{shown}` is 0, which means an empty database", "begin at 1")
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
        reject(name, f"{name}:{line}: the script contains a NUL character", "save it as UTF-8")
    return Script(kind, version, description, name, Path(path), text, checksum(text))


def _decode(data: bytes, name: str) -> str:
    # Tools for SQL Server save UTF-16; without a BOM it cannot be told from garbage.
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        where = f"{name}:{data.count(10, 0, error.start) + 1}" if encoding == "utf-8" else name
        wrong = f"byte {error.start} (0x{data[error.start]:02x}) is not {encoding.upper()}"
        reject(name, f"{where}: {wrong}", "save the script as UTF-8")
