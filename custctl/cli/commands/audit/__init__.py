"""`custctl audit`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.audit"

audit = group(
    "audit",
    {
        "list": (f"{_HERE}.list:list_", "List writes, newest first."),
        "verify": (
            f"{_HERE}.verify:verify",
            "Verify the hash chains of the audit log, optionally against a checkpoint.",
        ),
    },
    help="Read and verify the audit log.",
    synonyms={
        **dict.fromkeys(("ls", "log", "show"), "list"),
        "check": "verify",
    },
    examples="""
custctl audit list --operation 1f0e9a52-6b0c-4b8e-9d3e-0d8a51d7a001
custctl audit verify -o json > checkpoint.json
""",
)
