"""`custctl customer get`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from custctl.cache.answers import Demands, Found
from custctl.cli.commands.arguments import duration
from custctl.cli.context import Context
from custctl.cli.options import DATA, WhoArgument, command
from custctl.terminal.formats import Format

_SOURCE = ("source", "node", "lag_s", "stale", "age_s")


@command(
    shared=DATA,
    examples="""
custctl customer get 42
custctl customer get ada@example.com -o json
custctl customer get 42 --fields email,version
custctl customer get 42 --with-source -o json
custctl customer get 42 --fresh
custctl customer get 42 --with-account
""",
)
def get(
    ctx: typer.Context,
    who: WhoArgument,
    fresh: Annotated[bool, typer.Option("--fresh", help="Read from the database, not the cache.")] = False,
    require_fresh: Annotated[
        bool,
        typer.Option("--require-fresh", help="Fail while the database is down, instead of showing stale cached data."),
    ] = False,
    max_stale: Annotated[
        str | None,
        typer.Option(
            "--max-stale",
            metavar="TIME",
            help="Maximum age of cached data while the database is down.",
            show_default="any",
        ),
    ] = None,
    with_source: Annotated[
        bool, typer.Option("--with-source", help="Show where the data was read and how old it is; `-v` does too.")
    ] = False,
    with_account: Annotated[
        bool, typer.Option("--with-account", help="Show its account at the identity provider too.")
    ] = False,
) -> None:
    """Show one customer by id or email."""
    context = Context.of(ctx)
    if with_account:
        linked = context.client.accounts.get(who)
        account = linked.fields()
        if linked.is_lost:
            context.console.warn(
                f"the provider has no account `{linked.subject}`", "`custctl identity verify` finds all differences"
            )
        row = linked.customer.as_dict()
        context.renderer.one({**row, **account}, (*row, *account))
        return
    limit = duration("--max-stale", max_stale) if max_stale is not None else None
    found = context.customers.read(who, Demands(fresh=fresh, not_stale=require_fresh, max_stale=limit))
    if found.stale:
        context.console.note(f"the database does not respond; showing cached data, {found.age:.1f} s old")
        if not found.is_sure:
            context.console.warn("it may be older than your last write: this machine has no record of that write")
    elif found.cached:
        context.console.detail(f"source: cache, {found.age:.1f} s old")
    else:
        context.tell_source()
    row = found.row.as_dict()
    wordy = context.console.verbosity and context.renderer.format in (Format.JSON, Format.JSONL, Format.YAML)
    if with_source or wordy:
        context.renderer.one({**row, **_source(context, found)}, (*row, *_SOURCE))
    else:
        context.renderer.one(row, tuple(row))


def _source(context: Context, found: Found) -> dict[str, Any]:
    if found.cached:
        return {"source": "cache", "node": None, "lag_s": None, "stale": found.stale, "age_s": round(found.age, 3)}
    source = context.database.source
    if source is None:
        return {"source": "primary", "node": None, "lag_s": None, "stale": False, "age_s": 0.0}
    lag = round(source.lag, 3) if source.lag is not None else None
    return {"source": source.role, "node": source.node.name, "lag_s": lag, "stale": False, "age_s": 0.0}
