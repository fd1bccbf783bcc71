"""`custctl customer search`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.commands.customer.pages import print_pages
from custctl.cli.context import Context
from custctl.cli.options import DATA, AfterOption, LimitOption, WideOption, command


@command(
    shared=DATA,
    examples="""
custctl customer search gonç
custctl customer search --contains embraer -o json
""",
)
def search(
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="Text that a field starts with.")] = None,
    contains: Annotated[bool, typer.Option("--contains", help="Find this text anywhere in a field.")] = False,
    limit: LimitOption = 50,
    after: AfterOption = None,
    wide: WideOption = False,
) -> None:
    """Find customers by email, names, company or phone. Case does not matter, accents do; `%` and `_` are literal."""
    from custctl.customers.queries import resume_search
    from custctl.support.errors import UsageError

    context = Context.of(ctx)
    if text is None and after is None:
        raise UsageError("missing argument `TEXT`", hint="see `custctl customer search --help`")
    print_pages(context, *resume_search(text, contains, after), limit, wide=wide)
