"""Past switchovers and failovers, from the database's audit and from this machine's journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.customers import audit
from custctl.replication.plan import Loss
from custctl.schema.standing import check_schema, read_standing
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.replication.journal import Intent, Journal


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the primary, or an attempt at one.

    Attributes:
        outcome: done, aborted, incomplete (the rest is left to a rerun), or unfinished: still running, or killed.
        epoch: the epoch that it started.
        loss: what could have been lost, in words.
    """

    at: str
    kind: str
    old: str | None
    new: str
    outcome: str
    epoch: int | None
    loss: str | None
    actor: str
    operation_id: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {
            "at": self.at,
            "kind": self.kind,
            "from": self.old,
            "to": self.new,
            "outcome": self.outcome,
            "epoch": self.epoch,
            "loss": self.loss,
            "actor": self.actor,
            "operation_id": self.operation_id,
        }


def recorded(database: Database) -> list[Change]:
    """Return the changes in the audit, oldest first."""
    with database.reading() as connection:
        check_schema(read_standing(connection))
        rows = list(connection.run("audit.changes"))
    found = []
    for row in rows:
        facts = audit.detail(row)
        found.append(
            Change(
                row.happened_at,
                row.action,
                facts.get("from"),
                facts.get("to", ""),
                "done",
                facts["epoch"][1] if "epoch" in facts else None,
                str(Loss.of(facts["loss"])) if "loss" in facts else None,
                row.actor,
                row.operation_id,
            )
        )
    return found


def changes(database: Database, journal: Journal) -> tuple[list[Change], CustctlError | None]:
    """Return all changes, oldest first, and the error if those in the database could not be read."""
    begun = journal.operations()
    try:
        return merged(recorded(database), begun), None
    except CustctlError as error:
        return merged((), begun), error


def merged(recorded: Sequence[Change], begun: Sequence[Intent]) -> list[Change]:
    """Return all changes, oldest first; the database's record of a change takes precedence over the journal's."""
    known = {change.operation_id for change in recorded}
    others = [
        Change(
            run.at, run.kind, run.old, run.target, run.ended or "unfinished", None, None, run.actor, run.operation_id
        )
        for run in begun
        if run.operation_id not in known
    ]
    return sorted([*recorded, *others], key=lambda change: change.at)
