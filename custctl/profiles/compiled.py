"""Profiles as they were read last: YAML and its validation take longer than most commands that need a profile.

A compiled profile is taken only where the file, the environment variables that it names, the folder that its paths are
seen from, and this program are what they were. It stands in the user's state folder, his alone; a file that is damaged,
cannot be read or cannot be written is as if there were none.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from custctl import __version__
from custctl.errors import UsageError
from custctl.paths import user_state_dir
from custctl.profiles.model import (
    Auth,
    Cache,
    Database,
    Driver,
    Engine,
    Environment,
    Node,
    Profile,
    Reads,
    Replication,
    Tls,
)

_VARIABLE = re.compile(r"\$\{(\w+)")


class Compiled:
    """The compiled form of one profile.

    Args:
        source: its file, absolute.
        base: the folder that relative paths in it are seen from.
        label: the file as it is named to people.
    """

    def __init__(self, name: str, source: Path, base: Path, label: str, environ: Mapping[str, str]) -> None:
        self._source = source
        self._environ = environ
        self._facts = {"version": __version__, "code": _code(), "name": name, "base": str(base), "label": label}
        with suppress(UsageError):
            # Of two files whose sums are the same, the later one takes the place: the text itself is compared.
            self._path: Path | None = (
                user_state_dir(environ) / "profiles" / f"{name}-{zlib.crc32(bytes(source)):08x}.json"
            )
            return
        self._path = None

    def load(self) -> Profile | None:
        """Return the profile, or None where it has to be read anew."""
        if self._path is None:
            return None
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
            if held["facts"] != self._known(self._source.read_text(encoding="utf-8")):
                return None
            path = held["path"]
            # Links may lead elsewhere by now.
            if path is not None and os.path.realpath(path) != held["profile"]["database"]["path"]:
                return None
            return _profile(held["profile"], self._source)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def keep(self, profile: Profile, path: Path | None) -> None:
        """Keep a profile that was read.

        Args:
            path: the path of an SQLite file as the profile has it, links not followed.
        """
        if self._path is None:
            return
        from custctl.state import write_whole

        with suppress(OSError, ValueError):
            facts = self._known(self._source.read_text(encoding="utf-8"))
            held = {"facts": facts, "path": str(path) if path is not None else None, "profile": asdict(profile)}
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path, json.dumps(held, default=str))

    def _known(self, text: str) -> dict[str, Any]:
        """Return all that the profile depends on."""
        variables = {name: self._environ.get(name) for name in _VARIABLE.findall(text)}
        return {**self._facts, "text": text, "variables": variables}


def _code() -> list[int]:
    """Return when the code that reads profiles was changed last: a clone that is worked on has one version for long."""
    folder = Path(__file__).parent
    return sorted(entry.stat().st_mtime_ns for entry in os.scandir(folder) if entry.name.endswith(".py"))


def _profile(held: Mapping[str, Any], source: Path) -> Profile:
    database, cache = held["database"], held["cache"]
    replication = database["replication"]
    return Profile(
        name=held["name"],
        environment=Environment(held["environment"]),
        database=Database(
            **{
                **database,
                "engine": Engine(database["engine"]),
                "path": _path(database["path"]),
                "auth": Auth(database["auth"]),
                "nodes": tuple(Node(**node) for node in database["nodes"]),
                "tls": Tls(database["tls"]),
                "tls_ca": _path(database["tls_ca"]),
                "replication": Replication(**{**replication, "driver": Driver(replication["driver"])}),
                "reads": Reads(database["reads"]),
            }
        ),
        cache=Cache(**{**cache, "tls_ca": _path(cache["tls_ca"])}) if cache is not None else None,
        seed=tuple(held["seed"]),
        source=source,
        bundled=held["bundled"],
        origins=held["origins"],
    )


def _path(text: str | None) -> Path | None:
    return Path(text) if text is not None else None
