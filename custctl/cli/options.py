"""The options that all commands share, and the classes of commands and groups.

Shared options may appear at any level, before or after the subcommand. They are collected in `Context.meta` and
interpreted by `context.py`; a command's function never sees them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer
from typer._click.core import augment_usage_errors
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.models import TyperPath

from custctl.cli.completion import complete_environments, complete_fields, complete_format
from custctl.cli.meta import GIVEN, UNRESOLVED
from custctl.support.errors import UsageError

if TYPE_CHECKING:
    # Typer does not export its copy of Click; the pin on Typer guarantees these names.
    from typer._click.core import Command as ClickCommand
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

_HELP: Final = {"help_option_names": ["-h", "--help"]}
_TAKE_ANY_FIELD: Final = ("set_", "where")  # options whose help also shows the company's own fields


def _remember(ctx: Context, param: Any, value: Any) -> Any:
    if value not in (None, False, 0, (), []) and not ctx.resilient_parsing:
        given = ctx.meta.setdefault(GIVEN, {}).setdefault(param.name, [])
        given.extend(value if isinstance(value, (list, tuple)) else [value])
    return value


def _option(*names: str, help: str, **attributes: Any) -> TyperOption:
    return TyperOption(param_decls=[*names], help=help, expose_value=False, callback=_remember, **attributes)


def _flag(*names: str, help: str) -> TyperOption:
    return _option(*names, help=help, is_flag=True, default=False)


def _valued(*names: str, metavar: str, help: str, **attributes: Any) -> TyperOption:
    """Return an option that is given once, but at any level."""
    return _option(*names, help=help, multiple=True, metavar=metavar, **attributes)


# Made directly: of a function with these parameters, Typer would make a whole command first.
_SHARED: Final[Mapping[str, TyperOption]] = {
    option.name or "": option
    for option in (
        _valued("--env", "-e", metavar="NAME", help="Profile to use.", show_default="dev", autocompletion=complete_environments),
        _valued(
            "--output", "-o", metavar="FORMAT", help="Output format: auto, table, tsv, csv, json, jsonl or yaml.",
            show_default="auto", autocompletion=complete_format,
        ),
        _valued("--fields", metavar="A,B", help="Show only these fields.", autocompletion=complete_fields),
        _flag("--raw", help="Write TSV and CSV values exactly as stored."),
        _flag("--yes", "-y", help="Answer yes to ordinary questions."),
        _valued("--confirm", metavar="NAME", help="Confirm a destructive action in production by giving the profile's name."),
        _flag("--no-input", help="Never prompt."),
        _flag("--no-pager", help="Never show long output in `$PAGER`."),
        _flag("--quiet", "-q", help="Print errors only."),
        _option("--verbose", "-v", help="Print more details.", count=True, default=0),
        _flag("--debug", help="Print a traceback on errors."),
        _valued("--profiles-dir", metavar="DIR", help="Folder of profiles."),
        _valued("--sql-dir", metavar="DIR", help="Folder of SQL scripts."),
    )
}  # fmt: skip
_ALWAYS = ("env", "output", "no_input", "no_pager", "quiet", "verbose", "debug", "profiles_dir")

PLAIN = _ALWAYS
"""Shared options of commands that print a report."""
DATA = (*_ALWAYS, "fields", "raw")
"""Shared options of commands that print records."""
WRITE = (*_ALWAYS, "fields", "raw", "yes", "confirm")
"""Shared options of commands that write records."""
SCRIPTS = (*_ALWAYS, "fields", "raw", "sql_dir", "yes", "confirm")
"""Shared options of commands that read the scripts under `sql/`."""


def _check_given(command: TyperCommand | TyperGroup, ctx: Context, args: list[str]) -> None:
    """Refuse a single-value option that is given twice, and an empty path, which would be the current folder."""
    if ctx.resilient_parsing:
        return
    with augment_usage_errors(ctx):
        values, _, order = command.make_parser(ctx).parse_args(list(args))
    for param in order:
        single = isinstance(param, TyperOption) and not (param.multiple or param.is_flag or param.count)
        if single and order.count(param) > 1:
            raise UsageError(f"`{param.opts[0]}` is given twice", hint="give it once")
        if single and isinstance(param.type, TyperPath) and values.get(param.name or "") == "":
            raise UsageError(f"`{param.opts[0]}` is empty", hint="name a file")


class Command(TyperCommand):
    """A command with shared options and examples."""

    examples: str = ""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            UsageError: a single-value option is given twice.
        """
        _check_given(self, ctx, args)
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return the usage after the command's name, without braces around required arguments."""
        return [piece.removeprefix("{").removesuffix("}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the parameters."""
        from custctl.cli.help import write_own_fields, write_parameters

        write_parameters(self, ctx, formatter, _SHARED.values())
        if any(param.name in _TAKE_ANY_FIELD for param in self.params):
            write_own_fields(ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the examples."""
        from custctl.cli.help import write_examples

        write_examples(self.examples, formatter)


class Group(TyperGroup):
    """A group that imports a command only to run it; it knows the summaries without importing.

    Args:
        lazy: from name to (`module:attribute`, one-line summary).
        bare: the command that runs without a subcommand; its options before a subcommand are an error.
        synonyms: from names that people try to the commands that they mean.
    """

    def __init__(
        self,
        *,
        lazy: Mapping[str, tuple[str, str]],
        examples: str = "",
        bare: Command | None = None,
        synonyms: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(rich_markup_mode=None, context_settings=_HELP, **attributes)
        self.synonyms = synonyms or {}
        self._own = [param for param in bare.params if param not in _SHARED.values()] if bare else []
        self.params.extend([*self._own, *_SHARED.values()])
        self.examples = examples
        self._bare = bare
        self._lazy = dict(lazy)
        # Only the names, for suggestions when a command is misspelt.
        self.commands = dict.fromkeys(self._lazy)  # type: ignore[assignment]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the arguments before a subcommand.

        Raises:
            UsageError: a single-value option is given twice.
        """
        if args:
            _check_given(self, ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> Any:
        """Run the subcommand, or the bare command if there is none.

        Raises:
            UsageError: options of the bare group were given before a subcommand.
        """
        if self._bare is None:
            return super().invoke(ctx)
        # Click stores the arguments after the group's own options here; see TyperGroup.invoke.
        following = ctx._protected_args  # noqa: SLF001
        if not following:
            assert self._bare.callback is not None
            with ctx:
                return ctx.invoke(self._bare.callback, **ctx.params)
        for param in self._own:
            source = ctx.get_parameter_source(param.name or "")
            if source is not None and source.name == "COMMANDLINE":
                subcommand = following[0]
                raise UsageError(
                    f"`{param.opts[0]}` belongs to bare `{self.name}`, not to `{self.name} {subcommand}`",
                    hint=f"remove it, or put it after `{subcommand}` if that command has it",
                )
        return super().invoke(ctx)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, ClickCommand | None, list[str]]:
        """Find the subcommand; an error leaves what was not resolved for its hint."""
        ctx.meta[UNRESOLVED] = tuple(args)
        return super().resolve_command(ctx, args)

    def find(self, ctx: Context, name: str) -> str | None:
        """Return the path of the only command of this name in the group and in the groups below; None if none is."""
        if name in self._lazy:
            return name
        groups = {each: self.get_command(ctx, each) for each in self._lazy}
        found = [
            f"{each} {name}"
            for each, group in groups.items()
            if isinstance(group, Group) and name in group.list_commands(ctx)
        ]
        return found[0] if len(found) == 1 else None

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self._lazy)

    def get_command(self, ctx: Context, cmd_name: str) -> ClickCommand | None:
        """Import a command."""
        entry = self._lazy.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry[0].partition(":")
        loaded: ClickCommand = getattr(importlib.import_module(module), attribute)
        return loaded

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands first, from the table."""
        from custctl.cli.help import write_parameters

        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._lazy.items()])
        write_parameters(self, ctx, formatter, _SHARED.values())

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the examples."""
        from custctl.cli.help import write_examples

        write_examples(self.examples, formatter)

    def shell_complete(self, ctx: Context, incomplete: str) -> list[Any]:
        """Complete the names of commands from the table, then options."""
        from typer._click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in self._lazy.items()
            if name.startswith(incomplete)
        ]
        # Not the group's own method, which would import every command for its summary.
        return [*names, *TyperCommand.shell_complete(cast("TyperCommand", self), ctx, incomplete)]


def _evaluated(function: Callable[..., None]) -> Callable[..., None]:
    """Evaluate a function's annotations, once: Typer would compile each of them four times."""
    function.__annotations__ = inspect.get_annotations(function, eval_str=True)
    return function


def command(*, shared: tuple[str, ...] = PLAIN, examples: str) -> Callable[[Callable[..., None]], Command]:
    """Make a command of a function: its docstring is the help, its annotated parameters are the options."""

    def make(function: Callable[..., None]) -> Command:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        name = function.__name__.strip("_").replace("_", "-")
        app.command(name, cls=Command, rich_help_panel=None, context_settings=_HELP)(_evaluated(function))
        made = typer.main.get_command(app)
        assert isinstance(made, Command)
        made.params.extend(_SHARED[name] for name in shared)
        made.examples = examples
        return made

    return make


def group(
    name: str,
    lazy: Mapping[str, tuple[str, str]],
    *,
    help: str,
    examples: str = "",
    bare: Command | None = None,
    synonyms: Mapping[str, str] | None = None,
) -> Group:
    """Make a group of commands.

    Args:
        bare: the command that runs without a subcommand; its options before a subcommand are an error.
        synonyms: from names that people try to the commands that they mean.
    """
    return Group(
        name=name,
        lazy=lazy,
        help=help,
        examples=examples,
        bare=bare,
        synonyms=synonyms,
        no_args_is_help=bare is None,
        invoke_without_command=bare is not None,
    )


OperationOption = Annotated[
    str | None,
    typer.Option("--operation-id", metavar="UUID", help="Idempotency key: a repeated request is not applied twice."),
]
LockTimeoutOption = Annotated[
    str, typer.Option("--lock-timeout", metavar="TIME", help="How long to wait for another run to finish.")
]
IfVersionOption = Annotated[
    str | None,
    typer.Option("--if-version", metavar="V", help="Write only if the customer still has this version."),
]
WhoArgument = Annotated[str, typer.Argument(metavar="WHO", help="A customer's id or email.")]
LimitOption = Annotated[int, typer.Option("--limit", min=0, metavar="N", help="Maximum rows; 0 means no limit.")]
WideOption = Annotated[bool, typer.Option("--wide", help="Show all columns on a terminal, however long the lines are.")]
AfterOption = Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Continue after this cursor.")]
