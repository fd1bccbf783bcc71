"""`custctl credential`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.credential"

credential = group(
    "credential",
    {
        "set": (f"{_HERE}.set:set_", "Store a password or key in the system keyring."),
        "check": (f"{_HERE}.check:check", "Show where a password or key comes from."),
        "delete": (f"{_HERE}.delete:delete", "Delete a password or key from the system keyring."),
    },
    help="Manage passwords of the database and the cache, the cache's key and the identity provider's secret in the keyring.",
    synonyms={
        **dict.fromkeys(("add", "store", "save"), "set"),
        **dict.fromkeys(("get", "show", "list", "ls", "test"), "check"),
        **dict.fromkeys(("rm", "remove", "unset"), "delete"),
    },
    examples="""
custctl credential set --env prod
custctl credential check --env prod
""",
)
