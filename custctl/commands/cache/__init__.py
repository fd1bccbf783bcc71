"""`custctl cache`."""

from __future__ import annotations

from custctl.options import group

_HERE = "custctl.commands.cache"

cache = group(
    "cache",
    {
        "status": (
            f"{_HERE}.status:status",
            "Show what the cache holds, how often it served, and how fast it answers.",
        ),
        "warm": (f"{_HERE}.warm:warm", "Fill it with the customers that were touched last."),
        "clear": (f"{_HERE}.clear:clear", "Take this database's entries out of it."),
    },
    help="Look after the cache of hot customers.",
    examples="""
custctl cache status
custctl cache warm --limit 10000
custctl cache clear
""",
)
