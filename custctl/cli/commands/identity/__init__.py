"""`custctl identity`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.identity"

identity = group(
    "identity",
    {
        "status": (f"{_HERE}.status:status", "Show the provider, what it can do, and the pending work."),
        "sync": (f"{_HERE}.sync:sync", "Do the pending work at the provider."),
        "verify": (f"{_HERE}.verify:verify", "Compare all customers with all accounts, and repair differences."),
        "migrate": (f"{_HERE}.migrate:migrate", "Move the passwords in this database to the provider."),
        "link": (f"{_HERE}.link:link", "Link an account at the provider to a customer."),
        "unlink": (f"{_HERE}.unlink:unlink", "Remove the link between a customer and its account."),
    },
    help="Manage customers' accounts at the identity provider that the profile names.",
    synonyms={
        **dict.fromkeys(("list", "ls", "show"), "status"),
        "check": "verify",
    },
    examples="""
custctl identity status
custctl identity sync
custctl identity verify
""",
)
