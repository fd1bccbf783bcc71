"""The runner: takes the lock, makes the plan and carries it out, each script once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from custctl.engines import deferral
from custctl.engines.scripts import Finding, Statement
from custctl.migrations import journal, own_record
from custctl.migrations.directives import Phase
from custctl.migrations.execution import Task, carry_out, milliseconds
from custctl.migrations.journal import Record, State
from custctl.migrations.phases import in_words, phase_of, phase_of_rule
from custctl.migrations.plan import Plan, Step, check_plan, expand_only, lint_script, make_plan, split_script
from custctl.migrations.release import Lacking, find_lacking
from custctl.migrations.scripts import Script, discover
from custctl.migrations.shapes import Recorder
from custctl.migrations.substitution import mask
from custctl.schema import standing
from custctl.schema.own import dump_record
from custctl.support import signals
from custctl.support.errors import (
    CommitLostError,
    CustctlError,
    InterruptedRunError,
    MigrationError,
    OutcomeUnknownError,
    StatementError,
    UnavailableError,
)
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.model import Index, LockHolder, SearchIndex
    from custctl.engines.scripting import ScriptSession

PROTECTED = ("staging", "production")
"""The environments in which the linter's findings stop a run."""

_PATIENCE = 10.0  # seconds to keep asking for the outcome of a lost commit
_PAUSE = 0.25


class Listener:
    """Receives the events of a run; every method may be overridden."""

    def stamped(self, environment: str) -> None:
        """A database without tables was stamped."""

    def waiting(self, holder: LockHolder | None) -> None:
        """Another run holds the lock."""

    def building(self, index: Index) -> None:
        """The run builds an index that an import deferred and did not finish."""

    def indexing(self, index: SearchIndex) -> None:
        """The run builds an index with which a search finds customers by their own fields."""

    def finding(self, script: Script, finding: Finding) -> None:
        """The linter reports a finding that does not stop this run."""

    def planned(self, run: Run) -> None:
        """The plan is known; nothing is applied yet."""

    def left(self, scripts: Sequence[Script]) -> None:
        """Scripts of the contract release stay pending."""

    def missing(self, record: Record) -> None:
        """A script in the journal is not on disk."""

    def lacking(self, lacking: Lacking) -> None:
        """The project's folder lacks scripts of the release."""

    def too_old(self, version: int | None) -> None:
        """After the run, the schema is too old for the program; `version` is the newest product script, or None."""

    def applying(self, step: Step) -> None:
        """A script starts."""

    def notice(self, script: Script, text: str, hint: str | None) -> None:
        """The database sends a warning while a script runs."""

    def message(self, script: Script, text: str) -> None:
        """A running script reports its progress."""

    def applied(self, done: Applied) -> None:
        """A script is applied and committed."""

    def unrecorded(self, error: CustctlError) -> None:
        """All scripts are applied, but the company's own fields could not be recorded."""


class Applied(NamedTuple):
    """A script that this run has applied; the duration is in milliseconds."""

    script: Script
    statements: int
    duration_ms: int


@dataclass(slots=True)
class Run:
    """What a run did.

    Attributes:
        phases: the release of each planned script, by name; set by a dry run.
        indexes: the names of the indexes that the run would build besides the scripts; set by a dry run.
    """

    before: int | None = None
    after: int | None = None
    applied: list[Applied] = field(default_factory=list)
    planned: tuple[Step, ...] = ()
    phases: dict[str, Phase] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()


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
    plan = plan_for(state)
    for record in plan.missing:
        listener.missing(record)
    lacking = find_lacking(request.sql_dir, database.engine_name, scripts)
    if lacking is not None:
        listener.lacking(lacking)
    if left:
        listener.left(left)
    run = Run(before=plan.newest, after=plan.newest, planned=plan.steps)
    listener.planned(run)
    if not state.has_journal:
        require_preconditions(database)
    is_whole = state.standing is None or state.standing.deferred is None
    is_idle = state.has_journal and not plan.steps and is_whole and not _fields_changed(database, state)
    if request.dry_run:
        if state.has_journal and not is_idle:
            run.indexes = _planned_indexes(database, state, plan)
        prepared = _prepare(database, plan.steps, request.environment, listener)
        run.phases = {
            step.script.name: phase_of(database, step.script, prepared[step.script.name]) for step in plan.steps
        }
        run.after = plan.reaches
        return _told_age(run, plan, listener)
    if is_idle:
        return _told_age(run, plan, listener)
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
            try:
                with session.errors():
                    own_record.record(database, session, listener.indexing)
            except CustctlError as error:
                # The applied scripts stay applied, and the next run records the fields.
                listener.unrecorded(error)
    return _told_age(run, plan, listener)


