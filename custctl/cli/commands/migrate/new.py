"""`custctl migrate new`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.engines.adding import TYPES
from custctl.support.text import plural

_TYPES = tuple(TYPES.values())


@command(
    shared=(*PLAIN, "sql_dir", "fields"),
    examples="""
custctl migrate new 'add loyalty tier'
custctl migrate new --add-field loyalty_tier --type 'text(20)' --default basic --index
custctl migrate new --add-field vat_no --type 'text(14)' --personal
""",
)
def new(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="What the script does, in a few words.")] = None,
    add_field: Annotated[
        str | None,
        typer.Option("--add-field", metavar="FIELD", help="Write the script that adds this field to customers."),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help=f"Its type: {', '.join(_TYPES[:-1])} or {_TYPES[-1]}.",
        ),
    ] = None,
    default: Annotated[
        str | None,
        typer.Option("--default", metavar="VALUE", help="Its value if none is given; the field then cannot be empty."),
    ] = None,
    index: Annotated[bool, typer.Option("--index", help="Add an index, for lists that sort or filter by it.")] = False,
    personal: Annotated[
        bool, typer.Option("--personal", help="Mark it as personal: pseudonyms replace its values.")
    ] = False,
    searchable: Annotated[
        bool, typer.Option("--searchable", help="Find customers by it with `customer search`.")
    ] = False,
) -> None:
    """Create the next numbered script, one file per engine. No database is needed.

    With --add-field the script adds a field of your own to customers; what must run separately, such as building an index without a lock, goes into a second script.
    """
    from custctl.migrations.authoring import new_scripts
    from custctl.migrations.fields import FieldRequest
    from custctl.migrations.fields import add_field as add_field_scripts
    from custctl.support.errors import UsageError

    context = Context.of(ctx)
    given = {"--type": type_ is not None, "--default": default is not None, "--index": index}
    given |= {"--personal": personal, "--searchable": searchable}
    folder, bundled = context.sql_dir
    if (name is None) == (add_field is None):
        raise UsageError("give either a NAME or `--add-field`", hint="see `custctl migrate new --help`")
    if add_field is None:
        extra = [option for option, is_given in given.items() if is_given]
        if extra:
            raise UsageError(f"`{extra[0]}` needs `--add-field`", hint="see `custctl migrate new --help`")
        made = new_scripts(folder, name or "", bundled=bundled)
    else:
        if type_ is None:
            raise UsageError("`--add-field` needs `--type`", hint="see `custctl migrate new --help`")
        request = FieldRequest(add_field, type_, default, index, personal, searchable)
        made = add_field_scripts(folder, request, bundled=bundled)
    context.wrote(f"{plural(len(made), 'file was', 'files were')} created", f"they are in `{folder}`")
    context.renderer.many([{"script": str(path)} for path in made], ("script",))
