"""`custctl credential`."""

from __future__ import annotations

from custctl.options import group

_HERE = "custctl.commands.credential"

credential = group(
    "credential",
    {
        "set": (f"{_HERE}.set:set_", "Keep the database password in the system keyring."),
        "check": (f"{_HERE}.check:check", "Tell where the database password would come from."),
        "delete": (f"{_HERE}.delete:delete", "Take the database password out of the system keyring."),
    },
    help="Keep the database password in the system keyring.",
    examples="""
custctl credential set --env prod
custctl credential check --env prod
""",
)
