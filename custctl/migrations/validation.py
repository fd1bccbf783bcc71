"""Checking scripts without running them: against the journal, and with the linter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custctl.migrations.directives import Phase
from custctl.migrations.phases import phase_of_rule
from custctl.migrations.plan import lint_script, split_script
from custctl.migrations.runner import PROTECTED, check_state
from custctl.migrations.scripts import seed_sets
from custctl.migrations.status import read_status
from custctl.support.errors import CustctlError, MigrationError

if TYPE_CHECKING:
    from custctl.engines.base import Database


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem, or possible problem, of a script.

    Attributes:
        severity: `error` or `warning`.
        line: 1-based, or None if it concerns the whole script.
        rule: drift, missing, late, unfit, state, or a rule of the linter.
        phase: the release that a script with this linter finding belongs to.
    """

    severity: str
    script: str
    line: int | None
    rule: str
    message: str
    hint: str | None
    phase: Phase | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def validate(database: Database, sql_dir: Path, environment: str) -> list[Problem]:
    """Return the problems of the scripts of a database's engine.

    The linter checks only pending scripts and seeds: an applied script has already done its harm.

    Raises:
        MigrationError: the folder of scripts cannot be read.
    """
    status = read_status(database, sql_dir, environment, shape=False)
    state, plan = status.state, status.plan
    problems: list[Problem] = []
    try:
        check_state(state, environment, database.location)
    except CustctlError as error:
        problems.append(Problem("error", "", None, "state", error.message, error.hint))
    problems += [
        Problem(
            "error", d.script.name, None, "drift", "changed after they were applied", "`custctl migrate` shows the diff"
        )
        for d in plan.drifted
    ]
    problems += [
        Problem("warning", r.name, None, "missing", f"{r.state} in the journal and not on disk", "restore the script")
        for r in plan.missing
    ]
    problems += [
        Problem(
            "error",
            s.name,
            None,
            "late",
            f"pending below {plan.applied[s.space]}, which is applied",
            "renumber it higher",
        )
        for s in plan.late
    ]
    seeds = [
        script for scripts_of_set in seed_sets(sql_dir, database.engine_name).values() for script in scripts_of_set
    ]
    severity = "error" if environment in PROTECTED else "warning"
    for script in [*(step.script for step in plan.steps), *seeds]:
        try:
            statements = split_script(database, script)
        except MigrationError as error:
            problems.append(
                Problem("error", script.name, error.details.get("line"), "unfit", error.message, error.hint)
            )
            continue
        problems += [
            Problem(
                severity,
                script.name,
                found.line,
                found.rule,
                found.message,
                found.hint,
                phase_of_rule(found.rule),
            )
            for found in lint_script(database, script, statements)
        ]
    return problems
