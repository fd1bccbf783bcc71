"""`custctl customer search`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from typer._click.core import ParameterSource

from custctl.cli.commands.customer.continued import Continued
from custctl.cli.commands.customer.pages import print_pages
from custctl.cli.context import Context
from custctl.cli.options import DATA, AfterOption, LimitOption, WideOption, command

if TYPE_CHECKING:
    from custctl.customers.queries import Query


@command(
    shared=DATA,
    examples="""
custctl customer search goncalves graca
custctl customer search '+44 20 7946 0199'
custctl customer search lovelace london 460199
custctl customer search --next
custctl customer search --contains embraer -o json
""",
)
def search(
    ctx: typer.Context,
    text: Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="Words and digits, in any order.")] = None,
    contains: Annotated[bool, typer.Option("--contains", help="Find this text anywhere in a field.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Find fields that begin with exactly this text; accents count.")
    ] = False,
    limit: LimitOption = 50,
    after: AfterOption = None,
    next_: Annotated[
        bool, typer.Option("--next", help="Continue where the last search of this terminal ended.")
    ] = False,
    wide: WideOption = False,
) -> None:
    """Find customers by words of email, name, company and city, and by digits of the phone.

    Your own fields that a migration marks as searchable are searched too, except with `--exact`. Words can be in any order and unfinished; case and accents do not matter. No character has a special meaning.
    """
    from custctl.customers.queries import resume_search, search_mode
    from custctl.support.errors import UsageError

    context = Context.of(ctx)
    is_given = ctx.get_parameter_source("limit") is ParameterSource.COMMANDLINE
    continued = Continued(context, "search", limit_given=is_given)
    if next_:
        after, limit = continued.cursor(after, limit)
        if after is None:
            continued.ended()
            return
    if text is None and after is None:
        raise UsageError("missing argument `TEXT`", hint="see `custctl customer search --help`")
    mode = search_mode(contains=contains, exact=exact)
    try:
        query, position = resume_search(" ".join(text) if text else None, mode, after)
    except UsageError as error:
        raise continued.refused(error) if next_ else error from None
    shown = print_pages(
        context, query, position, limit, wide=wide, follow=lambda cursor: continued.remember(cursor, limit)
    )
    if shown == 0 and position is None:
        _suggest(context, query)


def _suggest(context: Context, query: Query) -> None:
    """Suggest what may have been meant if nothing was found."""
    from custctl.customers.queries import SearchQuery
    from custctl.customers.suggestions import near
    from custctl.support.errors import CustctlError

    assert isinstance(query, SearchQuery)
    # Finding nothing is not an error; neither is a failed suggestion.
    with suppress(CustctlError):
        texts = near(context.database, query)
        if texts:
            context.console.note(f"did you mean {' or '.join(f'`{text}`' for text in texts)}?")
