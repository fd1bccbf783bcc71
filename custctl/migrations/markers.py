"""Markers of other tools whose scripts hold the upgrade and the rollback in one file: both halves would run."""

from __future__ import annotations

import re
from typing import Final

from custctl.support.errors import MigrationError
from custctl.support.patterns import compiled

# By the name of the group that matches.
_TOOLS: Final = {
    "dbmate": "dbmate",
    "goose": "goose",
    "sqlmigrate": "sql-migrate",
    "micrate": "micrate",
    "undo": "MyBatis Migrations or dbdeploy",
    "rambler": "rambler",
    "evolutions": "Play Evolutions",
    "nodepg": "node-pg-migrate",
    "tern": "tern",
    "shmig": "shmig",
    "nodesqlite": "node-sqlite",
    "atlas": "Atlas",
    "sqitch": "Sqitch",
    "other": "another tool",
}
_MARKER = compiled(
    r"""^[ \t]*(?:--[ \t]*(?:
        (?P<dbmate>migrate:[ \t]*(?:up|down)\b)
      | (?P<goose>\+goose[ \t]+(?:up|down)\b)
      | (?P<sqlmigrate>\+migrate[ \t]+(?:up|down)\b)
      | (?P<micrate>\+micrate[ \t]+(?:up|down)\b)
      | (?P<undo>(?://[ \t]*)?@undo\b)
      | (?P<rambler>rambler[ \t]+(?:up|down)\b)
      | (?P<nodepg>(?:up|down)[ \t]+migration[ \t]*$)
      | (?P<shmig>====[ \t]*(?:up|down)[ \t]*====)
      | (?P<nodesqlite>down[ \t-]*$)
      | (?P<atlas>down\.sql[ \t]+--[ \t]*$)
      | (?P<tern>--[ \t]*create[ ]above[ ]/[ ]drop[ ]below)
      | (?P<sqitch>revert[ \t]+\S+[ \t]+from[ \t]+\w+[ \t]*$)
      )
      | (?P<evolutions>(?:\#|--)[ \t]*(?:---)?[ \t]*!(?:ups|downs)\b)
    )
    # This word alone, at the left edge and above a statement: one that documents a rollback is above a comment.
    | ^(?P<other>(?:--|/\*)[\t\x20-/:-@[-`{-~]*(?:migrat(?:e|ion)[\t\x20:]+)?(?:down|undo|rollback|revert)
      (?:[ \t]+migration)?[\t\x20-/:-@[-`{-~]*$)(?=\s*+(?!--|/\*)\S)""",
    re.ASCII | re.IGNORECASE | re.MULTILINE | re.VERBOSE,
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
    tool = _TOOLS[match.lastgroup or ""]
    raise MigrationError(
        f"{name}:{line}: `{match[0].strip()}` is a marker of {tool}: the whole script would run, including its rollback part",
        hint="keep only the forward statements, and remove the markers",
        details={"script": name, "line": line},
    )
