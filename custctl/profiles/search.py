"""Finds profiles: the folders to search, their order, and the error if no profile is found."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from custctl.profiles.model import Environment, Profile
from custctl.support.errors import RefusedError, UsageError
from custctl.support.paths import absolute, bundled, chosen_folder, shown, user_config_dir, user_data_dir
from custctl.support.text import nearest, visible

if TYPE_CHECKING:
    from custctl.profiles.document import Problem
    from custctl.profiles.schema import Reading

_SUFFIX = ".yaml"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_OPTION, _VARIABLE = "--profiles-dir", "CUSTCTL_PROFILES_DIR"


class ProfileEntry(NamedTuple):
    """A line of `profile list`.

    Attributes:
        name: the profile's name.
        environment: its environment, if it could be read.
        problem: why it cannot be used, or None.
        source: its file.
        bundled: whether it is part of the package.
    """

    name: str
    environment: Environment | None
    problem: str | None
    source: Path
    bundled: bool


class _Folder(NamedTuple):
    """A folder of profiles. `named` is the option or variable that names it, None for a default folder."""

    path: Path
    named: str | None = None
    bundled: bool = False
    optional: bool = True

    def names(self) -> list[str]:
        """Return the names of its profiles, sorted, from a listing: lookups by name ignore case on some file systems.

        Raises:
            UsageError: a folder that was named, or `./profiles`, cannot be read.
        """
        try:
            entries = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            if self.named is not None:
                raise UsageError(f"`{self.named}` names `{visible(str(self.path))}`, which is not a folder") from None
            return []
        except OSError as error:
            if self.optional:
                return []
            reason = (error.strerror or "input/output error").lower()
            raise UsageError(f"cannot read the folder `{visible(str(self.path))}`: {reason}") from None
        return sorted(
            entry.removesuffix(_SUFFIX)
            for entry in entries
            if entry.endswith(_SUFFIX) and re.fullmatch(_NAME, entry.removesuffix(_SUFFIX))
        )

    def file(self, name: str) -> Path:
        return self.path / f"{name}{_SUFFIX}"


def _folders(profiles_dir: Path | None, environ: Mapping[str, str], cwd: Path) -> Iterator[_Folder]:
    """Yield the folders in search order; compute each only when it is reached."""
    choice = chosen_folder(profiles_dir, _OPTION, _VARIABLE, environ)
    if choice is not None:
        # A named folder is the only one: a typo in it must not lead to another folder's `prod`.
        yield _Folder(absolute(choice[0], cwd), named=choice[1], optional=False)
        return
    yield _Folder(absolute("profiles", cwd), optional=False)
    with suppress(UsageError):  # no home folder
        yield _Folder(user_config_dir(environ) / "profiles")
    yield _Folder(bundled("profiles"), bundled=True)


def load_profile(name: str, *, profiles_dir: Path | None, environ: Mapping[str, str], cwd: Path) -> Profile:
    """Find, read and validate a profile.

    Args:
        name: the profile's name, from `--env`.
        profiles_dir: the value of `--profiles-dir`, or None.
        environ: the process environment.
        cwd: the folder that relative paths start from.

    Raises:
        UsageError: there is no such profile, it does not validate, or it is a bundled profile for staging or
            production. The error lists all problems of the file.
        RefusedError: it turns TLS off in production.
    """
    if not re.fullmatch(_NAME, name):
        raise UsageError(
            f"`{visible(name[:60])}` is not a valid profile name",
            hint="letters, digits, `_` and `-`, as in `--env dev`",
        )
    seen: list[_Folder] = []
    for folder in _folders(profiles_dir, environ, cwd):
        if name in folder.names():
            return _load(name, folder, environ, cwd)
        seen.append(folder)
    raise _unknown(name, seen, cwd)


def _load(name: str, folder: _Folder, environ: Mapping[str, str], cwd: Path) -> Profile:
    reading = _read(name, folder, environ, cwd)
    return _usable(reading, folder.file(name), cwd, is_bundled=folder.bundled)


def find_profiles(*, profiles_dir: Path | None, environ: Mapping[str, str], cwd: Path) -> list[ProfileEntry]:
    """Return every profile that the search finds, by name, usable or not.

    Raises:
        UsageError: a folder that was named cannot be read.
    """
    entries: dict[str, ProfileEntry] = {}
    for folder in _folders(profiles_dir, environ, cwd):
        for name in folder.names():
            if name in entries:
                continue
            source = folder.file(name)
            reading = _read(name, folder, environ, cwd)
            problem: str | None = None
            try:
                _usable(reading, source, cwd, is_bundled=folder.bundled)
            except (UsageError, RefusedError) as error:
                problem = error.message
            entries[name] = ProfileEntry(name, reading.environment, problem, source, folder.bundled)
    return [entries[name] for name in sorted(entries)]


def profile_names(*, profiles_dir: Path | None, environ: Mapping[str, str], cwd: Path) -> list[str]:
    """Return the names of all profiles without reading any, for completion. Never raises."""
    names: set[str] = set()
    try:
        for folder in _folders(profiles_dir, environ, cwd):
            names.update(folder.names())
    except (UsageError, OSError):
        pass
    return sorted(names)


def _read(name: str, folder: _Folder, environ: Mapping[str, str], cwd: Path) -> Reading:
    # This imports yaml, so only if there is a file to read.
    from custctl.profiles.schema import read_profile

    source = folder.file(name)
    base = _base(folder, environ)
    return read_profile(name, source, base, environ, bundled=folder.bundled, label=shown(source, cwd))


def _base(folder: _Folder, environ: Mapping[str, str]) -> Path:
    """Return the folder that relative paths of a profile start from."""
    return user_data_dir(environ) if folder.bundled else folder.path.parent


def _usable(reading: Reading, source: Path, cwd: Path, *, is_bundled: bool) -> Profile:
    """Return the profile of a reading.

    Raises:
        UsageError: it does not validate, or is bundled and protected.
        RefusedError: its environment forbids a setting.
    """
    label = shown(source, cwd)
    if is_bundled and reading.environment is not None and reading.environment.is_protected:
        import shlex

        raise UsageError(
            f"profile `{source.stem}` is only a bundled example, and {reading.environment} never runs from one",
            hint=f"copy it and fill in your servers: `mkdir -p profiles && cp {shlex.quote(str(source))} profiles/`",
        )
    if reading.profile is None:
        raise UsageError(
            "\n".join(_line(label, problem) for problem in reading.problems),
            hint=_hint(reading.problems),
            details={"source": str(source), "problems": [_detail(problem) for problem in reading.problems]},
        )
    if reading.refusal is not None:
        details = {"source": str(source), "problems": [_detail(reading.refusal)]}
        raise RefusedError(_line(label, reading.refusal), hint=reading.refusal.hint, details=details)
    return reading.profile


def _line(label: str, problem: Problem) -> str:
    return f"{label}:{problem.line}: {problem.message}"


def _hint(problems: tuple[Problem, ...]) -> str | None:
    """Return the hints of all problems as one text, without duplicates; with lines if there are several problems."""
    hints: dict[str, int] = {}
    for problem in problems:
        if problem.hint is not None:
            hints.setdefault(problem.hint, problem.line)
    if len(problems) == 1:
        return problems[0].hint
    return "; ".join(f"line {line}: {hint}" for hint, line in hints.items()) or None


def _detail(problem: Problem) -> dict[str, str | int | None]:
    return {"line": problem.line, "message": problem.message, "hint": problem.hint}


def _unknown(name: str, folders: list[_Folder], cwd: Path) -> UsageError:
    known = sorted({each for folder in folders for each in folder.names()})
    where = ""
    if folders[0].named is not None:
        where = f" in `{visible(shown(folders[0].path, cwd))}`, which `{folders[0].named}` names"
    for folder in folders:
        other = folder.path / f"{name}.yml"
        if other.is_file():
            return UsageError(f"unknown profile `{name}`{where}", hint=f"rename `{shown(other, cwd)}` to `{name}.yaml`")
    close = nearest(name.lower(), tuple(known))
    if close:
        hint = f"did you mean `{close}`?"
    else:
        hint = (
            f"available profiles: {', '.join(f'`{each}`' for each in known)}"
            if known
            else f"create `{name}.yaml` there"
        )
    return UsageError(f"unknown profile `{name}`{where}", hint=hint, details={"known": known})
