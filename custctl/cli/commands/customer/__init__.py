"""`custctl customer`."""

from __future__ import annotations

from custctl.cli.options import group

_HERE = "custctl.cli.commands.customer"

customer = group(
    "customer",
    {
        "add": (f"{_HERE}.add:add", "Add a customer."),
        "get": (f"{_HERE}.get:get", "Show one customer."),
        "list": (f"{_HERE}.list:list_", "List customers, page by page."),
        "search": (f"{_HERE}.search:search", "Find customers by email, name, company or phone."),
        "update": (f"{_HERE}.update:update", "Update fields of a customer, version-checked."),
        "edit": (f"{_HERE}.edit:edit", "Edit a customer in $EDITOR, with a three-way merge."),
        "delete": (f"{_HERE}.delete:delete", "Delete a customer and erase its values from the audit log."),
        "erase": (f"{_HERE}.erase:erase", "Erase all data held about a person, with a report."),
        "history": (f"{_HERE}.history:history", "Show the history of a customer."),
        "import": (f"{_HERE}.import_:import_", "Import customers from CSV or JSON lines; resumable."),
        "export": (f"{_HERE}.export:export", "Export all customers as CSV or JSON lines."),
        "set-password": (f"{_HERE}.set_password:set_password", "Set a customer's password."),
        "reset-password": (
            f"{_HERE}.reset_password:reset_password",
            "Have the identity provider send a customer a password reset.",
        ),
        "verify-password": (f"{_HERE}.verify_password:verify_password", "Check a customer's password."),
    },
    help="Read and write customers. WHO is an id or an email.",
    synonyms={
        **dict.fromkeys(("show", "view", "info", "read"), "get"),
        **dict.fromkeys(("find", "lookup", "query"), "search"),
        **dict.fromkeys(("rm", "remove", "del"), "delete"),
        **dict.fromkeys(("forget", "purge", "wipe", "anonymize", "anonymise"), "erase"),
        **dict.fromkeys(("set", "change", "modify"), "update"),
        **dict.fromkeys(("new", "create", "insert"), "add"),
        **dict.fromkeys(("ls", "all"), "list"),
        **dict.fromkeys(("log", "audit"), "history"),
        "count": "list --count",
    },
    examples="""
custctl customer add --email ada@example.com --first-name Ada --last-name Lovelace
custctl customer get ada@example.com
custctl customer update 1 --phone '+44 20 7946 0000'
""",
)
