"""Reads typed values from a profile's tree; records every problem and every origin."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from enum import StrEnum
from typing import TypeVar

from custctl.profiles.document import Fields, Items, Node, Problem, Scalar, quote
from custctl.support.text import nearest
from custctl.support.units import parse_duration

Choice = TypeVar("Choice", bound=StrEnum)

# A variable that a shell would expand, at the start of a part of a path or of a default.
_BARE_VARIABLE = r"(?:^|/|:-)(\$([A-Za-z_][A-Za-z0-9_]*)|%([A-Za-z_]+)%)"
# So that `mysql` is not taken for `mssql`.
_TYPING_ERROR = 0.85


class Values:
    """Reads values by dotted path. Records each problem and returns a placeholder, so that reading continues.

    Args:
        label: the file's name for people.
        problems: receives the problems found.
        home: the user's home folder, absolute; None if unknown.

    Attributes:
        problems: the problems found.
        origins: where each value came from, by dotted path.
        lines: the line of each value, or of its section if the value is missing.
    """

    def __init__(self, label: str, problems: list[Problem], home: str | None) -> None:
        self._label = label
        self._home = home
        self.problems = problems
        self.origins: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self._misspelt: set[str] = set()

    def known(
        self,
        fields: Fields,
        prefix: str,
        keys: Collection[str],
        *,
        foreign: Collection[str] = (),
        engine: str | None = None,
    ) -> None:
        """Record every key that does not belong in a section."""
        for key, (line, _) in fields.nodes.items():
            if key in keys:
                continue
            full = f"{prefix}.{key}" if prefix else key
            known = ", ".join(f"`{each}`" for each in keys)
            if key in foreign:
                self.note(line, f"{quote(full)} does not apply to {engine}", f"known keys: {known}")
                continue
            close = nearest(key.lower()[:60], tuple(keys))
            if close:
                self._misspelt.add(full.removesuffix(key) + close)
            self.note(
                line,
                f"unknown key {quote(full)}",
                f"did you mean `{close}`?" if close else f"known keys: {known}",
            )

    def _find(self, fields: Fields, path: str, *, required: bool) -> Node | None:
        """Return the value of the last word of `path`, and record its line and origin."""
        found = fields.nodes.get(path.rpartition(".")[2])
        if found is None:
            self.origins[path] = "default"
            self.lines[path] = fields.line
            # A misspelt key was already reported.
            if required and path not in self._misspelt:
                self.note(fields.line, f"`{path}` is missing")
            return None
        line, node = found
        self.lines[path] = node.line
        self.origins[path] = f"{self._label}:{line}"
        if isinstance(node, Scalar):
            self.origins[path] = self._origin(node)
            if node.null and node.usable:
                self.note(line, f"`{path}` is empty", "give it a value, or remove the key")
                node.usable = False
        return node

    def _origin(self, scalar: Scalar) -> str:
        place = f"{self._label}:{scalar.line}"
        if not scalar.variables:
            return place
        names = ", ".join(f"${{{name}}}" for name in scalar.variables)
        return f"default of {names} in {place}" if scalar.defaulted else f"{names} in {place}"

    def _scalar(self, fields: Fields, path: str, *, required: bool = False) -> Scalar | None:
        node = self._find(fields, path, required=required)
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.note(node.line, f"`{path}` must be a single value, not a {_kind(node)}")
            return None
        if node.usable and not node.text.strip():
            self.note(node.line, f"`{path}` is empty", "give it a value, or remove the key")
            return None
        if node.usable and node.text != node.text.strip():
            self.note(node.line, f"`{path}` begins or ends with a space")
            return None
        return node if node.usable else None

    def text(self, fields: Fields, path: str, default: str | None, *, required: bool = False) -> str | None:
        """Return the text, or the default if there is no usable one."""
        scalar = self._scalar(fields, path, required=required)
        return default if scalar is None else scalar.text

    def path(self, fields: Fields, path: str, *, required: bool = False) -> str | None:
        """Return the path of a file with `~` and `~user` expanded, or None if there is no usable one."""
        scalar = self._scalar(fields, path, required=required)
        return None if scalar is None else self.at_home(scalar, path)

    def at_home(self, scalar: Scalar, path: str) -> str | None:
        """Return a path with a leading `~` replaced by the home folder; None if that is unknown."""
        text, line = scalar.text, scalar.line
        if variable := re.search(_BARE_VARIABLE, scalar.raw):
            bare, name = variable[1], variable[2] or variable[3]
            hint = f"write `${{{name}}}`" + (f", or `${bare}` for a name with a dollar sign" if variable[2] else "")
            self.note(line, f"`{bare}` in `{path}` is not a variable", hint)
            return None
        if not text.startswith("~"):
            return text
        first, slash, rest = text.partition("/")
        home = self._home if first == "~" else os.path.expanduser(first)
        if home is None or home.startswith("~"):
            self.note(line, f"cannot find the home folder {quote(first)} of `{path}`", "write the full path")
            return None
        return f"{home.rstrip('/')}{slash}{rest}"

    def choice(self, fields: Fields, path: str, kind: type[Choice], default: Choice | None) -> Choice | None:
        """Return the named member, or the default if none is named; None if the name is unknown."""
        scalar = self._scalar(fields, path, required=default is None)
        if scalar is None:
            return default
        known = [str(each) for each in kind]
        if scalar.text in known:
            return kind(scalar.text)
        close = None if scalar.variables else nearest(scalar.text.lower()[:60], known, _TYPING_ERROR)
        hint = f"did you mean `{close}`?" if close else f"one of {', '.join(f'`{each}`' for each in known)}"
        self.note(scalar.line, f"unknown {path.rpartition('.')[2]}: {scalar.quoted()}", hint)
        return None

    def integer(self, fields: Fields, path: str, default: int, low: int, high: int) -> int:
        """Return the whole number from `low` to `high`."""
        scalar = self._scalar(fields, path)
        if scalar is None:
            return default
        # ASCII digits only, and few: `int` also accepts digits of other scripts and underscores.
        if re.fullmatch(r"[0-9]{1,9}", scalar.text) and low <= int(scalar.text) <= high:
            return int(scalar.text)
        self.note(scalar.line, f"`{path}` must be a whole number from {low} to {high}, not {scalar.quoted()}")
        return default

    def duration(self, fields: Fields, path: str, default: float, *, zero: bool = True) -> float:
        """Return the seconds of a duration such as `5s`."""
        scalar = self._scalar(fields, path)
        if scalar is None:
            return default
        try:
            seconds = parse_duration(scalar.text)
        except ValueError as error:
            self.note(scalar.line, f"`{path}` is {scalar.quoted()}: {error}")
            return default
        if seconds == 0 and not zero:
            self.note(scalar.line, f"`{path}` must be longer than zero")
        return seconds

    def section(self, fields: Fields, path: str, *, required: bool = False) -> Fields | None:
        """Return the mapping under `path`."""
        node = self._find(fields, path, required=required)
        if node is None or isinstance(node, Fields):
            return node
        if not isinstance(node, Scalar) or node.usable:
            self.note(node.line, f"`{path}` must be a mapping, not a {_kind(node)}")
        return None

    def items(self, fields: Fields, path: str, *, required: bool = False) -> list[Node]:
        """Return the items of the list at `path`; a required list has at least one."""
        node = self._find(fields, path, required=required)
        if isinstance(node, Items):
            if required and not node.nodes:
                self.note(node.line, f"`{path}` is an empty list")
            return node.nodes
        if node is not None and (not isinstance(node, Scalar) or node.usable):
            self.note(node.line, f"`{path}` must be a list, not a {_kind(node)}")
        return []

    def words(self, items: list[Node], path: str) -> list[str]:
        """Return the texts of a list, an empty text for each unusable item."""
        words: list[str] = []
        for item in items:
            word = ""
            if not isinstance(item, Scalar):
                self.note(item.line, f"`{path}` must be a list of single values, not of {_kind(item)}s")
            elif item.usable and (item.null or not item.text.strip()):
                self.note(item.line, f"`{path}` contains an empty value")
            elif item.usable:
                word = item.text
                if item.variables:
                    self.origins[path] = self._origin(item)
            words.append(word)
        return words

    def note(self, line: int, message: str, hint: str | None = None) -> None:
        """Record a problem."""
        self.problems.append(Problem(line, message, hint))


def _kind(node: Node) -> str:
    if isinstance(node, Scalar):
        return "single value"
    return "list" if isinstance(node, Items) else "mapping"
