"""`custctl customer list`."""

from __future__ import annotations

from typing import Annotated

import typer
from typer._click.core import ParameterSource

from custctl.cli.commands.customer.continued import Continued
from custctl.cli.commands.customer.filters import CountryFilter, StatusFilter, Where, note_mistakes
from custctl.cli.commands.customer.pages import print_count, print_counts, print_pages
from custctl.cli.completion import complete_sort
from custctl.cli.context import Context
from custctl.cli.options import DATA, AfterOption, LimitOption, WideOption, command
from custctl.support.errors import UsageError


@command(
    shared=DATA,
    examples="""
custctl customer list --status active --sort last_name
custctl customer list --sort -updated_at --limit 10
custctl customer list --next
custctl customer list --where 'created_at>=2026-01-01' --where 'company~labs' --where 'phone?'
custctl customer list --count-by country
custctl customer list --limit 0 -o jsonl
""",
)
def list_(
    ctx: typer.Context,
    status: StatusFilter = None,
    country: CountryFilter = None,
    where: Where = None,
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
    next_: Annotated[bool, typer.Option("--next", help="Continue where the last list of this terminal ended.")] = False,
    wide: WideOption = False,
    count: Annotated[bool, typer.Option("--count", help="Print only how many customers there are.")] = False,
    count_by: Annotated[
        str | None,
        typer.Option(
            "--count-by",
            metavar="FIELD",
            help="Print how many customers have each value of a field, the most frequent first.",
            autocompletion=complete_sort,
        ),
    ] = None,
) -> None:
    """List customers, page by page. Rows without a value sort last; ties sort by id."""
    from custctl.customers.queries import resume_list

    context = Context.of(ctx)
    counting = "--count" if count else "--count-by"
    if count or count_by is not None:
        for option, given in (
            ("--sort", sort),
            ("--after", after),
            ("--next", next_ or None),
            ("--count-by", count_by if count else None),
        ):
            if given is not None:
                raise UsageError(f"`{counting}` and `{option}` cannot be used together", hint="remove one of them")
    is_given = ctx.get_parameter_source("limit") is ParameterSource.COMMANDLINE
    continued = Continued(context, "list", limit_given=is_given)
    if next_:
        after, limit = continued.cursor(after, limit)
        if after is None:
            continued.ended()
            return
    try:
        query, position = resume_list(sort, status, country, where or (), after)
    except UsageError as error:
        raise continued.refused(error) if next_ else error from None
    query = context.opened.checked(query)
    note_mistakes(context, where or ())
    if count:
        print_count(context, query)
    elif count_by is not None:
        print_counts(context, query, count_by, limit)
    else:
        print_pages(context, query, position, limit, wide=wide, follow=lambda cursor: continued.remember(cursor, limit))
