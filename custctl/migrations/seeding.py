"""Seeding: data that is allowed in an environment.

Both the profile and the database's own stamp must allow it; otherwise nothing is written. Test data never reaches
staging or production, whatever the user asks for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.customers import audit
from custctl.customers.operations import OperationIdUsedError
from custctl.customers.transactions import VOID
from custctl.migrations import journal
from custctl.migrations.plan import Step, make_seed_plan
from custctl.migrations.run import Listener, Run
from custctl.migrations.runner import check_state
from custctl.migrations.scripts import Script, seed_sets
from custctl.migrations.steps import execute
from custctl.schema.names import AUDIT, CUSTOMER
from custctl.schema.standing import Standing, require_writable
from custctl.support.errors import RefusedError, UsageError
from custctl.support.text import nearest

if TYPE_CHECKING:
    from custctl.customers.store import CustomerStore
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection

EVERYWHERE = "reference"
"""The set that every environment allows; all others are test data."""

_TEST_ENVIRONMENTS = ("development", "test")
_BATCH = 10_000  # rows per transaction


@dataclass(frozen=True, slots=True)
class Seeded:
    """What seeding did.

    Attributes:
        scripts: the scripts that ran.
        customers: how many customers were added.
    """

    scripts: tuple[str, ...] = ()
    customers: int = 0


def choose_sets(
    asked: Sequence[str], *, allowed: Sequence[str], available: Sequence[str], environment: str, profile: str
) -> list[str]:
    """Return the sets to seed, each allowed by the profile and by the environment.

    Args:
        asked: the user's; empty means the profile's.
        allowed: the profile's.
        available: the existing folders.
        environment: the profile's; it must equal the database's stamp.

    Raises:
        RefusedError: a set that this environment or profile does not allow.
        UsageError: no such set.
    """
    chosen = list(dict.fromkeys(asked or allowed))
    for name in chosen:
        if name not in available and name in asked and name not in allowed:
            close = nearest(name, list(available))
            raise UsageError(
                f"there is no set `{name}`",
                hint=f"did you mean `{close}`?" if close else f"sets: {', '.join(available) or 'none'}",
            )
        if name != EVERYWHERE and environment not in _TEST_ENVIRONMENTS:
            raise RefusedError(
                f"the set `{name}` is test data, which {environment} does not allow",
                hint=f"only `{EVERYWHERE}` is allowed there",
            )
        if name not in allowed:
            raise RefusedError(
                f"the profile `{profile}` does not allow the set `{name}`",
                hint=f"add it to `seed:` in the profile; it allows:  {', '.join(allowed) or 'none'}",
            )
        if name not in available:
            raise UsageError(f"the set `{name}` has no folder", hint=f"make `sql/<engine>/seed/{name}/`")
    return chosen


def refuse_synthetic(environment: str) -> None:
    """Refuse synthetic customers outside development and test.

    Raises:
        RefusedError: staging or production.
    """
    if environment not in _TEST_ENVIRONMENTS:
        raise RefusedError(
            f"synthetic customers are test data, which {environment} does not allow",
            hint="use a development or test profile",
        )


def seed_scripts(
    database: Database,
    sql_dir: Path,
    sets: Sequence[str],
    *,
    environment: str,
    actor: str,
    operation_id: str,
    lock_timeout: float,
    listener: Listener,
) -> Seeded:
    """Run the new and changed scripts of sets, each with its audit row in its last transaction.

    Raises:
        RefusedError: the database's stamp is missing or another environment's.
        MigrationError: a script failed.
    """
    available = seed_sets(sql_dir, database.engine_name)
    scripts = [script for name in sets for script in available[name]]

    def plan() -> tuple[Step, ...]:
        with database.reading() as connection:
            require_writable(database, connection, environment)
            state = journal.read_state_on(database, connection)
        check_state(state, environment, database.location)
        return make_seed_plan(scripts, state.records, environment=environment, features=database.features())

    with database.reading() as connection:
        before = _recorded(database, connection, operation_id)
    if not plan():
        return before
    run = Run()
    with database.migration_lock(lock_timeout, listener.waiting):
        steps = plan()
        with database.reading() as connection:
            tables = database.table_names(connection)
            held = _held(connection) if CUSTOMER in tables and AUDIT in tables else 0
        with database.script_session() as session:

            def record(connection: Connection, script: Script) -> None:
                nonlocal held
                if AUDIT not in database.table_names(connection):
                    return
                before_it, held = held, _held(connection)
                entry = audit.Entry(
                    operation_id,
                    "seed",
                    actor,
                    # Count downwards: synthetic customers of the same request count upwards.
                    part=-len(_recorded(database, connection, operation_id).scripts) - 1,
                    detail={"script": script.name, "checksum": script.checksum, "inserted": max(held - before_it, 0)},
                )
                audit.append(database, connection, entry)

            execute(database, session, steps, {}, actor, run, listener, record)
    with database.reading() as connection:
        done = _recorded(database, connection, operation_id)
    return Seeded((*before.scripts, *(each.script.name for each in run.applied)), done.customers)


def _held(connection: Connection) -> int:
    """Return the number of customers."""
    return int(connection.run("customer.count").scalar())


def _recorded(database: Database, connection: Connection, operation_id: str) -> Seeded:
    """Return what an operation's scripts have already done, in their order."""
    if AUDIT not in database.table_names(connection):
        return Seeded()
    rows = [row for row in audit.find_operation(connection, operation_id) if row.action == "seed" and row.part < 0]
    details = [json.loads(row.detail) for row in sorted(rows, key=lambda row: -row.part)]
    return Seeded(tuple(each["script"] for each in details), sum(each.get("inserted", 0) for each in details))


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What earlier runs of an operation recorded: the last part, and how many customers they added."""

    last_part: int
    inserted: int


def seed_customers(
    store: CustomerStore,
    database: Database,
    *,
    count: int,
    random_seed: int,
    actor: str,
    operation_id: str,
    on_progress: Callable[[int], None],
) -> Seeded:
    """Add synthetic customers; existing ones do not change.

    Args:
        count: how many there should be.
        random_seed: the same number makes the same customers.
        operation_id: the same id resumes an interrupted operation, and returns the total.
        on_progress: called after each batch with the number of customers processed.

    Raises:
        OperationIdUsedError: the operation id belongs to another request.
        RefusedError: the database's stamp is not one of development or test.
    """
    from itertools import islice

    from custctl.customers.model import EDITABLE
    from custctl.customers.synthetic import synthetic_customers

    refuse_synthetic(store.environment)
    request = {"random_seed": random_seed, "count": count}
    dealt_with, added = 0, 0
    earlier: _Earlier | None = None
    part = 1
    rows = synthetic_customers(count, random_seed)
    while batch := [tuple(row[name] for name in EDITABLE) for row in islice(rows, _BATCH)]:
        inserted = 0

        def write(connection: Connection, standing: Standing, batch: list[tuple[str | None, ...]] = batch) -> None:
            nonlocal earlier, inserted, part
            refuse_synthetic(standing.environment or "an unknown environment")
            if earlier is None:
                earlier = _look_back(connection, operation_id, request)
                part = earlier.last_part + 1
            merged = database.merge(connection, CUSTOMER, EDITABLE, batch, key="email", insert=True, update=False)
            if merged.inserted:
                entry = audit.Entry(
                    operation_id,
                    "seed",
                    actor,
                    part=part,
                    customers=merged.inserted,
                    detail={**request, "inserted": len(merged.inserted)},
                )
                audit.append(database, connection, entry)
            inserted = len(merged.inserted)

        # `part` is called before the next iteration.
        store.transactions.run(operation_id, write, part=lambda: part if inserted else None)  # noqa: B023
        part += 1 if inserted else 0
        added += inserted
        dealt_with += len(batch)
        on_progress(dealt_with)
    return Seeded(customers=added + (earlier.inserted if earlier else 0))


def count_added(database: Database, operation_id: str) -> int:
    """Return how many synthetic customers an operation has added, according to the audit."""
    with database.reading() as connection:
        rows = [row for row in audit.find_operation(connection, operation_id) if row.action == "seed" and row.part > 0]
    return sum(int(json.loads(row.detail)["inserted"]) for row in rows)


def _look_back(connection: Connection, operation_id: str, request: Mapping[str, int]) -> _Earlier:
    """Return what the operation has already done.

    Raises:
        OperationIdUsedError: the operation id belongs to another request.
    """
    last_part = inserted = 0
    for row in audit.find_operation(connection, operation_id):
        last_part = max(last_part, row.part)
        if row.action == VOID or (row.action == "seed" and row.part < 0):
            continue
        detail = json.loads(row.detail)
        if row.action != "seed" or any(detail.get(name) != value for name, value in request.items()):
            raise OperationIdUsedError(operation_id, f"has already been applied as `{row.action}`")
        inserted += int(detail["inserted"])
    return _Earlier(last_part, inserted)
