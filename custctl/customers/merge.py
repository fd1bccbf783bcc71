"""Three-way merge of a customer's fields: what the row was, what it is now, and what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from custctl.schema.own import Value

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that both sides changed, and not to the same value."""

    field: str
    base: Value
    theirs: Value
    mine: Value


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What a merge came to.

    Args:
        changes: what to write onto `theirs`, conflicting fields left out.
        conflicts: what a person has to decide, in the order of `mine`.
    """

    changes: dict[str, Value]
    conflicts: tuple[FieldConflict, ...]


def merge(base: Values, theirs: Values, mine: Values) -> MergeResult:
    """Merge two edits of one row; a field that only one side touched is that side's.

    Args:
        base: the fields as they were when `mine` was begun.
        theirs: the fields as they are stored now.
        mine: the fields as they are wanted. A field absent from `mine` or `theirs` is untouched by that side.
    """
    changes: dict[str, Value] = {}
    conflicts: list[FieldConflict] = []
    for field, wanted in mine.items():
        was = base.get(field)
        now = theirs.get(field, was)
        if wanted in (was, now):
            continue
        if now == was:
            changes[field] = wanted
        else:
            conflicts.append(FieldConflict(field, was, now, wanted))
    return MergeResult(changes, tuple(conflicts))
