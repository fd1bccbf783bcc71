"""The sections of a command's help."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from custctl.cli.completion import own_fields

if TYPE_CHECKING:
    from typer._click.core import Command as ClickCommand
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

# How Typer writes a default given in words, and the range of a number.
_IN_WORDS = r"\[default: \(([^)]*)\)"
_RANGE = r"(; )?(\d+<=)?x[<>]=\d+|  \[(\d+<=)?x[<>]=\d+\]"


def _plain(help_text: str) -> str:
    """Return a parameter's help without Typer's markup of ranges and defaults."""
    return re.sub(_RANGE, "", re.sub(_IN_WORDS, r"[default: \1", help_text)).replace("  []", "")


def write_parameters(command: ClickCommand, ctx: Context, formatter: HelpFormatter, shared: Container[Any]) -> None:
    """Write the parameters in sections: arguments, the command's own options, shared options.

    Args:
        shared: the parameters that all commands share.
    """
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], "Shared options": []}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is None:
            continue
        record = (record[0], _plain(record[1]))
        if param.param_type_name == "argument":
            sections["Arguments"].append(record)
        else:
            is_shared = param in shared or param.name == "help"
            sections["Shared options" if is_shared else "Options"].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def write_own_fields(ctx: Context, formatter: HelpFormatter) -> None:
    """Write the company's own fields, if a command has read them before."""
    fields = own_fields(ctx)
    if fields:
        with formatter.section("Your own fields"):
            formatter.write_dl(
                [(field.name, field.native if field.settable else f"{field.native}, read-only") for field in fields]
            )


def write_examples(examples: str, formatter: HelpFormatter) -> None:
    """Write the examples unwrapped."""
    if examples:
        with formatter.section("Examples"):
            formatter.write("".join(f"  {line}\n" for line in examples.strip().splitlines()))
