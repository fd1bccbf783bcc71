"""Markers of other tools whose scripts hold the upgrade and the rollback in one file: both halves would run."""

from __future__ import annotations

import re
from typing import Final

from custctl.support.errors import MigrationError
from custctl.support.patterns import compiled

_TOOLS: Final = {
    "migrate:": "dbmate",
    "+goose": "goose",
    "+migrate": "sql-migrate",
    "//@undo": "MyBatis Migrations or dbdeploy",
    "@undo": "MyBatis Migrations or dbdeploy",
}
_MARKER = compiled(
    r"^[ \t]*--[ \t]*(?:(migrate:)[ \t]*(?:up|down)\b|(\+(?:goose|migrate))[ \t]+(?:up|down)\b|((?://)?@undo)\b)",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)


def refuse_markers(text: str, name: str) -> None:
    """Refuse a script with another tool's marker.

    Args:
        text: the script, with LF line endings.
        name: its name for messages.

    Raises:
        MigrationError: it has one; the message names file and line.
    """
    match = _MARKER.search(text)
    if match is None:
        return
    line = text.count("\n", 0, match.start()) + 1
    tool = _TOOLS[next(filter(None, match.groups())).lower()]
    raise MigrationError(
        f"{name}:{line}: `{match[0].strip()}` is a marker of {tool}: the whole script would run, including its rollback part",
        hint="keep only the forward statements, and remove the markers",
        details={"script": name, "line": line},
    )
