"""`custctl migrate baseline`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import SCRIPTS, LockTimeoutOption, command
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.migrations.baseline import Adoption

_COLUMNS = ("version", "description", "script")


@command(
    shared=SCRIPTS,
    examples="""
custctl migrate baseline 3 --dry-run
custctl migrate baseline 3 --script gap.sql
custctl migrate baseline 3 --env prod --confirm prod
custctl migrate baseline --undo
""",
)
def baseline(
    ctx: typer.Context,
    version: Annotated[
        int | None, typer.Argument(metavar="VERSION", min=1, help="The newest script that the database already has.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare only; change nothing.")] = False,
    script: Annotated[
        Path | None,
        typer.Option(
            "--script",
            metavar="FILE",
            help="Write the statements that close the gap into a new file, to be run by hand.",
        ),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Undo an adoption, as long as no script was applied after it.")
    ] = False,
    lock_timeout: LockTimeoutOption = "5m",
) -> None:
    """Adopt a database that already has the schema: compare it, record the scripts up to VERSION as applied without running them, and stamp it."""
    from custctl.cli.commands.arguments import duration
    from custctl.cli.commands.reporting import Reporter, tell_indexes
    from custctl.support.errors import UsageError

    context = Context.of(ctx)
    patience = duration("--lock-timeout", lock_timeout)
    if (version is None) != undo or (undo and (dry_run or script is not None)):
        raise UsageError(
            "name the newest script that the database has, or `--undo` alone",
            hint="see `custctl migrate baseline --help`",
        )
    if version is None:
        _undo(context, patience)
        return
    migrations = context.client.migrations
    adoption = migrations.plan_baseline(version)
    scripts = adoption.scripts
    if adoption.comparison.differences and script is not None:
        _write(context, script, adoption)
    adoption.check()
    for name in adoption.comparison.unknown:
        context.console.warn(f"`{name}` is not compared: custctl does not know what a script of your own makes")
    rows = [{"version": s.version, "description": s.description, "script": s.name} for s in scripts]
    if dry_run:
        context.console.note("dry run: nothing was changed; the schema matches the scripts")
        tell_indexes(context.console, [index.name for index in adoption.indexes])
        context.renderer.many(rows, _COLUMNS)
        return
    context.announce(_COLUMNS)
    context.confirm_in_production(
        f"mark {plural(len(scripts), 'script', 'scripts')} as applied on {context.profile.location}?"
    )
    with context.console.steps() as step:
        migrations.baseline(adoption, lock_timeout=patience, listener=Reporter(context, step))
    context.wrote(f"{plural(len(scripts), 'script is', 'scripts are')} adopted", "`custctl migrate status` shows them")
    context.renderer.many(rows, _COLUMNS)


def _write(context: Context, path: Path, adoption: Adoption) -> None:
    from custctl.support.errors import CredentialError, UsageError

    text = context.client.migrations.script_for(adoption)
    try:
        # Exclusive: never overwrite a file that a person has edited.
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"`{path}` exists already", hint="name a new file") from None
    except OSError as error:
        raise CredentialError(f"`{path}` cannot be written: {error.strerror}", hint="name another file") from error
    context.console.note(f"wrote `{path}`: read it, run it with the database's own client, then adopt again")


def _undo(context: Context, patience: float) -> None:
    from custctl.cli.commands.reporting import Reporter

    migrations = context.client.migrations
    adopted = migrations.plan_undo_baseline()
    context.announce(_COLUMNS)
    context.confirm_in_production(f"take the adoption of {context.profile.location} back?")
    with context.console.steps() as step:
        migrations.undo_baseline(lock_timeout=patience, listener=Reporter(context, step))
    context.wrote("the adoption was undone", "`custctl migrate status` shows it")
    rows = [{"version": r.version, "description": r.description, "script": r.name} for r in adopted]
    context.renderer.many(rows, _COLUMNS)