def _told_age(run: Run, plan: Plan, listener: Listener) -> Run:
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
    deferred = [index.name for index in deferral.parse(state.standing.deferred if state.standing else None)]
    with database.reading() as connection:
        own = own_record.plan(database, connection, state.records, [step.script for step in plan.steps])
    return (*deferred, *(index.name for index in own))


def check_state(state: State, environment: str, location: str) -> None:
    """Refuse a database that this profile must not migrate.

    Raises:
        MigrationError: it has tables but no journal.
        RefusedError: it refuses writes, or has no stamp or another environment's.
    """
    if state.refusal is not None:
        raise state.refusal
    if state.has_journal:
        found = state.standing or standing.Standing(None, 1, None, None)
        standing.check_environment(found, environment, location)
    elif state.tables:
        some = ", ".join(f"`{name}`" for name in sorted(state.tables)[:5])
        raise MigrationError(
            f"{location} has tables ({some}) and no journal",
            hint="if it already has the schema, adopt it: see `custctl migrate baseline --help`",
        )


def require_preconditions(database: Database) -> None:
    """Refuse a database that cannot hold the schema, before writing to it.

    Raises:
        CustctlError: with the exit code that `doctor` has for this fault.
    """
    if not database.exists():
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
    session.begin()
    try:
        journal.create(database, session.connection)
        standing.stamp(session.connection, environment, database.branch(session.connection))
        session.commit()
    except CommitLostError as lost:
        # Whether or not it was committed, the next step is the same.
        raise UnavailableError(f"{lost.message}; no script was applied", hint="run it again") from lost
    except BaseException:
        session.rollback()
        raise


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
        first, finding = stopping[0]
        raise MigrationError(
            "\n".join([f"the linter stops {plural(len(stopping), 'place', 'places')} in {environment}", *lines]),
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


def execute(
    database: Database,
    session: ScriptSession,
    steps: Sequence[Step],
    prepared: dict[str, list[Statement]],
    actor: str,
    run: Run,
    listener: Listener,
    after_script: Callable[[Connection, Script], None] | None = None,
) -> None:
    """Run steps on an open session; the caller holds the lock.

    Args:
        prepared: the statements of scripts that are already split.
        run: receives the applied scripts, even if an error ends the run.
        after_script: called in the script's own transaction, before its commit.

    Raises:
        MigrationError: a script failed; those before it stay applied.
        UnavailableError: the connection was lost; the message says what is applied.
        OutcomeUnknownError: the connection was lost during a script's commit, and the outcome could not be determined.
        InterruptedRunError: Ctrl-C or SIGTERM.
    """
    # Split all scripts before the first one runs: one that cannot run stops them all.
    split = [prepared.get(step.script.name) or split_script(database, step.script) for step in steps]
    recorder = Recorder(database, session)
    for number, (step, statements) in enumerate(zip(steps, split, strict=True), 1):
        script = step.script
        started = time.monotonic()
        is_last = number == len(steps)
        task = Task(database, session, step, statements, actor, started, _so_far(run), recorder, is_last, after_script)
        try:
            listener.applying(step)
            session.on_notice = partial(_notice, listener, script)
            session.on_message = partial(_message, listener, script)
            with _located(task):
                carry_out(task)
            run.applied.append(Applied(script, len(statements), milliseconds(started)))
            listener.applied(run.applied[-1])
            session.on_notice = session.on_message = None
            _reset(session, run, is_last=is_last)
        except KeyboardInterrupt as interrupt:
            interrupted = _interrupted(task, run, interrupt)
            _settle(database, session)
            raise interrupted from interrupt
        except CommitLostError as lost:
            with ExitStack() as stack:
                session = _reconnect(stack, task, listener, lost)
                if not journal.is_done(session.connection, script):
                    raise _not_committed(task, lost) from lost
                run.applied.append(Applied(script, len(statements), milliseconds(started)))
                listener.applied(run.applied[-1])
                execute(database, session, steps[number:], prepared, actor, run, listener, after_script)
            return
        except CustctlError:
            _settle(database, session)
            raise


def _settle(database: Database, session: ScriptSession) -> None:
    """Record what the scripts of a run that ends early have changed; if that fails, the next run does it."""
    with suppress(CustctlError, StatementError), session.errors():
        session.rollback()
        session.reset()
        session.begin()
        Recorder(database, session).settle()
        session.commit()


def _reset(session: ScriptSession, run: Run, *, is_last: bool) -> None:
    """Reset the session settings of the script that was just applied.

    Raises:
        CustctlError: it failed and more scripts would follow; the message says what is applied.
    """
    try:
        with session.errors():
            session.reset()
    except CustctlError as error:
        if is_last:
            return  # this session runs nothing more
        error.message = f"{error.message}; {_so_far(run)}"
        error.args = (error.message,)
        raise


@contextmanager
def _located(task: Task) -> Iterator[None]:
    """Make every error of the block name the script, the line and the statement."""
    try:
        with task.session.errors():
            yield
    except CommitLostError:
        raise  # the caller first finds out whether the script was committed
    except CustctlError as error:
        raise task.located(error) from error.__cause__
    except Exception as error:  # noqa: BLE001 - told as what it is, with the place
        # A traceback may show the cause, unless values were substituted into the script.
        cause = None if task.script.directives.substitute else error
        raise task.located(CustctlError(f"unexpected {type(error).__name__}")) from cause


def _notice(listener: Listener, script: Script, text: str, hint: str | None) -> None:
    """Pass on a warning of the database, without the values substituted into the script."""
    listener.notice(script, _masked(script, text), _masked(script, hint) if hint else None)


def _message(listener: Listener, script: Script, text: str) -> None:
    """Pass on a script's message, without the values substituted into it."""
    listener.message(script, _masked(script, text))


def _masked(script: Script, text: str) -> str:
    return mask(text, script.text, os.environ) if script.directives.substitute else text


def _reconnect(stack: ExitStack, task: Task, listener: Listener, lost: CommitLostError) -> ScriptSession:
    """Return a new session with the lock; the lost session has ended by then, and the journal has the outcome.

    Raises:
        OutcomeUnknownError: the database does not answer, or the lost session is still running.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            stack.enter_context(task.database.migration_lock(max(deadline - time.monotonic(), 0), listener.waiting))
            return stack.enter_context(task.database.script_session())
        except CustctlError as error:
            if time.monotonic() >= deadline or not isinstance(error, UnavailableError):
                raise OutcomeUnknownError(
                    f"{task.place}: {lost.message}, and whether it is applied is unknown:"
                    f" {error.message}; {task.so_far}",
                    hint="when the database answers, `custctl migrate status` shows the outcome; `custctl migrate`"
                    " resumes where it stopped",
                    details=task.located_details,
                ) from lost
            time.sleep(_PAUSE)


def _not_committed(task: Task, lost: CommitLostError) -> UnavailableError:
    script = task.script
    if script.directives.transaction:
        kept, hint = "none of it was kept", "run it again"
    else:
        kept, hint = "it is partly applied", "run it again: it resumes where it stopped"
    return UnavailableError(
        f"{task.place}: {lost.message}; {kept}; {task.so_far}",
        hint=hint,
        details=task.located_details,
    )


def _interrupted(task: Task, run: Run, interrupt: KeyboardInterrupt) -> InterruptedRunError:
    """Return the error for an interrupted run, after checking what was committed."""
    script, session = task.script, task.session
    counted = bool(run.applied) and run.applied[-1].script is script
    if not counted:
        # The signal may have come after the commit and before it was counted.
        with suppress(CustctlError, StatementError):
            session.rollback()
            session.reset()
            counted = journal.is_done(session.connection, script)
            if counted:
                run.applied.append(Applied(script, len(task.statements), milliseconds(task.started)))
    where = f"after `{script.name}`" if counted else f"in `{script.name}`"
    return InterruptedRunError(
        f"interrupted {where}; {_so_far(run)}",
        terminated=isinstance(interrupt, signals.Terminated),
        hint="run it again: it resumes where it stopped",
    )


def _so_far(run: Run) -> str:
    if not run.applied:
        return "this run applied no other scripts"
    last, count = run.applied[-1].script.name, len(run.applied)
    return f"this run applied {plural(count, 'script', 'scripts')}, up to `{last}`"
