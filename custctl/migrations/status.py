"""How a schema stands: scripts beside journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.migrations.journal import State, read_state
from custctl.migrations.plan import Entry, Plan, make_plan
from custctl.migrations.release import Lacking, find_lacking
from custctl.migrations.scripts import discover
from custctl.migrations.shapes import Comparison, compared

if TYPE_CHECKING:
    from custctl.engines.base import Database


@dataclass(frozen=True, slots=True)
class Status:
    """What was found.

    Attributes:
        state: the database as it is.
        plan: what a run would do, and what stands against it.
        lacking: what the release brings and the folder lacks; None where that is nothing.
        shape: what is not as the applied scripts make it.
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
        """The environment that the database is stamped with; None where there is none."""
        return self.state.standing.environment if self.state.standing else None


def read_status(database: Database, sql_dir: Path, environment: str, *, shape: bool = True) -> Status:
    """Compare scripts, journal and what is there, without changing anything.

    Args:
        environment: the profile's; scripts for other environments are left out.
        shape: whether the shape is compared too.

    Raises:
        MigrationError: the folder of scripts cannot be read as such.
    """
    scripts = discover(sql_dir, database.engine_name)
    state = read_state(database)
    plan = make_plan(scripts, state.records, environment=environment, features=database.features())
    lacking = find_lacking(sql_dir, database.engine_name, scripts)
    if not (shape and state.has_journal):
        return Status(state, plan, lacking)
    with database.reading() as connection:
        return Status(state, plan, lacking, compared(database, connection, state.records))
