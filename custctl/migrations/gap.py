"""The script that closes the gap between a database and its scripts, for a person to read and run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.shaping import Fix
    from custctl.migrations.shapes import Comparison


def script_for(database: Database, comparison: Comparison) -> str:
    """Return a plain SQL script for the engine's own client; statements that lose data are commented out."""
    told: dict[Fix, list[str]] = {}
    for difference, fix in zip(comparison.differences, comparison.fixes, strict=True):
        told.setdefault(fix, []).append(difference.sentence)
    lines = [
        "-- What brings this database into the shape that the scripts make. Read it, then run it:",
        f"--   {database.client}",
        "-- What may lose data, and what needs a decision, is commented out.",
        "",
        *(f"{statement}{database.statement_end.rstrip()}" for statement in database.opening),
    ]
    for fix, sentences in told.items():
        lines += ["", *(f"-- {line}" for sentence in sentences for line in sentence.splitlines())]
        lines += [f"-- {line}" for note in fix.notes for line in note.splitlines()]
        if fix.loses:
            lines.append("-- this may lose data: remove the marks of the comment if that is right")
        for statement in fix.statements:
            text = f"{statement}{database.statement_end.rstrip()}"
            lines += [f"-- {line}" for line in text.splitlines()] if fix.loses else [text]
    return "\n".join(lines) + "\n"
