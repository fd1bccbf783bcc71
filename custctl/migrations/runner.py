"""The runner: plans what to apply, takes the lock and applies it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from custctl.engines import deferral
from custctl.engines.scripts import Finding, Statement
from custctl.migrations import journal, own_record
from custctl.migrations.journal import State
from custctl.migrations.phases import in_words, phase_of, phase_of_rule
from custctl.migrations.plan import Plan, Step, check_plan, expand_only, lint_script, make_plan, split_script
from custctl.migrations.release import find_lacking
from custctl.migrations.run import Listener, Run
from custctl.migrations.scripts import Script, discover
from custctl.schema import standing
from custctl.schema.own import dump_record
from custctl.support.errors import CommitLostError, CustctlError, MigrationError, UnavailableError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.scripting import ScriptSession

PROTECTED = ("staging", "production")
"""The environments in which the linter's findings stop a run."""


class Request(NamedTuple):
    """What to run; times in seconds. With `expand_only`, scripts of the contract release stay pending."""

    sql_dir: Path
    environment: str
    actor: str
    target: int | None = None
    allow_out_of_order: bool = False
    lock_timeout: float = 300.0
    dry_run: bool = False
    expand_only: bool = False


def migrate(database: Database, request: Request, listener: Listener) -> Run:
    """Apply pending scripts.

    If nothing is pending, the database is only read, and no lock is taken. Indexes that an import deferred are built
    first: a script may rely on them.

    Raises:
        MigrationError: drift, a late number, or a script that failed or cannot run.
        RefusedError: the database refuses writes, or has no stamp or another environment's.
        UnavailableError: timed out waiting for the lock.
    """
    scripts = discover(request.sql_dir, database.engine_name)
    if not (scripts.versioned or scripts.repeatable):
        raise MigrationError(
            f"`{request.sql_dir / database.engine_name}` has no scripts",
            hint="create one with `custctl migrate new 'add phone'`, or name another folder with `--sql-dir`",
        )
    features = database.features()
    left: list[Script] = []

    def plan_for(state: State) -> Plan:
        check_state(state, request.environment, database.location)
        plan = make_plan(
            scripts, state.records, environment=request.environment, features=features, target=request.target
        )
        check_plan(plan, allow_out_of_order=request.allow_out_of_order)
        if request.expand_only:
            plan, left[:] = expand_only(database, plan, allow_out_of_order=request.allow_out_of_order)
        return plan

    state = journal.read_state(database)
    require_preconditions(database, state)
    plan = plan_for(state)
    for record in plan.missing:
        listener.missing(record)
    lacking = find_lacking(request.sql_dir, database.engine_name, scripts)
    if lacking is not None:
        listener.lacking(lacking)
    if left:
        listener.left(left)
    run = Run(plan.newest, plan.steps)
    listener.planned(run)
    is_whole = state.standing is None or state.standing.deferred is None
    is_idle = state.has_journal and not plan.steps and is_whole and not _fields_changed(database, state)
    if request.dry_run:
        if not is_idle:
            run.indexes = _planned_indexes(database, state, plan)
        prepared = _prepare(database, plan.steps, request.environment, listener)
        run.phases = {
            step.script.name: phase_of(database, step.script, prepared[step.script.name]) for step in plan.steps
        }
        run.after = plan.reaches
        return _finished(run, plan, listener)
    if is_idle:
        return _finished(run, plan, listener)

    from custctl.migrations.steps import execute

    prepared = _prepare(database, plan.steps, request.environment, listener)
    with database.migration_lock(request.lock_timeout, listener.waiting):
        database.create()
        if not is_whole:
            deferral.build(database, listener.building)
        with database.script_session() as session:
            state = journal.read_state_on(database, session.connection)
            check_state(state, request.environment, database.location)
            if not state.has_journal:
                _bootstrap(database, session, request.environment)
                listener.stamped(request.environment)
            # Another run may have been faster: plan again under the lock.
            plan = plan_for(state)
            run.before, run.after = plan.newest, plan.reaches
            execute(database, session, plan.steps, prepared, request.actor, run, listener)
            own_record.record(database, session, listener)
    return _finished(run, plan, listener)


