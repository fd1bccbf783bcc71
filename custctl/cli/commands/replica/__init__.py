"""`custctl replica`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.replica"

replica = group(
    "replica",
    {
        "status": (f"{_HERE}.status:status", "Show the role, lag and health of each node."),
        "switchover": (
            f"{_HERE}.switchover:switchover",
            "Promote a standby while the primary runs; loses no writes.",
        ),
        "failover": (f"{_HERE}.failover:failover", "Promote a standby after the primary has failed."),
        "fence": (f"{_HERE}.fence:fence", "Stop the primary, or another node, from accepting writes."),
        "unfence": (f"{_HERE}.unfence:unfence", "Allow a fenced node to accept writes again."),
        "rejoin": (f"{_HERE}.rejoin:rejoin", "Make a former primary a standby of the current one."),
        "history": (f"{_HERE}.history:history", "List past switchovers and failovers."),
    },
    help="Manage replicas. NODE is a name in the profile's `database.nodes`. The driver `availability-group` was written"
    " from Microsoft's documentation and has never run on a real group: it changes one only if the profile says"
    " `experimental: true`.",
    synonyms={
        **dict.fromkeys(("list", "ls", "show", "lag"), "status"),
        "log": "history",
    },
    examples="""
custctl replica status --check
custctl replica switchover --to b
custctl replica failover --to c --primary-is-stopped
""",
)
