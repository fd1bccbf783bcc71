"""`custctl identity`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.identity"

identity = group(
    "identity",
    {
        "status": (f"{_HERE}.status:status", "Show the provider, what it can do, and what is still to be done there."),
        "sync": (f"{_HERE}.sync:sync", "Do what is left to be done at the provider."),
        "verify": (f"{_HERE}.verify:verify", "Compare all customers with all accounts, and repair differences."),
        "migrate": (f"{_HERE}.migrate:migrate", "Move the passwords in this database to the provider."),
        "link": (f"{_HERE}.link:link", "Say which account is a customer's."),
        "unlink": (f"{_HERE}.unlink:unlink", "Forget which account is a customer's."),
    },
    help="Manage customers' accounts at the identity provider that the profile names.",
    examples="""
custctl identity status
custctl identity sync
custctl identity verify
""",
)
