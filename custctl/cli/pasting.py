"""Completes commands in messages with the options of this invocation, so that they can be pasted unchanged."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from custctl.cli.options import Group

if TYPE_CHECKING:
    from typer._click.core import Command as ClickCommand
    from typer._click.core import Context as ClickContext

_OFFERED = r"`(custctl [^`]+)`"
# What must stay at the end: the rest of a shell command, and arguments that look like options.
_TAIL = r" (?:-- |[|<>&;])"
# A shared option, its spellings, and its environment variable.
_CARRIED = (
    ("env", ("--env", "-e"), "CUSTCTL_ENV"),
    ("profiles_dir", ("--profiles-dir",), "CUSTCTL_PROFILES_DIR"),
    ("sql_dir", ("--sql-dir",), "CUSTCTL_SQL_DIR"),
)
_FOLDERS = ("profiles_dir", "sql_dir")


def complete_commands(text: str, root: ClickContext, given: Mapping[str, list[Any]], environ: Mapping[str, str]) -> str:
    """Return a text with this invocation's profile and folders added to commands in backticks.

    Args:
        root: the context of the program's root command.
        given: shared options of this invocation, by name.
        environ: the process environment, which may set them, too.
    """

    def completed(match: re.Match[str]) -> str:
        return f"`{_complete(match[1], root, given, environ)}`"

    return re.sub(_OFFERED, completed, text)


def _complete(line: str, root: ClickContext, given: Mapping[str, list[Any]], environ: Mapping[str, str]) -> str:
    import shlex

    try:
        words = shlex.split(line)
    except ValueError:
        return line
    if "--help" in words:
        return line
    taken = {param.name for param in _command(words[1:], root).params}
    tail = re.search(_TAIL, line)
    at = tail.start() if tail else len(line)
    added = "".join(
        f" {spellings[0]} {shlex.quote(value)}"
        for name, spellings, value in _values(given, environ)
        if name in taken and not any(word.split("=")[0] in spellings for word in words)
    )
    return line[:at] + added + line[at:]


def _values(given: Mapping[str, list[Any]], environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for name, spellings, variable in _CARRIED:
        value = given[name][-1] if given.get(name) else environ.get(variable)
        if value:
            # A folder in full: the command may be pasted in another one.
            yield name, spellings, os.path.abspath(value) if name in _FOLDERS else str(value)


def _command(words: list[str], root: ClickContext) -> ClickCommand:
    """Return the command that the words name, or else the innermost group."""
    found: ClickCommand = root.command
    for word in words:
        # Shared options may precede a command.
        inner = found.get_command(root, word) if isinstance(found, Group) else None
        found = inner or found
    return found
