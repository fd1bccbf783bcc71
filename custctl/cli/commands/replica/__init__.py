"""`custctl replica`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.replica"

replica = group(
    "replica",
    {
        "status": (f"{_HERE}.status:status", "Show who is who, and how far each node is behind."),
        "switchover": (
            f"{_HERE}.switchover:switchover",
            "Make a standby the primary while the old one runs; loses nothing.",
        ),
        "failover": (f"{_HERE}.failover:failover", "Make a standby the primary when the old one is gone."),
        "fence": (f"{_HERE}.fence:fence", "Keep the primary, or a node, from accepting writes."),
        "unfence": (f"{_HERE}.unfence:unfence", "Let a fenced node accept writes again."),
        "rejoin": (f"{_HERE}.rejoin:rejoin", "Make a former primary a standby of the present one."),
        "history": (f"{_HERE}.history:history", "Show the switchovers and failovers there have been."),
    },
    help="Manage replicas. NODE is a name in the profile's `database.nodes`. The driver `availability-group` is written"
    " from Microsoft's documentation and has never run on a real group: it changes one only where the profile says"
    " `experimental: true`.",
    examples="""
custctl replica status --check
custctl replica switchover --to b
custctl replica failover --to c --primary-is-stopped
""",
)
