"""Resuming a script that stopped between statements: what is applied, and the session settings that the rest needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from custctl.engines.scripts import Statement
from custctl.migrations.journal import Record
from custctl.migrations.task import BEFORE, RUNNING, Task
from custctl.support.errors import CustctlError, MigrationError, OutcomeUnknownError

if TYPE_CHECKING:
    from custctl.engines.base import Database


def resume(task: Task, record: Record) -> int:
    """Restore a script's session settings, and return the number of its first statement to run.

    Raises:
        MigrationError: the applied statements have changed, or their settings cannot be restored.
        OutcomeUnknownError: it cannot be determined whether the statement in flight took effect.
    """
    step, statements = task.step, task.statements
    applied = step.resume_at
    before = [statement.text for statement in task.database.language.split(record.script)]
    if before[:applied] != [statement.text for statement in statements[:applied]]:
        if step.script.version is None:
            return 0  # a repeatable script runs again whenever its text changes
        now = [statement.text for statement in statements]
        task.at = next((n for n, text in enumerate(before[:applied]) if now[n : n + 1] != [text]), 0)
        raise _changed(task, applied)
    _restore(task, applied)
    if step.in_flight is None or not 0 <= step.in_flight < len(before):
        return applied
    task.at, task.phase = min(step.in_flight, len(statements) - 1), RUNNING
    settled = task.database.settle(task.session.connection, Statement(before[step.in_flight], 1))
    if settled is None:
        raise OutcomeUnknownError(
            f"{task.place}: whether it took effect is unknown",
            hint="check the database and undo what it did, then run `custctl migrate repair`, which counts it as not"
            " applied",
            details=task.located_details,
        )
    if not settled:
        return step.in_flight
    if step.in_flight >= len(statements) or statements[step.in_flight].text != before[step.in_flight]:
        raise _changed(task, step.in_flight + 1)
    return step.in_flight + 1


def _changed(task: Task, applied: int) -> MigrationError:
    task.at, task.phase = min(task.at, len(task.statements) - 1), RUNNING
    return MigrationError(
        f"`{task.script.name}` stopped after statement {applied}, and its applied statements have changed since",
        hint="restore those statements; change only what comes after them",
        details={"script": task.script.name},
    )


def _restore(task: Task, applied: int) -> None:
    """Restore the session settings that a script had made before it stopped.

    Raises:
        MigrationError: something that the rest needs cannot be restored, or ended with the previous run's session;
            without it, the rest would do something else.
    """
    database, statements = task.database, task.statements
    lost = database.lost(statements[:applied], statements[applied:])
    if lost is not None:
        task.at, task.phase = applied + lost.number, RUNNING
        raise MigrationError(
            f"{task.place}: it needs {lost.what}; the run that stopped after statement {applied} had it, and this one"
            " does not",
            hint=lost.hint,
            details=task.located_details,
        )
    failed: dict[str, tuple[int, CustctlError]] = {}
    for number in database.settings_of(statements[:applied]):
        essential = database.essential_setting(statements[number])
        try:
            task.run(number)
        except CustctlError as refusal:
            if essential is not None:
                failed[essential] = number, refusal
        else:
            failed.pop(essential or "", None)
    task.at, task.phase = min(applied, len(statements) - 1), BEFORE
    for number, error in failed.values():
        task.at, task.phase = number, RUNNING
        raise task.failure(error, f"it resumes after statement {applied}, once this setting can be restored")


def in_flight(database: Database, record: Record) -> Statement | None:
    """Return the statement in flight; None if there was none, or if someone edited the journal and it names none."""
    statements = database.language.split(record.script)
    found = record.in_flight is not None and 0 <= record.in_flight < len(statements)
    return statements[record.in_flight or 0] if found else None


def restore_settings(database: Database, run: Callable[[Statement], None], record: Record) -> None:
    """Run again the session settings that a script had made before it stopped, as far as possible, and nothing else."""
    statements = database.language.split(record.script)[: record.statements_applied]
    for number in database.settings_of(statements):
        with suppress(CustctlError):
            run(statements[number])
