"""The runner: takes the lock, makes the plan and carries it out, each script once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from custctl import signals, standing
from custctl.engines.scripts import Finding, Statement
from custctl.errors import (
    CustctlError,
    ExitCode,
    InterruptedRunError,
    MigrationError,
    OutcomeUnknownError,
    RefusedError,
)
from custctl.migrations import journal
from custctl.migrations.journal import State
from custctl.migrations.plan import Plan, Step, check_plan, lint_script, make_plan, split_script
from custctl.migrations.scripts import Script, discover
from custctl.migrations.substitution import mask, substitute

if TYPE_CHECKING:
    from custctl.engines.base import Database, LockHolder, ScriptSession

PROTECTED = ("staging", "production")
"""The environments in which the linter's findings stop a run."""


class Listener:
    """What a run tells while it goes on; every method may be overridden."""

    def stamped(self, environment: str) -> None:
        """A database without tables was stamped."""

    def waiting(self, holder: LockHolder | None) -> None:
        """Another run holds the lock."""

    def finding(self, script: Script, finding: Finding) -> None:
        """The linter has something to say, and it stops nothing here."""

    def missing(self, name: str) -> None:
        """A script is applied and not on disk."""

    def applying(self, step: Step) -> None:
        """A script begins."""

    def applied(self, done: Applied) -> None:
        """A script is applied and committed."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A script that this run has applied; the duration in milliseconds."""

    script: Script
    statements: int
    duration_ms: int


@dataclass(slots=True)
class Run:
    """What a run did."""

    before: int | None = None
    after: int | None = None
    applied: list[Applied] = field(default_factory=list)
    planned: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be done; times in seconds."""

    sql_dir: Path
    environment: str
    actor: str
    target: int | None = None
    allow_out_of_order: bool = False
    lock_timeout: float = 300.0
    dry_run: bool = False


def migrate(database: Database, request: Request, listener: Listener) -> Run:
    """Apply what is pending.

    Where nothing is, the database is only read, and no lock is taken.

    Raises:
        MigrationError: drift, a late number, a script that failed or is not fit to run.
        RefusedError: a standby, another environment's stamp, or none.
        UnavailableError: the lock was not to be had in time.
    """
    scripts = discover(request.sql_dir, database.engine_name)
    features = database.features()

    def plan_for(state: State) -> Plan:
        check_state(state, request.environment, database.location)
        plan = make_plan(
            scripts, state.records, environment=request.environment, features=features, target=request.target
        )
        check_plan(plan, allow_out_of_order=request.allow_out_of_order)
        return plan

    state = journal.read_state(database)
    plan = plan_for(state)
    for record in plan.missing:
        listener.missing(record.name)
    run = Run(before=plan.newest, after=plan.newest, planned=plan.steps)
    if request.dry_run:
        _prepare(database, plan.steps, request.environment, listener)
        run.after = plan.reaches
        return run
    if state.has_journal and not plan.steps:
        return run
    prepared = _prepare(database, plan.steps, request.environment, listener)
    with database.migration_lock(request.lock_timeout, listener.waiting):
        database.create()
        with database.script_session() as session:
            state = journal.read_state_on(database, session.connection)
            check_state(state, request.environment, database.location)
            if not state.has_journal:
                _bootstrap(session, request.environment)
                listener.stamped(request.environment)
            # Another run may have been faster: what is pending is asked again under the lock.
            steps = plan_for(state).steps
            execute(database, session, steps, prepared, request.actor, run, listener)
    numbers = [done.script.version for done in run.applied if done.script.version is not None]
    run.after = max([*numbers, *([state.newest] if state.newest is not None else [])], default=None)
    return run


def check_state(state: State, environment: str, location: str) -> None:
    """Refuse a database that this profile must not migrate.

    Raises:
        MigrationError: there are tables, and no journal.
        RefusedError: a standby, another environment's stamp, or none.
    """
    if state.standby:
        raise RefusedError(f"{location} is a read-only standby", hint="migrate the primary")
    if state.has_journal:
        found = state.standing or standing.Standing(None, 1, None, None)
        standing.check_environment(found, environment, location)
    elif state.tables:
        some = ", ".join(f"`{name}`" for name in sorted(state.tables)[:5])
        raise MigrationError(
            f"{location} has tables ({some}) and no journal",
            hint="where it has the schema already, adopt it with `custctl migrate baseline VERSION`",
        )


def _bootstrap(session: ScriptSession, environment: str) -> None:
    """Create the journal and stamp the database, in one transaction."""
    session.begin()
    try:
        journal.create(session.connection)
        standing.stamp(session.connection, environment)
        session.commit()
    except BaseException:
        session.rollback()
        raise


def _prepare(
    database: Database, steps: Sequence[Step], environment: str, listener: Listener
) -> dict[str, list[Statement]]:
    """Split and lint every script before the first one runs.

    Raises:
        MigrationError: a script is not fit to run, or the linter stops it here.
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
        lines = [f"{script.name}:{found.line}: {found.rule}: {found.message}" for script, found in stopping]
        first, finding = stopping[0]
        raise MigrationError(
            "\n".join([f"the linter stops {len(stopping)} place{'s' if len(stopping) > 1 else ''} in {environment}", *lines]),
            hint=f"{finding.hint}; or say `-- custctl: allow={finding.rule} REASON` in {first.name}",
            details={
                "findings": [
                    {"script": script.name, "line": f.line, "rule": f.rule, "message": f.message, "hint": f.hint}
                    for script, f in stopping
                ]
            },
        )
    return prepared


