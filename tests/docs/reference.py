"""The reference of commands, written from what `--help` prints: `make reference`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from custctl.cli.app import make_root
from tests.conftest import REPOSITORY

REFERENCE = REPOSITORY / "docs" / "reference.md"

_WIDTH = 100
_SHARED = re.compile(r"^Shared options:\n(?:  .*\n)+\n?", re.MULTILINE)
_HEAD = """\
# Reference

Every command with its arguments, its own options and examples, as `--help` prints them.

## Shared options

These options stand before or after any subcommand. A command accepts those that mean something to it.

```text
{shared}
```
"""


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its path."""
    yield from _below((), make_root())


def _below(path: tuple[str, ...], group: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from _below((*path, name), command)


def help_text(path: tuple[str, ...], command: Any) -> str:
    """Return what `--help` prints."""
    context = command.context_class(command, info_name=" ".join(("custctl", *path)), terminal_width=_WIDTH)
    text: str = command.get_help(context)
    return text


def write_reference() -> str:
    """Return the page."""
    whole = help_text((), make_root())
    shared = re.search(r"^Shared options:\n((?:  .*\n)+)", whole, re.MULTILINE)
    assert shared is not None, whole
    parts = [_HEAD.format(shared=shared[1].rstrip())]
    for path, command in commands():
        text = _SHARED.sub("", help_text(path, command)).strip()
        level = "##" if len(path) == 1 else "###"
        parts.append(f"{level} custctl {' '.join(path)}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    REFERENCE.write_text(write_reference())
