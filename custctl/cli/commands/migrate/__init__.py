"""`custctl migrate`: without a subcommand it applies what is pending; the subcommands check and repair."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import SCRIPTS, LockTimeoutOption, command, group

_HERE = "custctl.cli.commands.migrate"


@command(shared=SCRIPTS, examples="")
def apply(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; change nothing.")] = False,
    target: Annotated[
        int | None, typer.Option("--target", min=1, metavar="VERSION", help="Stop after this version.")
    ] = None,
    lock_timeout: LockTimeoutOption = "5m",
    wait: Annotated[
        str, typer.Option("--wait", metavar="TIME", help="How long to wait for the database to start.")
    ] = "0s",
    allow_out_of_order: Annotated[
        bool,
        typer.Option(
            "--allow-out-of-order", help="Also apply pending scripts that are older than the newest applied one."
        ),
    ] = False,
    phase: Annotated[
        str | None,
        typer.Option("--phase", metavar="expand", help="Apply only what the running release tolerates."),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", metavar="FILE", help="Also write a summary in Markdown, for a CI server."),
    ] = None,
) -> None:
    """Apply what is pending."""
    from custctl.cli.commands.migrate.applying import run_migrate

    run_migrate(
        Context.of(ctx),
        dry_run=dry_run,
        target=target,
        lock_timeout=lock_timeout,
        wait=wait,
        allow_out_of_order=allow_out_of_order,
        phase=phase,
        summary=summary,
    )


migrate = group(
    "migrate",
    {
        "status": (f"{_HERE}.status:status", "Show what is applied, pending, drifted or missing."),
        "validate": (f"{_HERE}.validate:validate", "Check the scripts against the journal and the linter."),
        "new": (f"{_HERE}.new:new", "Create the next numbered script, one file per engine."),
        "baseline": (f"{_HERE}.baseline:baseline", "Adopt a database that already has the schema."),
        "repair": (f"{_HERE}.repair:repair", "Accept changed checksums, settle an interrupted script, restamp."),
    },
    help="Migrate the schema: apply each pending script once, in order. Subcommands check and repair.",
    examples="""
custctl migrate --env prod
custctl migrate --dry-run
custctl migrate --target 3
custctl migrate --phase expand --summary migration.md
custctl migrate status --check
""",
    bare=apply,
    synonyms={
        **dict.fromkeys(("up", "apply", "run", "upgrade"), ""),
        "create": "new",
        "fix": "repair",
        "check": "status --check",
        **dict.fromkeys(("list", "ls", "show", "history", "log"), "status"),
    },
)