def _finished(run: Run, plan: Plan, listener: Listener) -> Run:
    """Return a successful run, after reporting a schema that is too old for the program."""
    if (plan.product_reaches or 0) < standing.REQUIRED_SCHEMA:
        listener.too_old(plan.product_reaches)
    return run


def _fields_changed(database: Database, state: State) -> bool:
    """Return whether the customers' own columns, or the marked ones among them, differ from the recorded ones."""
    with database.reading() as connection:
        found = dump_record(own_record.found_fields(database, connection, state.records))
    return state.standing is not None and found != state.standing.own_fields


def _planned_indexes(database: Database, state: State, plan: Plan) -> tuple[str, ...]:
    """Return the names of the indexes that a run would build: deferred ones, and those of searchable own fields."""
    scripts = [step.script for step in plan.steps]
    if not state.has_journal:
        return own_record.plan_first(database, scripts)
    deferred = [index.name for index in deferral.parse(state.standing.deferred if state.standing else None)]
    with database.reading() as connection:
        own = own_record.plan(database, connection, state.records, scripts)
    return (*deferred, *(index.name for index in own))


def check_state(state: State, environment: str, location: str) -> None:
    """Refuse a database that this profile must not migrate.

    Raises:
        MigrationError: it has tables but no journal.
        RefusedError: it refuses writes, or has no stamp or another environment's.
    """
    if state.refusal is not None:
        raise state.refusal
    check_adopted(state, location)
    if state.has_journal:
        found = state.standing or standing.Standing(None, 1, None, None)
        standing.check_environment(found, environment, location)


def check_adopted(state: State, location: str) -> None:
    """Refuse a database that others made.

    Raises:
        MigrationError: it has tables but no journal.
    """
    if state.tables and not state.has_journal:
        some = ", ".join(f"`{name}`" for name in sorted(state.tables)[:5])
        raise MigrationError(
            f"{location} has tables ({some}) and no journal",
            hint="if it already has the schema, adopt it: see `custctl migrate baseline --help`",
        )


def require_preconditions(database: Database, state: State) -> None:
    """Refuse a database without a journal that cannot hold the schema, before writing to it.

    Raises:
        CustctlError: with the exit code that `doctor` has for this fault.
    """
    if not state.exists or state.has_journal or state.refusal is not None:
        return
    with database.reading() as connection:
        for check in database.preconditions(connection):
            if not check.ok:
                error = CustctlError(
                    f"{database.location} cannot hold the schema: {check.name}: {check.value}", hint=check.hint
                )
                error.exit_code = check.exit_code
                raise error


def _bootstrap(database: Database, session: ScriptSession, environment: str) -> None:
    """Create the journal and stamp the database, in one transaction."""
    try:
        with session.transaction():
            journal.create(database, session.connection)
            standing.stamp(session.connection, environment, database.branch(session.connection))
    except CommitLostError as lost:
        # Whether or not it was committed, the next step is the same.
        raise UnavailableError(f"{lost.message}; no script was applied", hint="run it again") from lost


def _prepare(
    database: Database, steps: Sequence[Step], environment: str, listener: Listener
) -> dict[str, list[Statement]]:
    """Split and lint every script before the first one runs.

    Raises:
        MigrationError: a script cannot run, or the linter stops it in this environment.
    """
    prepared: dict[str, list[Statement]] = {}
    stopping: list[tuple[Script, Finding]] = []
    for step in steps:
        statements = split_script(database, step.script)
        prepared[step.script.name] = statements
        for finding in lint_script(database, step.script, statements):
            if environment in PROTECTED:
                stopping.append((step.script, finding))
            else:
                listener.finding(step.script, finding)
    if stopping:
        lines = [f"{script.name}:{found.line}: {in_words(found)}" for script, found in stopping]
        problems = plural(len(stopping), "problem", "problems")
        first, finding = stopping[0]
        raise MigrationError(
            "\n".join([f"the linter found {problems}, which stops a migration in {environment}", *lines]),
            hint=f"{finding.hint}; or write `-- custctl: allow={finding.rule} REASON` in {first.name}",
            details={
                "findings": [
                    {
                        "script": script.name,
                        "line": f.line,
                        "rule": f.rule,
                        "phase": phase_of_rule(f.rule),
                        "message": f.message,
                        "hint": f.hint,
                    }
                    for script, f in stopping
                ]
            },
        )
    return prepared