def execute(
    database: Database,
    session: ScriptSession,
    steps: Sequence[Step],
    prepared: dict[str, list[Statement]],
    actor: str,
    run: Run,
    listener: Listener,
    after_script: Callable[[Script], None] | None = None,
) -> None:
    """Carry out steps on an open session, whose lock the caller holds.

    Args:
        prepared: the statements of scripts that were split already.
        run: receives what was applied, also where an error ends the run.
        after_script: called in the script's own transaction, before its commit.

    Raises:
        MigrationError: a script failed; those before it stay applied.
        InterruptedRunError: Ctrl-C or SIGTERM.
    """
    for step in steps:
        script = step.script
        statements = prepared.get(script.name)
        if statements is None:
            statements = split_script(database, script)
        listener.applying(step)
        started = time.monotonic()
        runner = _run_in_transaction if script.directives.transaction else _run_one_by_one
        try:
            runner(database, session, step, statements, actor, started, after_script)
        except KeyboardInterrupt as interrupt:
            session.rollback()
            raise InterruptedRunError(
                f"interrupted in `{script.name}`; {_so_far(run)}",
                terminated=isinstance(interrupt, signals.Terminated),
                hint="run it again: it goes on where it stopped",
            ) from interrupt
        session.reset()
        run.applied.append(Applied(script, len(statements), _milliseconds(started)))
        listener.applied(run.applied[-1])


def _run_in_transaction(
    database: Database,
    session: ScriptSession,
    step: Step,
    statements: Sequence[Statement],
    actor: str,
    started: float,
    after_script: Callable[[Script], None] | None,
) -> None:
    """Run a script and its journal row as one transaction."""
    script, statement = step.script, None
    session.begin()
    try:
        for statement in statements:
            session.run(_substituted(script, statement))
            if not session.in_transaction():
                raise MigrationError(
                    f"{script.name}:{statement.line}: the statement ended the script's transaction",
                    hint="look at what it left behind, then use `-- custctl: transaction=off`",
                )
        statement = None
        journal.write(
            database,
            session.connection,
            script,
            state="applied",
            applied=len(statements),
            total=len(statements),
            actor=actor,
            duration_ms=_milliseconds(started),
        )
        if after_script is not None:
            after_script(script)
        session.commit()
    except MigrationError:
        session.rollback()
        raise
    except CustctlError as error:
        session.rollback()
        raise _failed(script, statement, statements, error, "nothing of it was kept") from _cause(script, error)


