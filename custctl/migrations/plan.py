"""The plan: what a run would do, computed from scripts and journal alone, without changing anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from custctl.engines.scripts import Finding, ScriptSyntaxError, Statement
from custctl.migrations.journal import DONE, Record
from custctl.migrations.phases import phase_of
from custctl.migrations.scripts import Script, ScriptSet, diff
from custctl.migrations.spaces import Space, space_of
from custctl.support.errors import MigrationError

if TYPE_CHECKING:
    from custctl.engines.base import Database


class Step(NamedTuple):
    """One script to run.

    Attributes:
        reason: `pending`, `changed` (a repeatable or seed script with a new text) or `resume`.
        record: its record in the journal.
    """

    script: Script
    reason: str
    record: Record | None = None

    @property
    def resume_at(self) -> int:
        """How many of its statements an earlier run applied."""
        return self.record.statements_applied if self.reason == "resume" and self.record else 0

    @property
    def in_flight(self) -> int | None:
        """The statement that started and is not known to have finished, or None."""
        return self.record.in_flight if self.reason == "resume" and self.record else None


class Drift(NamedTuple):
    """A script whose text on disk differs from what was applied."""

    script: Script
    record: Record

    @property
    def diff(self) -> str:
        """What changed, as a unified diff."""
        return diff(self.record.script, self.script.text, self.script.name)


class Entry(NamedTuple):
    """A script as `status` shows it: applied, baseline, pending, drifted, missing, failed, running or left-out."""

    state: str
    version: int | None
    description: str
    kind: str
    name: str
    record: Record | None = None

    @property
    def space(self) -> Space:
        """The space that the script belongs to."""
        return space_of(self.name)


class Plan(NamedTuple):
    """What a run would do, and what prevents it.

    Attributes:
        steps: in the order in which they run.
        drifted: applied scripts whose text has changed since.
        missing: journal rows without a script on disk.
        late: pending versioned scripts with a number below the newest applied one of their space, including a script
            that was left out before (because of its `environments=` or `requires=`) and applies now. They were written
            to run before those above them; whoever allows it decides whether they still may. Repeatable scripts have no
            place in that order and are never late.
        entries: every script, for `status`.
        applied: the newest number applied in each space that has one.
    """

    steps: tuple[Step, ...]
    drifted: tuple[Drift, ...]
    missing: tuple[Record, ...]
    late: tuple[Script, ...]
    entries: tuple[Entry, ...]
    applied: Mapping[Space, int]

    @property
    def newest(self) -> int | None:
        """The newest number applied, or None."""
        return max(self.applied.values(), default=None)

    @property
    def product_reaches(self) -> int | None:
        """The newest number of a product script after the run."""
        numbers = [step.script.version or 0 for step in self.steps if step.script.space == "product"]
        return max([*numbers, self.applied.get("product", 0)]) or None

    @property
    def reaches(self) -> int | None:
        """The newest number after the run."""
        numbers = [step.script.version for step in self.steps if step.script.version is not None]
        return max([*numbers, *([self.newest] if self.newest is not None else [])], default=None)


def make_plan(
    scripts: ScriptSet,
    records: Sequence[Record],
    *,
    environment: str,
    features: frozenset[str],
    target: int | None = None,
) -> Plan:
    """Compare scripts and journal.

    Args:
        environment: scripts for other environments are left out.
        features: of the engine; scripts that require others are left out.
        target: the last number to apply; repeatable scripts then wait for a run without a target.

    Raises:
        UsageError: no script has the target's number, or two have it.
    """
    wanted = scripts.versioned if target is None else scripts.up_to(target)
    by_number = {(record.space, record.number): record for record in records if record.kind == "versioned"}
    by_name = {record.name: record for record in records if record.kind == "repeatable"}
    applied: dict[Space, int] = {}
    for (space, number), held in by_number.items():
        if held.state in DONE:
            applied[space] = max(applied.get(space, 0), number or 0)

    steps: list[Step] = []
    drifted: list[Drift] = []
    late: list[Script] = []
    entries: list[Entry] = []
    for script in scripts.versioned:
        record = by_number.pop((script.space, script.version), None)
        if record is not None and record.state in DONE:
            changed = record.checksum != script.checksum
            if changed:
                _require_name(script, record)
                drifted.append(Drift(script, record))
            entries.append(_entry("drifted" if changed else record.state, script, record))
        elif not applies(script, environment, features):
            entries.append(_entry("left-out", script, record))
        else:
            entries.append(_entry(record.state if record else "pending", script, record))
            if script in wanted:
                steps.append(_step(script, record))
                if record is None and (script.version or 0) < applied.get(script.space, 0):
                    late.append(script)
    for script in scripts.repeatable:
        record = by_name.pop(script.name, None)
        if _is_applied(script, record):
            entries.append(_entry("applied", script, record))
        elif not applies(script, environment, features):
            entries.append(_entry("left-out", script, record))
        else:
            entries.append(_entry("pending", script, record))
            if target is None:
                steps.append(_step(script, record))
    gone = tuple(record for record in (*by_number.values(), *by_name.values()))
    entries.extend(Entry("missing", r.number, r.description, r.kind, r.name, r) for r in gone)
    return Plan(tuple(steps), tuple(drifted), gone, tuple(late), tuple(entries), applied)


def make_seed_plan(
    scripts: Iterable[Script], records: Sequence[Record], *, environment: str, features: frozenset[str]
) -> tuple[Step, ...]:
    """Return the seed scripts that are new or have a new text."""
    by_name = {record.name: record for record in records if record.kind == "seed"}
    steps = []
    for script in scripts:
        record = by_name.get(script.name)
        if not _is_applied(script, record) and applies(script, environment, features):
            steps.append(_step(script, record))
    return tuple(steps)


def _is_applied(script: Script, record: Record | None) -> bool:
    """Return whether a repeatable or seed script is applied with the text that it has on disk."""
    return record is not None and record.state in DONE and record.checksum == script.checksum


def applies(script: Script, environment: str, features: frozenset[str]) -> bool:
    """Return whether a script is meant for this environment and engine."""
    wanted = script.directives.environments
    return (wanted is None or environment in wanted) and script.directives.requires <= features


def _step(script: Script, record: Record | None) -> Step:
    if record is None:
        return Step(script, "pending")
    _require_name(script, record)
    if record.state in DONE:
        return Step(script, "changed", record)
    return Step(script, "resume", record)


def _require_name(script: Script, record: Record) -> None:
    """Refuse to update the row of a script that the journal has under another name.

    Raises:
        MigrationError: the script was renamed.
    """
    if isinstance(script.key, str) and script.key != record.name:
        raise MigrationError(
            f"`{script.name}` is {record.state} in the journal as `{record.name}`",
            hint=f"rename it back to `{record.name}`",
            details={"script": script.name, "journal": record.name},
        )


def _entry(state: str, script: Script, record: Record | None) -> Entry:
    return Entry(state, script.version, script.description, script.kind, script.name, record)


# -- what prevents a run ---------------------------------------------------------------------------


def check_plan(plan: Plan, *, allow_out_of_order: bool) -> None:
    """Refuse a plan with drifted scripts or late ones.

    Raises:
        MigrationError: drift, shown as a diff; or a late number.
    """
    if plan.drifted:
        names = ", ".join(f"`{drift.script.name}`" for drift in plan.drifted)
        raise MigrationError(
            "\n".join(
                [
                    f"changed after they were applied: {names}",
                    *(line for drift in plan.drifted for line in drift.diff.splitlines()),
                ]
            ),
            hint="restore the applied text and write a new script; if the change is harmless, accept it with"
            " `custctl migrate repair`",
            details={"drifted": [{"script": drift.script.name, "diff": drift.diff} for drift in plan.drifted]},
        )
    if plan.late and not allow_out_of_order:
        space = plan.late[0].space
        late, newest = [script.name for script in plan.late if script.space == space], plan.applied[space]
        names = ", ".join(f"`{name}`" for name in late)
        raise MigrationError(
            f"{names} {'is' if len(late) == 1 else 'are'} pending below {newest}, which is applied",
            hint=f"give it a number above {newest}, or apply it now with `--allow-out-of-order`",
            details={"late": late, "newest": newest},
        )


def split_script(database: Database, script: Script) -> list[Statement]:
    """Split a script, and check that it does not control its own transaction.

    Raises:
        MigrationError: it cannot be split, is empty without saying so, or has a statement that cannot run in its
            transaction.
    """
    try:
        statements = database.language.split(script.text)
    except ScriptSyntaxError as error:
        raise MigrationError(
            f"{script.name}:{error.line}: {error.message}", details={"script": script.name, "line": error.line}
        ) from error
    if not statements and script.directives.none is None:
        raise MigrationError(
            f"{script.name}:1: the script has no statements",
            hint="add a statement, remove the file, or write `-- custctl: none REASON` in it",
            details={"script": script.name, "line": 1},
        )
    if statements and script.directives.none is not None:
        raise MigrationError(
            f"{script.name}:{statements[0].line}: the script has statements but says `-- custctl: none`",
            hint="remove the directive",
            details={"script": script.name, "line": statements[0].line},
        )
    if script.directives.transaction:
        for statement in statements:
            keyword = database.language.transaction_control(statement)
            if keyword:
                raise MigrationError(
                    f"{script.name}:{statement.line}: `{keyword}` would break the script's transaction",
                    hint="remove it: each script runs in one transaction; or put `-- custctl: transaction=off` at the top of the script",
                    details={"script": script.name, "line": statement.line},
                )
            if database.fails_in_transaction(statement):
                start = " ".join(statement.text.split()[:3])
                raise MigrationError(
                    f"{script.name}:{statement.line}: `{start} …` fails inside a transaction, and the script runs in one",
                    hint="put it in a separate script with `-- custctl: transaction=off` at the top",
                    details={"script": script.name, "line": statement.line},
                )
    return statements


def lint_script(database: Database, script: Script, statements: Sequence[Statement]) -> list[Finding]:
    """Return the linter's findings that the script does not allow."""
    found = database.lint(statements, transaction=script.directives.transaction)
    return [finding for finding in found if finding.rule not in script.directives.allow]


def expand_only(database: Database, plan: Plan, *, allow_out_of_order: bool) -> tuple[Plan, tuple[Script, ...]]:
    """Remove the contract release's scripts from a plan.

    Returns:
        The plan, and the scripts left out.

    Raises:
        MigrationError: a script to run has a number above one that is left out, which would then be late.
    """
    steps: list[Step] = []
    left: list[Script] = []
    for step in plan.steps:
        script = step.script
        if phase_of(database, script, split_script(database, script)) == "contract":
            left.append(script)
            continue
        passed = [each for each in left if each.version is not None and each.space == script.space]
        if script.version is not None and passed and not allow_out_of_order:
            raise MigrationError(
                f"`{script.name}` (expand) comes after `{passed[0].name}` (contract), which is pending",
                hint=f"give `{passed[0].name}` the higher number; if no running release needs what it removes, apply both"
                " with `custctl migrate`",
                details={"expand": script.name, "contract": [each.name for each in passed]},
            )
        steps.append(step)
    return plan._replace(steps=tuple(steps)), tuple(left)
