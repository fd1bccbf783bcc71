"""`custctl cache`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.cache"

cache = group(
    "cache",
    {
        "status": (
            f"{_HERE}.status:status",
            "Check the cache, and show what it holds, how often it served, and how fast it answers.",
        ),
        "warm": (f"{_HERE}.warm:warm", "Fill the cache with the most recently updated customers."),
        "clear": (f"{_HERE}.clear:clear", "Remove this database's entries from the cache."),
    },
    help="Manage the cache of frequently read customers.",
    synonyms={
        **dict.fromkeys(("flush", "purge", "reset", "delete"), "clear"),
        **dict.fromkeys(("show", "info", "stats"), "status"),
        **dict.fromkeys(("fill", "load"), "warm"),
    },
    examples="""
custctl cache status
custctl cache warm --limit 10000
custctl cache clear
""",
)