def _run_one_by_one(
    database: Database,
    session: ScriptSession,
    step: Step,
    statements: Sequence[Statement],
    actor: str,
    started: float,
    after_script: Callable[[Script], None] | None,
) -> None:
    """Run a script statement by statement, journalling each, so that a rerun goes on after the last good one."""
    script, total = step.script, len(statements)
    resume_at = _resume_at(database, session, step, statements)
    connection = session.connection

    def note(state: str, applied: int, in_flight: int | None = None, error: str | None = None) -> None:
        journal.write(
            database, connection, script, state=state, applied=applied, total=total, actor=actor,
            duration_ms=_milliseconds(started), in_flight=in_flight, error=error,
        )  # fmt: skip

    def in_own_transaction(work: Callable[[], None]) -> None:
        session.begin()
        work()
        session.commit()

    done = resume_at
    in_own_transaction(lambda: note("running", done))
    for number in range(resume_at, total):
        statement = statements[number]
        control = database.transaction_control(statement)
        try:
            if session.in_transaction():
                # Between the script's own BEGIN and COMMIT; how far it came commits with them.
                if control in ("COMMIT", "END"):
                    journal.progress(connection, script, applied=number + 1)
                session.run(_substituted(script, statement))
            elif control is not None:
                session.run(_substituted(script, statement))
            elif database.needs_autocommit(statement):
                in_own_transaction(lambda at=number: journal.progress(connection, script, applied=at, in_flight=at))  # type: ignore[misc]
                session.run(_substituted(script, statement))
                in_own_transaction(lambda at=number: journal.progress(connection, script, applied=at + 1))  # type: ignore[misc]
            else:
                session.begin()
                session.run(_substituted(script, statement))
                journal.progress(connection, script, applied=number + 1)
                session.commit()
            if not session.in_transaction():
                done = number + 1
        except CustctlError as error:
            session.rollback()
            reason = mask(error.message, script.text, os.environ) if script.directives.substitute else error.message
            in_own_transaction(lambda text=reason: note("failed", done, error=text))  # type: ignore[misc]
            kept = f"{done} of {total} statements are applied, and a rerun goes on after them"
            raise _failed(script, statement, statements, error, kept) from _cause(script, error)
    session.rollback()
    session.begin()
    note("applied", total)
    if after_script is not None:
        after_script(script)
    session.commit()


def _resume_at(database: Database, session: ScriptSession, step: Step, statements: Sequence[Statement]) -> int:
    """Return where to go on in a script that was begun before.

    Raises:
        MigrationError: the statements that were applied have been changed.
        OutcomeUnknownError: whether the statement in flight took effect cannot be seen.
    """
    if step.reason != "resume":
        return 0
    applied = step.resume_at
    if step.record is not None:
        before = [statement.text for statement in database.split(step.record.script)[:applied]]
        if before != [statement.text for statement in statements[:applied]]:
            raise MigrationError(
                f"`{step.script.name}` stopped after statement {applied}, and what it had applied was changed since",
                hint="put those statements back as they were; change only what comes after them",
            )
    if step.in_flight is None or step.in_flight >= len(statements):
        return applied
    settled = database.settle(session.connection, statements[step.in_flight])
    if settled is None:
        raise OutcomeUnknownError(
            f"whether statement {step.in_flight + 1} of `{step.script.name}` took effect is not known",
            hint="look at the database, then settle it with `custctl migrate repair`",
        )
    return step.in_flight + 1 if settled else step.in_flight


def _substituted(script: Script, statement: Statement) -> Statement:
    """Return what is executed; journal and messages show the statement as written."""
    if not script.directives.substitute:
        return statement
    text = substitute(statement.text, os.environ, name=script.name, line=statement.line)
    return replace(statement, text=text)


def _failed(
    script: Script, statement: Statement | None, statements: Sequence[Statement], error: CustctlError, kept: str
) -> MigrationError:
    if statement is None:
        where, number = script.name, None
    else:
        where, number = f"{script.name}:{statement.line}", statements.index(statement) + 1
    which = f"statement {number} of {len(statements)} failed" if number else "the script failed at its end"
    reason = mask(error.message, script.text, os.environ) if script.directives.substitute else error.message
    failure = MigrationError(
        f"{where}: {which}: {reason}\n{kept}",
        hint="mend the script and run `custctl migrate` again",
        details={"script": script.name, "line": statement.line if statement else None, "statement": number},
    )
    if error.exit_code is ExitCode.UNAVAILABLE:
        # A lock or a lost connection is no fault of the script.
        failure.exit_code = ExitCode.UNAVAILABLE
        failure.hint = error.hint
    return failure


def _cause(script: Script, error: CustctlError) -> CustctlError | None:
    """Return what a traceback may show: nothing where the engine's own words may hold substituted values."""
    return None if script.directives.substitute else error


def _so_far(run: Run) -> str:
    if not run.applied:
        return "no script was applied"
    last = run.applied[-1].script.name
    return f"{len(run.applied)} script{'s' if len(run.applied) > 1 else ''} before it stay applied, up to `{last}`"


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
