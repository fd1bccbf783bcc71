"""`custctl credential`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.credential"

credential = group(
    "credential",
    {
        "set": (f"{_HERE}.set:set_", "Keep a password or key in the system keyring."),
        "check": (f"{_HERE}.check:check", "Tell where a password or key would come from."),
        "delete": (f"{_HERE}.delete:delete", "Take a password or key out of the system keyring."),
    },
    help="Keep the passwords of database and cache in the system keyring, and the key of the cache's entries.",
    examples="""
custctl credential set --env prod
custctl credential check --env prod
""",
)
