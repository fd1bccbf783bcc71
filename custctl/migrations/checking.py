"""What `doctor` reports about the schema and its scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.engines import deferral
from custctl.engines.model import Check
from custctl.migrations.own_record import changed_fields, found_fields
from custctl.migrations.runner import check_adopted
from custctl.migrations.status import read_status
from custctl.schema.names import CUSTOMER
from custctl.schema.own import parse_record
from custctl.schema.standing import REQUIRED_SCHEMA, read_pseudonyms
from custctl.support.errors import CustctlError, ExitCode

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.shaping import Fix
    from custctl.migrations.journal import Record, State
    from custctl.migrations.plan import Plan
    from custctl.migrations.status import Status


def check_schema(database: Database, sql_dir: Path, environment: str) -> Iterator[Check]:
    """Yield the checks of the schema: stamp, tables, scripts, own fields, indexes and shape.

    Raises:
        CustctlError: the database cannot be read, or has tables and no journal.
    """
    status = read_status(database, sql_dir, environment)
    state, plan = status.state, status.plan
    if state.has_journal:
        yield _stamp(status.stamp, environment)
    if state.exists:
        with database.reading() as connection:
            taken = list(database.taken_names(connection))
        yield from taken
    check_adopted(state, database.location)
    yield from _tables(database, state, plan)
    yield _version(plan)
    yield from _own_fields(database, state)
    yield from _deferred(state)
    yield from _shape(database, status)
    yield from _unfinished(state)
    yield from _pseudonyms(database, state, environment)


def _stamp(stamp: str | None, environment: str) -> Check:
    if stamp == environment:
        return Check("stamp", True, stamp)
    hint = f"use a profile of that environment; after a restore, `custctl migrate repair --environment {environment}`"
    return Check("stamp", False, stamp or "none", hint, ExitCode.REFUSED)


def _tables(database: Database, state: State, plan: Plan) -> Iterator[Check]:
    """Report missing tables whose scripts are in the journal."""
    if plan.applied.get("product", 0) < REQUIRED_SCHEMA:
        return
    unseen = sorted({"customer", "customer_password", "customer_audit"} - state.tables)
    missing = [name for name in unseen if _is_gone(database, name)]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        found = f"{names} missing, but the journal has the script"
        yield Check("tables", False, found, "restore a backup", ExitCode.PENDING)
    if CUSTOMER in state.tables:
        yield from _customers(database)


def _customers(database: Database) -> Iterator[Check]:
    """Read from the table, as commands do: a damaged one is listed as well."""
    try:
        with database.reading() as connection:
            connection.send(f"SELECT max(id) FROM {connection.qualified(CUSTOMER)}")
    except CustctlError as error:
        yield Check("customers", False, error.message, error.hint, error.exit_code)


def _is_gone(database: Database, table: str) -> bool:
    """Return whether an unlisted table is missing; tables without read access may be unlisted, too."""
    try:
        with database.reading() as connection:
            connection.send(f"SELECT 1 FROM {connection.qualified(table)} WHERE 1 = 0")
    except CustctlError as error:
        return error.exit_code is ExitCode.PENDING
    return False


def _shape(database: Database, status: Status) -> Iterator[Check]:
    """Report each difference from the applied scripts, with its fix."""
    comparison = status.shape
    if not status.state.has_journal:
        return
    if comparison.refusal is not None:
        yield Check("shape", True, f"not compared: {comparison.refusal}")
        return
    told: set[Fix] = set()
    for difference, fix in zip(comparison.differences, comparison.fixes, strict=True):
        yield Check("shape", False, difference.sentence, _fix_in_words(database, fix, told), ExitCode.PENDING)
        told.add(fix)
    if not comparison.differences:
        unknown = ", ".join(f"`{name}`" for name in comparison.unknown)
        yield Check("shape", True, f"matches the scripts{f'; unknown for {unknown}' if unknown else ''}")


def _fix_in_words(database: Database, fix: Fix, told: set[Fix]) -> str:
    if fix in told and len(fix.statements) > 1:
        return "the statements for the first fault of this table fix this too"
    statements = [each if "--" in each else " ".join(each.split()) for each in fix.statements]
    text = statements[0] if len(statements) == 1 else database.script_of(statements)
    careful = ["after a backup, as values may not fit"] if fix.loses else []
    return "; ".join([*fix.notes, *careful, *([f"`{text}`"] if text else [])])


def _version(plan: Plan) -> Check:
    counts = Counter(entry.state for entry in plan.entries)
    order = ("applied", "baseline", "pending", "running", "failed", "drifted", "missing", "left-out")
    told = ", ".join(f"{counts[state]} {state}" for state in order if counts[state])
    value = (f"version {plan.newest}" if plan.newest is not None else "not there") + (f": {told}" if told else "")
    if plan.drifted:
        names = ", ".join(f"`{drift.script.name}`" for drift in plan.drifted)
        hint = (
            "`custctl migrate` shows the diff; restore the script, or accept the change with `custctl migrate repair`"
        )
        return Check("schema", False, f"{value}; changed since: {names}", hint, ExitCode.MIGRATION)
    if plan.steps:
        return Check("schema", False, value, "run `custctl migrate`", ExitCode.PENDING)
    return Check("schema", True, value)


def _own_fields(database: Database, state: State) -> Iterator[Check]:
    """Compare the own columns of `customer` with the recorded ones."""
    if state.standing is None or "customer" not in state.tables:
        return
    with database.reading() as connection:
        found = found_fields(database, connection, state.records)
    changed = changed_fields(found, parse_record(state.standing.own_fields).fields)
    if changed:
        hint = "run `custctl migrate`, which records them as they are"
        yield Check("own fields", False, f"not as recorded: {', '.join(changed)}", hint, ExitCode.PENDING)
    elif found:
        fixed = [f"`{field.name}` ({field.native})" for field in found if not field.settable]
        told = f"{', '.join(f'`{field.name}`' for field in found)}" + (
            f"; read-only: {', '.join(fixed)}" if fixed else ""
        )
        yield Check("own fields", True, told)


def _deferred(state: State) -> Iterator[Check]:
    """Report indexes that an import dropped: it is running, or it was killed."""
    left_out = deferral.parse(state.standing.deferred) if state.standing is not None else []
    if left_out:
        names = ", ".join(f"`{index.name}`" for index in left_out)
        hint = "wait if an import is running; otherwise run `custctl migrate`, which builds them"
        yield Check("indexes", False, f"dropped for an import: {names}", hint, ExitCode.INCOMPLETE)


def _pseudonyms(database: Database, state: State, environment: str) -> Iterator[Check]:
    """Report an unfinished replacement of personal data by a repair."""
    if state.standing is None:
        return
    with database.reading() as connection:
        unfinished = read_pseudonyms(connection) is not None
    if unfinished:
        hint = (
            f"run `custctl migrate repair --environment {environment} --pseudonymise`, which resumes where it stopped"
        )
        yield Check("personal data", False, "only partly replaced by pseudonyms", hint, ExitCode.INCOMPLETE)


def _unfinished(state: State) -> Iterator[Check]:
    """Report scripts that started and did not finish."""
    for record in state.records:
        if record.state == "failed":
            value = f"`{record.name}` failed{_how_far(record)}{f': {record.error}' if record.error else ''}"
            yield Check("script", False, value, "fix the script and run `custctl migrate`", ExitCode.MIGRATION)
        elif record.state == "running":
            value = f"`{record.name}` was started at {record.started_at} by {record.applied_by}{_how_far(record)}"
            hint = "wait if that run is still active; otherwise `custctl migrate` resumes where it stopped"
            if record.in_flight is not None:
                hint += ", and `custctl migrate repair` settles the statement in flight"
            yield Check("script", False, value, hint, ExitCode.MIGRATION)


def _how_far(record: Record) -> str:
    flying = f", statement {record.in_flight + 1} in flight" if record.in_flight is not None else ""
    return f" after {record.statements_applied} of {record.statements_total} statements{flying}"
