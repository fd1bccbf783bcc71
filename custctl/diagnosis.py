"""What `doctor` looks at, each check told with the way out of its fault; one that fails ends none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from custctl import __version__
from custctl.engines.base import Check
from custctl.errors import CustctlError, ExitCode

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.profiles import Profile


def diagnose(profile: Profile, database: Database, sql_dir: Path, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield the checks of one profile."""
    import platform

    yield Check("custctl", True, f"{__version__}, Python {platform.python_version()}")
    yield Check("profile", True, f"{profile.name} ({profile.environment}), from {profile.source}")
    yield from _guarded("credential", lambda: _credential(profile, environ))
    yield from _guarded("database", database.checks)
    yield from _guarded("schema", lambda: _schema(profile, database, sql_dir))
    nodes = len(profile.database.nodes)
    yield Check("replicas", True, f"driver {profile.database.replication.driver}, {nodes} nodes")
    yield Check("cache", True, profile.cache.url if profile.cache else "none")


def _guarded(name: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from checks()
    except CustctlError as error:
        yield Check(name, False, error.message, error.hint, error.exit_code)


def _credential(profile: Profile, environ: Mapping[str, str]) -> Iterator[Check]:
    from custctl.credentials import find_credential

    yield Check("credential", True, find_credential(profile, environ).source)


def _schema(profile: Profile, database: Database, sql_dir: Path) -> Iterator[Check]:
    from custctl.migrations.journal import read_state
    from custctl.migrations.plan import make_plan
    from custctl.migrations.scripts import discover
    from custctl.standing import REQUIRED_SCHEMA

    scripts = discover(sql_dir, database.engine_name)
    state = read_state(database)
    plan = make_plan(scripts, state.records, environment=profile.environment, features=database.features())
    stamp = state.standing.environment if state.standing else None
    if state.has_journal:
        fits = stamp == profile.environment
        hint = "use a profile of that environment; after a restore, `custctl migrate repair --environment NAME`"
        yield Check("stamp", fits, stamp or "none", None if fits else hint, ExitCode.REFUSED)
    missing = sorted({"customer", "customer_password", "customer_audit"} - state.tables)
    if (plan.newest or 0) >= REQUIRED_SCHEMA and missing:
        names = ", ".join(f"`{name}`" for name in missing)
        yield Check(
            "tables", False, f"{names} gone, though the journal has its script", "restore a backup", ExitCode.PENDING
        )
    value = f"version {plan.newest}" if plan.newest is not None else "not there"
    if plan.drifted:
        found = f"{value}, {len(plan.drifted)} scripts changed since"
        yield Check("schema", False, found, "`custctl migrate` shows the diff", ExitCode.MIGRATION)
    elif plan.steps:
        yield Check(
            "schema", False, f"{value}, {len(plan.steps)} scripts pending", "run `custctl migrate`", ExitCode.PENDING
        )
    else:
        yield Check("schema", True, f"{value}, nothing pending")
