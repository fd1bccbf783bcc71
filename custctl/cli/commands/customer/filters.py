"""The options with which `list` and `export` select customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from custctl.cli.completion import complete_where
from custctl.cli.context import Context
from custctl.customers.model import STATUSES

StatusFilter = Annotated[
    str | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help=f"Only customers with this status: {', '.join(STATUSES)}.",
        autocompletion=lambda: list(STATUSES),
    ),
]
CountryFilter = Annotated[
    str | None, typer.Option("--country", metavar="TEXT", help="Only customers in this country; exact match.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only customers that match: a field, one of `= != > >= < <= ~`, and a value, where `~` means contains; or"
        " `FIELD?` for any value. Repeatable: all must match.",
        autocompletion=complete_where,
    ),
]


def note_mistakes(context: Context, where: Sequence[str]) -> None:
    """Note conditions that probably do not mean what was typed."""
    if where:
        from custctl.customers.conditions import mistaken_operators

        for text in mistaken_operators(where):
            context.console.note(text)
