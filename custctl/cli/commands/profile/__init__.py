"""`custctl profile`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.profile"

profile = group(
    "profile",
    {
        "list": (f"{_HERE}.list:list_", "List the profiles."),
        "show": (f"{_HERE}.show:show", "Show a profile, with the origin of each value."),
        "validate": (f"{_HERE}.validate:validate", "Validate a profile without connecting."),
    },
    help="Show and validate profiles.",
    synonyms={
        "ls": "list",
        **dict.fromkeys(("get", "view", "cat"), "show"),
        **dict.fromkeys(("check", "lint", "test"), "validate"),
    },
    examples="""
custctl profile list
custctl profile show --env prod
""",
)
