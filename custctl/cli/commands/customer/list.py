"""`custctl customer list`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.commands.customer.pages import print_pages
from custctl.cli.context import Context
from custctl.cli.options import DATA, AfterOption, LimitOption, command, complete_sort
from custctl.customers.model import STATUSES


@command(
    shared=DATA,
    examples="""
custctl customer list --status active --sort last_name
custctl customer list --sort -updated_at --limit 10
custctl customer list --limit 0 -o jsonl
""",
)
def list_(
    ctx: typer.Context,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help=f"Only customers with this status: {', '.join(STATUSES)}.",
            autocompletion=lambda: list(STATUSES),
        ),
    ] = None,
    country: Annotated[
        str | None, typer.Option("--country", metavar="TEXT", help="Only customers of this country, an exact match.")
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="[-]FIELD",
            help="Sort by this field; a leading `-` sorts descending.",
            autocompletion=complete_sort,
        ),
    ] = None,
    limit: LimitOption = 50,
    after: AfterOption = None,
) -> None:
    """List customers, page by page. Rows without a value sort last; ties sort by id."""
    from custctl.customers.queries import resume_list

    print_pages(Context.of(ctx), *resume_list(sort, status, country, after), limit)
