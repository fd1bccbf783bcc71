"""What the shell completes: environments, formats, and fields, the company's own too. The database is never asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from custctl.cli.meta import GIVEN

if TYPE_CHECKING:
    from custctl.schema.own import Field


def complete_environments(ctx: typer.Context, args: list[str], incomplete: str) -> list[str]:
    """Complete the name of a profile, without reading any."""
    import os

    from custctl.profiles import profile_names

    names = profile_names(profiles_dir=None, environ=os.environ, cwd=Path.cwd())
    return [name for name in names if name.startswith(incomplete)]


def complete_fields(ctx: typer.Context, args: list[str], incomplete: str) -> list[str]:
    """Complete the last field of a comma-separated list."""
    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in _field_names(ctx) if name.startswith(last)]


def complete_sort(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a field to sort by."""
    return [name for name in _field_names(ctx) if name.startswith(incomplete)]


def complete_where(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the field of a condition."""
    return [f"{name}{end}" for name in complete_sort(ctx, incomplete) for end in ("=", "?")]


def complete_settable(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a field that can be set."""
    kept = ("id", "version", "created_at", "updated_at")
    return [name for name in _field_names(ctx) if name not in kept and name.startswith(incomplete)]


def complete_setting(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete `FIELD=`."""
    return [f"{name}=" for name in complete_settable(ctx, incomplete)]


def _field_names(ctx: typer.Context) -> tuple[str, ...]:
    """Return the names of all fields, including those of `own_fields`, as options take them."""
    from custctl.customers.model import FIELDS
    from custctl.support.fieldnames import in_option

    return (*FIELDS, *(in_option(field.name) for field in own_fields(ctx)))


def own_fields(ctx: Any) -> tuple[Field, ...]:
    """Return the company's own fields as last seen by a command, without asking the database."""
    import os

    from custctl.api.opened import Opened
    from custctl.api.reporting import Log

    given = ctx.meta.get(GIVEN, {})
    name = (given.get("env") or [os.environ.get("CUSTCTL_ENV") or "dev"])[-1]
    folder = (given.get("profiles_dir") or [None])[-1]
    try:
        opened = Opened(
            name,
            profiles_dir=folder and Path(folder),
            sql_dir=None,
            environ=os.environ,
            cwd=Path.cwd(),
            actor="completion",
            tell=Log(),
        )
        return opened.database.own.fields
    except Exception:  # noqa: BLE001 - completion and help must not fail
        return ()


def complete_format(ctx: typer.Context, args: list[str], incomplete: str) -> list[str]:
    """Complete an output format."""
    from custctl.terminal.formats import Format

    return [str(name) for name in Format if name.startswith(incomplete)]
