"""The status of a schema: scripts compared with the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.migrations.directives import parse_directives
from custctl.migrations.journal import State, read_state
from custctl.migrations.plan import Entry, Plan, make_plan
from custctl.migrations.release import Lacking, find_lacking
from custctl.migrations.scripts import discover
from custctl.migrations.shapes import Comparison, compared

if TYPE_CHECKING:
    from custctl.engines.base import Database


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a schema.

    Attributes:
        state: the database as it is.
        plan: what a run would do, and what prevents it.
        lacking: scripts of the release that the folder lacks; None if nothing.
        shape: where the database differs from what the applied scripts make.
    """

    state: State
    plan: Plan
    lacking: Lacking | None
    shape: Comparison = field(default_factory=Comparison)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every script with its state."""
        return self.plan.entries

    @property
    def stamp(self) -> str | None:
        """The environment in the database's stamp, or None."""
        return self.state.standing.environment if self.state.standing else None


def read_status(database: Database, sql_dir: Path, environment: str, *, shape: bool = True) -> Status:
    """Compare scripts, journal and database, without changing anything.

    Args:
        environment: the profile's; scripts for other environments are left out.
        shape: whether to compare the shape too.

    Raises:
        MigrationError: the folder of scripts cannot be read.
    """
    scripts = discover(sql_dir, database.engine_name)
    for script in (*scripts.versioned, *scripts.repeatable):
        parse_directives(script.text, script.name)  # of those applied too: a new database would stop there
    state = read_state(database)
    plan = make_plan(scripts, state.records, environment=environment, features=database.features())
    lacking = find_lacking(sql_dir, database.engine_name, scripts)
    if not (shape and state.has_journal):
        return Status(state, plan, lacking)
    with database.reading() as connection:
        return Status(state, plan, lacking, compared(database, connection, state.records))
