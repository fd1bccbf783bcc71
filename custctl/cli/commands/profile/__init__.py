"""`custctl profile`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.profile"

profile = group(
    "profile",
    {
        "list": (f"{_HERE}.list:list_", "List the profiles that are found."),
        "show": (f"{_HERE}.show:show", "Show a profile, with the origin of each value."),
        "validate": (f"{_HERE}.validate:validate", "Check profiles; connects to nothing."),
    },
    help="Look at the profiles.",
    examples="""
custctl profile list
custctl profile show --env prod
""",
)
